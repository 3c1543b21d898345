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

/** What `@azure/identity` throws when no credential of its chain works. */
const CREDENTIAL_ERRORS = new Set([
  'CredentialUnavailableError',
  'AuthenticationError',
  'AggregateAuthenticationError',
  'ChainedTokenCredentialAuthenticationFailed',
  'AuthenticationRequiredError',
]);

/** Errors that the client makes without asking, which have no name or code: only their words tell what they are. */
const OWN: readonly { readonly says: RegExp; readonly kind: FailureClass; readonly found: string }[] = [
  { says: /challenge/i, kind: 'misbehaved', found: 'a host that is no vault of Azure' },
  { says: /is not supported on key/, kind: 'unsuitable', found: 'another key operation' },
  { says: /expired at|can't be used before/, kind: 'disabled', found: 'a time at which it is not good' },
];

/** An answer that is not a JSON object. */
export class UnreadableAnswer extends Error {}

/** The HTTP status of a `RestError` (`@azure/core-rest-pipeline`). */
export function statusOf(error: unknown): number | undefined {
  return error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number'
    ? error.statusCode
    : undefined;
}

/** What an error of Azure's clients means. Its texts are not shown: they come from the network, and from command lines. */
export function azureFailure(call: Call, error: unknown): unknown {
  if (error instanceof EvidenceError || !(error instanceof Error)) return error;
  const proxy = proxyFailure(call, error);
  if (proxy !== undefined) return proxy;
  if (CREDENTIAL_ERRORS.has(error.name)) {
    // The libraries below leave the code of the system out. A machine outside of Azure has no managed identity to reach either.
    const isNetwork = /network_error|network unreachable|network error/i.test(error.message);
    if (!isNetwork) return kmsFailure('no-credentials', call);
    const advice =
      "check network, proxy and the worker's environment, and name a private authority in NODE_EXTRA_CA_CERTS";
    return kmsFailure('no-token-service', { ...call, advice });
  }
  if (error instanceof UnreadableAnswer) return kmsFailure('misbehaved', call, 'something that is not JSON');
  // So the client calls a body that breaks off; what is whole and no JSON does not come so far.
  if ('code' in error && error.code === 'PARSE_ERROR')
    return kmsFailure('unreachable', call, 'an answer that breaks off');
  const status = statusOf(error);
  if (status !== undefined) {
    // A key that was there a moment ago is looked at again.
    const kind = status === 404 ? 'fault' : (classOfStatus(status) ?? 'misbehaved');
    return kmsFailure(kind, call, `status ${status}`, parseRetryAfter(retryAfterOf(error), Date.now()));
  }
  const connection = classOfConnection(error);
  if (connection !== undefined) return kmsFailure(connection.kind, call, connection.found);
  const own = OWN.find(({ says }) => says.test(error.message));
  return own === undefined ? error : kmsFailure(own.kind, call, own.found);
}

function retryAfterOf(error: Error): string | null {
  const response = 'response' in error ? error.response : undefined;
  if (typeof response !== 'object' || response === null || !('headers' in response)) return null;
  const { headers } = response;
  if (typeof headers !== 'object' || headers === null || !('get' in headers)) return null;
  const value: unknown = typeof headers.get === 'function' ? headers.get('retry-after') : undefined;
  return typeof value === 'string' ? value : null;
}
