import type { ReasonCode } from '../../workflows/reason.ts';
import { EvidenceError } from '../evidence-error.ts';

interface Meaning {
  readonly code: ReasonCode;
  readonly retryable: boolean;
  readonly said: string;
}

/**
 * Status codes of gRPC as Google Cloud uses them (`google.rpc.Code`). FAILED_PRECONDITION is a version that changed its
 * state since it was looked at. NOT_FOUND is an answer, and comes here only where there was a key a moment ago.
 */
const MEANINGS: ReadonlyMap<number, Meaning> = new Map([
  [1, { code: 'KMS_ERROR', retryable: true, said: 'CANCELLED' }],
  [2, { code: 'KMS_ERROR', retryable: true, said: 'UNKNOWN' }],
  [3, { code: 'KMS_ERROR', retryable: false, said: 'INVALID_ARGUMENT' }],
  [4, { code: 'KMS_TIMEOUT', retryable: true, said: 'DEADLINE_EXCEEDED' }],
  [5, { code: 'KMS_ERROR', retryable: true, said: 'NOT_FOUND' }],
  [7, { code: 'KMS_ACCESS_DENIED', retryable: false, said: 'PERMISSION_DENIED; grant the role in infra/gcp' }],
  [8, { code: 'KMS_THROTTLED', retryable: true, said: 'RESOURCE_EXHAUSTED' }],
  [9, { code: 'KMS_ERROR', retryable: true, said: 'FAILED_PRECONDITION' }],
  [10, { code: 'KMS_ERROR', retryable: true, said: 'ABORTED' }],
  [12, { code: 'KMS_MISBEHAVED', retryable: true, said: 'UNIMPLEMENTED; it is no Cloud KMS' }],
  [13, { code: 'KMS_ERROR', retryable: true, said: 'INTERNAL' }],
  [14, { code: 'KMS_UNREACHABLE', retryable: true, said: 'UNAVAILABLE; check network and region' }],
  [15, { code: 'KMS_MISBEHAVED', retryable: true, said: 'DATA_LOSS' }],
  [
    16,
    { code: 'KMS_CREDENTIALS', retryable: false, said: "UNAUTHENTICATED; check the worker's credentials and clock" },
  ],
]);

/** Whether it says that there is no such key, ring, or version. */
export function isNotFound(error: unknown): boolean {
  return codeOf(error) === 5;
}

/**
 * What an error of `@google-cloud/kms` means. Its texts are not shown: they come from the network, and those about
 * credentials name files.
 */
export function asGcpFailure(what: string, error: unknown): unknown {
  if (error instanceof EvidenceError || !(error instanceof Error)) return error;
  // What the authentication library meets has no status, or that of a connection.
  if (/credential|getting metadata from plugin|invalid_grant/i.test(error.message) && codeOf(error) !== 7) {
    const message = `${what}: found no credentials of Google Cloud that work; check the worker's environment and clock`;
    return new EvidenceError('KMS_CREDENTIALS', message, { retryable: false, cause: error });
  }
  const meaning = MEANINGS.get(codeOf(error) ?? -1);
  if (meaning === undefined) return error;
  const { code, retryable, said } = meaning;
  return new EvidenceError(code, `${what}: expected an answer, got ${said}`, { retryable, cause: error });
}

function codeOf(error: unknown): number | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : undefined;
}
