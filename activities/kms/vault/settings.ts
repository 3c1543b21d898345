import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { EvidenceError } from '../../evidence-error.ts';
import type { VaultKey } from './key-uri.ts';

/** The variables of the worker's environment that cosign and Vault's own client read as well. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Where the transit engine is. */
export interface VaultPlace {
  /** Ends without a slash; holds no credentials. */
  readonly address: URL;
  /** Namespace and mount, for example `team-a/transit`. */
  readonly mount: string;
}

const PREFIXES = { hashivault: ['VAULT'], openbao: ['BAO', 'VAULT'] } as const;
const PATH = /^[A-Za-z0-9_-][A-Za-z0-9_.-]*(?:\/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*$/;
/** What may stand in a header; Vault's own tokens have up to 200 characters, those of its batch kind some more. */
const TOKEN = /^[\x21-\x7e]{1,4096}$/;

/**
 * `VAULT_ADDR`, `VAULT_NAMESPACE` and `TRANSIT_SECRET_ENGINE_PATH` (default `transit`); for OpenBao `BAO_` before `VAULT_`.
 * Throws KMS_UNREACHABLE, not to be tried again, where they name no place.
 */
export function vaultPlace(provider: VaultKey['provider'], env: Environment): VaultPlace {
  const { name, value } = variable(provider, 'ADDR', env);
  if (value === undefined) throw noPlace(`${name} is not set: give the worker the URL of the server`);
  const address = URL.canParse(value) ? new URL(value) : undefined;
  const isWeb = address?.protocol === 'https:' || address?.protocol === 'http:';
  if (address === undefined || !isWeb || address.username !== '' || address.password !== '') {
    throw noPlace(`expected ${name} to be a URL like https://vault.example:8200, found another value`);
  }
  const namespace = variable(provider, 'NAMESPACE', env);
  const engine = trimmed(env['TRANSIT_SECRET_ENGINE_PATH']) ?? 'transit';
  const mount = [trimmed(namespace.value), engine].filter((part) => part !== undefined).join('/');
  if (!PATH.test(mount)) {
    throw noPlace(`expected ${namespace.name} and TRANSIT_SECRET_ENGINE_PATH to be paths like team-a/transit`);
  }
  return { address, mount };
}

/**
 * `VAULT_TOKEN`, else the file that `vault login` and agents write; read each time, because a token is renewed under a
 * worker that runs. Throws KMS_CREDENTIALS.
 */
export async function vaultToken(provider: VaultKey['provider'], env: Environment): Promise<string> {
  const { name, value } = variable(provider, 'TOKEN', env);
  const token = value ?? (await readTokenFile(env));
  if (token === undefined)
    throw noToken(`${name} is not set and ~/.vault-token can't be read: give the worker a token`);
  if (!TOKEN.test(token)) throw noToken(`expected a token in ${name} or ~/.vault-token, found something else`);
  return token;
}

function readTokenFile(env: Environment): Promise<string | undefined> {
  return readFile(join(env['HOME'] ?? homedir(), '.vault-token'), 'utf8').then(
    (text) => text.trim(),
    () => undefined,
  );
}

/** The first that is set and not empty; if none is, the name that should be. */
function variable(provider: VaultKey['provider'], name: string, env: Environment) {
  const names = PREFIXES[provider].map((prefix) => `${prefix}_${name}`);
  const set = names.find((candidate) => env[candidate]);
  return { name: set ?? `${PREFIXES[provider][0]}_${name}`, value: set === undefined ? undefined : env[set]?.trim() };
}

function trimmed(path: string | undefined): string | undefined {
  return path?.replaceAll(/^\/+|\/+$/g, '') || undefined;
}

function noPlace(message: string): EvidenceError {
  return new EvidenceError('KMS_UNREACHABLE', message, { retryable: false });
}

function noToken(message: string): EvidenceError {
  return new EvidenceError('KMS_CREDENTIALS', message, { retryable: false });
}
