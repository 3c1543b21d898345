import { STATUS_CODES } from 'node:http';
import type { ReasonCode } from '../../workflows/reason.ts';
import { EvidenceError } from '../evidence-error.ts';
import { parseRetryAfter } from '../registry/retry-after.ts';

/** The transport is the registries'; what it meets on the way to a KMS is named for the KMS. */
const KMS_CODES: Readonly<Partial<Record<ReasonCode, ReasonCode>>> = {
  REGISTRY_UNREACHABLE: 'KMS_UNREACHABLE',
  REGISTRY_TIMEOUT: 'KMS_TIMEOUT',
  REGISTRY_MISBEHAVED: 'KMS_MISBEHAVED',
};

/** The same failure with its KMS_ code; whatever is not about the transport stays as it is. */
export function asVaultFailure(error: unknown): unknown {
  if (!(error instanceof EvidenceError)) return error;
  const code = KMS_CODES[error.code];
  if (code === undefined) return error;
  return new EvidenceError(code, error.message, { retryable: true, cause: error.cause });
}

interface Meaning {
  readonly code: ReasonCode;
  readonly retryable: boolean;
  readonly advice?: string;
}

/**
 * Vault says 403 to a token that it doesn't know and to one that may not: only its words tell which. 503 is a sealed
 * server, and one without an active node. 307 comes from a standby that can't forward; a token is not carried there.
 */
function meaningOf(status: number, words: string): Meaning {
  if (status === 403) {
    return /invalid token|bad token|missing client token/.test(words)
      ? { code: 'KMS_CREDENTIALS', retryable: false, advice: 'the token is unknown, expired or revoked: renew it' }
      : { code: 'KMS_ACCESS_DENIED', retryable: false, advice: 'give the token the policy in infra/vault' };
  }
  if (status === 429) return { code: 'KMS_THROTTLED', retryable: true };
  if (status === 503 && words.includes('sealed')) {
    return { code: 'KMS_ERROR', retryable: true, advice: 'it is sealed: unseal it' };
  }
  if (status >= 300 && status < 400) {
    return {
      code: 'KMS_ERROR',
      retryable: true,
      advice: 'it sends on to another server: give the worker that address',
    };
  }
  // 408 and 412: the server has not caught up with its cluster yet
  if (status === 408 || status === 412 || status >= 500) return { code: 'KMS_ERROR', retryable: true };
  return { code: 'KMS_MISBEHAVED', retryable: false };
}

/** What an answer outside of the expected ones means; `words` is its body, which is never shown. */
export function unexpectedAnswer(what: string, response: Response, words: string): EvidenceError {
  const { status } = response;
  const { code, retryable, advice } = meaningOf(status, words);
  const retryAfterMs = parseRetryAfter(response.headers.get('retry-after'), Date.now());
  const found = `got ${status} (${STATUS_CODES[status] ?? 'unknown status'})`;
  return new EvidenceError(code, `${what}: expected an answer, ${found}${advice === undefined ? '' : `; ${advice}`}`, {
    retryable,
    ...(retryAfterMs === undefined || !retryable ? {} : { retryAfterMs }),
  });
}

/** The server, or what stands before it, broke the protocol. */
export function misbehaved(what: string, found: string): EvidenceError {
  return new EvidenceError('KMS_MISBEHAVED', `${what}: ${found}`, { retryable: true });
}
