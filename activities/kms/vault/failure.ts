import type { ReasonCode } from '../../../workflows/verdict/reason.ts';
import { EvidenceError } from '../../evidence-error.ts';
import { parseRetryAfter } from '../../http/retry-after.ts';
import {
  type Call,
  classOfConnection,
  classOfStatus,
  type FailureClass,
  kmsFailure,
  proxyFailure,
} from '../failure.ts';

/** The transport is the registries'; what it meets on the way to Vault is about the way to a KMS. */
const TRANSPORT: Readonly<Partial<Record<ReasonCode, FailureClass>>> = {
  REGISTRY_UNREACHABLE: 'unreachable',
  REGISTRY_TIMEOUT: 'timeout',
  REGISTRY_MISBEHAVED: 'misbehaved',
};

/** What the transport met. Whatever is not about that stays as it is. */
export function transportFailure(call: Call, error: unknown): unknown {
  const kind = error instanceof EvidenceError ? TRANSPORT[error.code] : undefined;
  if (kind === undefined || !(error instanceof EvidenceError)) return error;
  const connection = classOfConnection(error.cause);
  const own = connection?.kind === 'untrusted' ? 'untrusted' : kind;
  return proxyFailure(call, error.cause) ?? kmsFailure(own, call, connection?.found);
}

/** What an answer means that is not the one asked for. `words` is its body, which is looked at and never shown. */
export function unexpectedAnswer(call: Call, { status, headers }: Response, words: string): EvidenceError {
  const { kind, advice } = meaningOf(status, words);
  const wait = parseRetryAfter(headers.get('retry-after'), Date.now());
  return kmsFailure(kind, { ...call, ...(advice !== undefined && { advice }) }, `status ${status}`, wait);
}

/**
 * Vault says 403 to a token that it doesn't know and to one that may not: only its words tell which. 412 is a server that
 * has not caught up with its cluster. 307 comes from a standby that can't forward; a token is not carried elsewhere.
 */
function meaningOf(status: number, words: string): { readonly kind: FailureClass; readonly advice?: string } {
  if (status === 403) {
    return /invalid token|bad token|missing client token/.test(words)
      ? { kind: 'refused-credentials', advice: 'renew its token, which is unknown, expired or revoked' }
      : { kind: 'denied' };
  }
  if (status === 412) return { kind: 'fault' };
  if (status === 503 && words.includes('sealed')) return { kind: 'fault', advice: 'unseal it' };
  if (status >= 300 && status < 400) {
    return { kind: 'fault', advice: 'give the worker the address of the server to which it redirects' };
  }
  return { kind: classOfStatus(status) ?? 'misbehaved' };
}
