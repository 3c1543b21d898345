import { isRecord } from '../../workflows/record.ts';
import { MAX_KMS_ANSWER_BYTES, MAX_KMS_REQUEST_MS } from '../limits.ts';
import { readBounded } from '../registry/bounded-body.ts';
import { send } from '../registry/transport.ts';
import { asVaultFailure, misbehaved, unexpectedAnswer } from './vault-failure.ts';
import type { VaultKey } from './vault-key.ts';
import { type Environment, vaultPlace, vaultToken } from './vault-settings.ts';

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
  /** Opens every message about it. */
  readonly what: string;
  /** Server and path of the key. */
  readonly resource: string;
}

/**
 * Asks Vault or OpenBao once (HTTP API v1). The namespace is part of the path, and the token a bearer token, as both
 * allow. Throws the KMS_ codes.
 */
export async function askVault(
  key: VaultKey,
  question: VaultQuestion,
  env: Environment,
  callerSignal: AbortSignal,
): Promise<VaultAnswer> {
  const { address, mount } = vaultPlace(key.provider, env);
  const { operation, body } = question;
  const what = `${key.provider} ${address.host}: ${operation} of ${mount}/${key.name}`;
  const asked: Asked = { what, resource: `${address.host}/${mount}/keys/${key.name}` };
  const token = await vaultToken(key.provider, env);
  const url = new URL(address);
  url.pathname = `${address.pathname.replace(/\/+$/, '')}/v1/${mount}/${operation}/${key.name}`;
  const signal = AbortSignal.any([callerSignal, AbortSignal.timeout(MAX_KMS_REQUEST_MS)]);
  try {
    const sent =
      body === undefined ? ({ method: 'GET' } as const) : { method: 'POST' as const, json: JSON.stringify(body) };
    const request = { what, url, authorization: `Bearer ${token}`, accept: 'application/json', ...sent };
    const { response } = await send({ ...request, redirects: 'none' }, signal);
    const bytes = await readBounded(what, response, MAX_KMS_ANSWER_BYTES, signal);
    if (bytes === 'too-large') throw misbehaved(what, `expected at most ${MAX_KMS_ANSWER_BYTES} bytes, got more`);
    return read(asked, response, Buffer.from(bytes).toString('utf8'));
  } catch (error) {
    throw asVaultFailure(error);
  }
}

function read(asked: Asked, response: Response, text: string): VaultAnswer {
  const { what } = asked;
  const answer = parse(text);
  if (response.status === 404) {
    // Whatever else says 404 is not Vault.
    if (answer === undefined || !Array.isArray(answer['errors'])) throw misbehaved(what, 'got 404 from another server');
    return { kind: text.includes('no handler for route') ? 'no-engine' : 'no-key', ...asked };
  }
  if (response.status !== 200) throw unexpectedAnswer(what, response, text);
  const data = answer?.['data'];
  if (!isRecord(data)) throw misbehaved(what, 'expected a JSON object with "data", got something else');
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
