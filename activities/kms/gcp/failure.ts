import { EvidenceError } from '../../evidence-error.ts';
import { type Call, type FailureClass, kmsFailure, proxyFailure } from '../failure.ts';

const NOT_FOUND = 5;
const PERMISSION_DENIED = 7;
const UNAVAILABLE = 14;

/** Words of Node and OpenSSL, which neither gRPC nor the authentication library hand on as codes. */
const UNTRUSTED = /certificate(?! required)|self[- ]signed|altnames/i;
const NETWORK =
  /\bE(?:AI_|CONN|HOST|NET|PIPE|TIMEDOUT)|failed, reason:|ocket hang up|aborted|remature close|certificate|SSL routines|getaddrinfo/;

/**
 * Status codes of gRPC as Google Cloud uses them (`google.rpc.Code`). NOT_FOUND is about a version that was there a moment
 * ago, and FAILED_PRECONDITION about one whose state has changed: both are looked at again.
 */
const CODES: ReadonlyMap<number, readonly [name: string, kind: FailureClass]> = new Map([
  [1, ['CANCELLED', 'fault']],
  [2, ['UNKNOWN', 'fault']],
  [3, ['INVALID_ARGUMENT', 'misbehaved']],
  [4, ['DEADLINE_EXCEEDED', 'timeout']],
  [NOT_FOUND, ['NOT_FOUND', 'fault']],
  [PERMISSION_DENIED, ['PERMISSION_DENIED', 'denied']],
  [8, ['RESOURCE_EXHAUSTED', 'throttled']],
  [9, ['FAILED_PRECONDITION', 'fault']],
  [10, ['ABORTED', 'fault']],
  [12, ['UNIMPLEMENTED', 'misbehaved']],
  [13, ['INTERNAL', 'fault']],
  [UNAVAILABLE, ['UNAVAILABLE', 'unreachable']],
  [15, ['DATA_LOSS', 'misbehaved']],
  [16, ['UNAUTHENTICATED', 'refused-credentials']],
]);

/** Whether it says that there is no such key, ring, or version. */
export function isNotFound(error: unknown): boolean {
  return codeOf(error) === NOT_FOUND;
}

/** Whether it says that there was no connection. */
export function isUnavailable(error: unknown): boolean {
  return codeOf(error) === UNAVAILABLE;
}

/** What an error of `@google-cloud/kms` means. Its texts are not shown: they come from the network, and name files. */
export function gcpFailure(call: Call, error: unknown): unknown {
  if (error instanceof EvidenceError || !(error instanceof Error)) return error;
  const proxy = proxyFailure(call, error);
  if (proxy !== undefined) return proxy;
  const code = codeOf(error);
  // What the authentication library meets has no status, or that of a connection.
  const isAboutCredentials = /credential|metadata from plugin|invalid_grant/i.test(error.message);
  if (isAboutCredentials && code !== PERMISSION_DENIED) {
    return kmsFailure(NETWORK.test(error.message) ? 'no-token-service' : 'no-credentials', call);
  }
  if (code === UNAVAILABLE && UNTRUSTED.test(error.message)) return kmsFailure('untrusted', call, 'UNAVAILABLE');
  const [name, kind] = CODES.get(code ?? -1) ?? [];
  if (name === undefined || kind === undefined) return error;
  // An answer that is larger than we allow has the status of a quota.
  if (/larger than max/i.test(error.message)) return kmsFailure('misbehaved', call, 'an answer that is too large');
  return kmsFailure(kind, call, name);
}

function codeOf(error: unknown): number | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : undefined;
}
