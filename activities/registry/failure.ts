import { STATUS_CODES } from 'node:http';
import { EvidenceError } from '../evidence-error.ts';
import { viaOf } from '../http/exchange.ts';
import { parseRetryAfter } from '../http/retry-after.ts';

/** What an HTTP answer outside the expected ones means (retryable set: go-containerregistry v0.20 `remote/options.go`). */
export function unexpectedStatus(what: string, expected: string, response: Response): EvidenceError {
  const { status } = response;
  // The phrase is ours: the server's own could say anything.
  const message = `${what}${viaOf(response)}: expected ${expected}, got ${status} (${STATUS_CODES[status] ?? 'unknown status'})`;
  const retryAfterMs = parseRetryAfter(response.headers.get('retry-after'), Date.now());
  const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
  if (status === 401 || status === 403) {
    return new EvidenceError('REGISTRY_UNAUTHORIZED', `${message}; check the worker's registry credentials`, {
      retryable: false,
    });
  }
  if (status === 429) return new EvidenceError('REGISTRY_THROTTLED', message, { retryable: true, ...wait });
  // A registry that has not implemented something will not have done so in a moment (RFC 9110 section 15.6.2).
  if (status === 408 || status === 499 || (status >= 500 && status !== 501)) {
    return new EvidenceError('REGISTRY_ERROR', message, { retryable: true, ...wait });
  }
  return new EvidenceError('REGISTRY_ERROR', message, { retryable: false });
}
