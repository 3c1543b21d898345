import { STATUS_CODES } from 'node:http';
import type { ReasonCode } from '../../workflows/verdict/reason.ts';
import { EvidenceError } from '../evidence-error.ts';
import { viaOf } from '../http/exchange.ts';
import { parseRetryAfter } from '../http/retry-after.ts';

/** The transport is the registries'; what it meets on the way to a log is named for the log. */
const LOG_CODES: Readonly<Partial<Record<ReasonCode, ReasonCode>>> = {
  REGISTRY_UNREACHABLE: 'LOG_UNREACHABLE',
  REGISTRY_TIMEOUT: 'LOG_TIMEOUT',
  REGISTRY_MISBEHAVED: 'LOG_MISBEHAVED',
  REGISTRY_INTERNAL_ADDRESS: 'LOG_MISBEHAVED',
};

/** The same failure with its LOG_ code; whatever is not about the transport stays as it is. */
export function asLogFailure(error: unknown): unknown {
  if (!(error instanceof EvidenceError)) return error;
  const code = LOG_CODES[error.code];
  if (code === undefined) return error;
  // A log, or what stands before it, may be mended at any time: no fault of a log is for ever.
  return new EvidenceError(code, error.message, { retryable: true, cause: error.cause });
}

/** What an HTTP answer outside of the expected ones means. A log is open to everybody, so that 401 and 403 are its fault, or a proxy's. */
export function unexpectedStatus(what: string, response: Response): EvidenceError {
  const { status } = response;
  const message = `${what}${viaOf(response)}: expected an answer, got ${status} (${STATUS_CODES[status] ?? 'unknown status'})`;
  const retryAfterMs = parseRetryAfter(response.headers.get('retry-after'), Date.now());
  const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
  if (status === 429) return new EvidenceError('LOG_THROTTLED', message, { retryable: true, ...wait });
  // 400 and 404 too: servers that share a log may know different sizes of it for a moment.
  return new EvidenceError('LOG_ERROR', message, { retryable: true, ...wait });
}

/** The log broke its protocol, or somebody before it: nothing that it says in this exchange can be used. */
export function misbehaved(what: string, found: string): EvidenceError {
  return new EvidenceError('LOG_MISBEHAVED', `${what}: ${found}`, { retryable: true });
}

export function timedOut(what: string, cause?: unknown): EvidenceError {
  return new EvidenceError('LOG_TIMEOUT', `${what}: no complete answer within the time limit`, {
    retryable: true,
    cause,
  });
}
