import { isRecord } from '../../../workflows/format/record.ts';
import { readBounded } from '../../http/bounded-body.ts';
import { viaTo } from '../../http/exchange.ts';
import { send } from '../../http/transport.ts';
import { MAX_KMS_ANSWER_BYTES } from '../../limits.ts';
import { type Call, kmsFailure } from '../failure.ts';
import { within } from '../within.ts';
import { transportFailure, unexpectedAnswer } from './failure.ts';
import type { VaultKey } from './key-uri.ts';
import { type Environment, vaultPlace, vaultToken } from './settings.ts';

/** One question to a transit engine, about one key. */
export interface VaultQuestion {
  readonly operation: 'keys' | 'sign' | 'verify';
  /** Sent by POST, as JSON. */
  readonly body?: unknown;
}

/** What it answered: its `data`, or that there is no such key, or no such engine. */
export type VaultAnswer = Asked &
  (
    | { readonly kind: 'data'; readonly data: Readonly<Record<string, unknown>> }
    | { readonly kind: 'no-key' | 'no-engine' }
  );

interface Asked {
  readonly call: Call;
  /** Server and path of the key. */
  readonly resource: string;
}

const SERVICES = { hashivault: 'Vault', openbao: 'OpenBao' } as const;

/**
 * Asks Vault or OpenBao once (HTTP API v1). The namespace is part of the path, and the token a bearer token, as both
 * allow. Throws the KMS_ codes.
 */
export async function askVault(
  key: VaultKey,
  { operation, body }: VaultQuestion,
  env: Environment,
  signal: AbortSignal,
): Promise<VaultAnswer> {
  const { address, mount } = vaultPlace(key.provider, env);
  const path = `${mount}/${operation}/${key.name}`;
  const permission = body === undefined ? 'read' : 'update';
  const service = `${SERVICES[key.provider]} at ${address.host}${viaTo(address)}`;
  const call: Call = { service, permission, key: path };
  const token = await vaultToken(key.provider, env);
  const url = new URL(address);
  url.pathname = `${address.pathname.replace(/\/+$/, '')}/v1/${path}`;
  const sent =
    body === undefined ? { method: 'GET' as const } : { method: 'POST' as const, json: JSON.stringify(body) };
  const request = { what: call.service, url, authorization: `Bearer ${token}`, accept: 'application/json', ...sent };
  const { response, bytes } = await within(
    call,
    signal,
    async (limited) => {
      const { response } = await send({ ...request, redirects: 'none' }, limited);
      return { response, bytes: await readBounded(call.service, response, MAX_KMS_ANSWER_BYTES, limited) };
    },
    (error) => transportFailure(call, error),
  );
  if (bytes === 'too-large') throw kmsFailure('misbehaved', call, `more than ${MAX_KMS_ANSWER_BYTES} bytes`);
  const asked: Asked = { call, resource: `${address.host}/${mount}/keys/${key.name}` };
  return read(asked, response, Buffer.from(bytes).toString('utf8'));
}

function read(asked: Asked, response: Response, text: string): VaultAnswer {
  const answer = parse(text);
  if (response.status === 404) {
    // Whatever else says 404 is not Vault.
    if (!Array.isArray(answer?.['errors'])) throw kmsFailure('misbehaved', asked.call, 'a 404 of another server');
    return { kind: text.includes('no handler for route') ? 'no-engine' : 'no-key', ...asked };
  }
  if (response.status !== 200) throw unexpectedAnswer(asked.call, response, text);
  const data = answer?.['data'];
  if (!isRecord(data)) throw kmsFailure('misbehaved', asked.call, 'something else than JSON with data');
  return { kind: 'data', data, ...asked };
}

function parse(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
