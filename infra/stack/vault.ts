import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isRecord } from '../../workflows/format/record.ts';
import { obtain } from '../tools/obtain.ts';
import { freePort } from './ports.ts';
import { type ServerProcess, startServer } from './process.ts';

/** A Vault that has a transit engine and nothing else, and forgets all of it when it ends. */
export interface Vault extends ServerProcess {
  /** `http://127.0.0.1:port`, what VAULT_ADDR is set to. */
  readonly url: string;
  /** May do everything, also seal. */
  readonly rootToken: string;
  /**
   * Sends `body`, or nothing, to `/v1/<path>` with the root token, or another, and answers its `data`, or `auth` where it
   * makes a token. Rejects with what Vault said.
   */
  call(method: string, path: string, body?: unknown, token?: string): Promise<Readonly<Record<string, unknown>>>;
  /** A token with nothing but this policy (HCL). */
  tokenFor(policy: string): Promise<string>;
  /** Opens it again after `PUT sys/seal`; resolves when it is ready. */
  unseal(): Promise<void>;
}

/** Starts Vault, unsealed, with a transit engine at `transit/`. Rejects as `startServer` does. */
export async function startVault(dir: string): Promise<Vault> {
  const address = `127.0.0.1:${await freePort()}`;
  const url = `http://${address}`;
  const secrets = join(dir, 'vault.json');
  const { vault } = await obtain(['vault']);
  const server = await startServer({
    name: 'vault',
    program: vault,
    args: [address, secrets],
    dir,
    ready: async () => (await fetch(`${url}/v1/sys/health`)).ok,
  });
  const { root_token: rootToken, unseal_key: key } = JSON.parse(await readFile(secrets, 'utf8'));
  const call: Vault['call'] = (method, path, body, token = rootToken) => send(url, method, path, body, token);
  let policies = 0;
  return {
    ...server,
    url,
    rootToken,
    call,
    async tokenFor(policy) {
      const name = `policy-${policies++}`;
      await call('PUT', `sys/policies/acl/${name}`, { policy });
      const made = await call('POST', 'auth/token/create', { policies: [name], no_default_policy: true });
      return String(made['client_token']);
    },
    async unseal() {
      await call('PUT', 'sys/unseal', { key });
      // It answers before its engines are mounted: 503 until then.
      while (!(await fetch(`${url}/v1/sys/health`)).ok) await delay(20);
    },
  };
}

async function send(url: string, method: string, path: string, body: unknown, token: string) {
  const response = await fetch(`${url}/v1/${path}`, {
    method,
    headers: { 'x-vault-token': token },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`Vault: ${method} ${path}: ${response.status} ${text}`);
  const answer: unknown = text === '' ? {} : JSON.parse(text);
  const data = isRecord(answer) ? (answer['data'] ?? answer['auth']) : undefined;
  return isRecord(data) ? data : {};
}
