import type { ReasonCode } from '../../workflows/reason.ts';
import { EvidenceError } from '../evidence-error.ts';
import { parseRetryAfter } from '../registry/retry-after.ts';

/** The part of a `RestError` (`@azure/core-rest-pipeline`) that is looked at. */
interface AzureError {
  readonly name: string;
  readonly code: string;
  readonly status: number | undefined;
  readonly retryAfter: string | null;
}

/** What `@azure/identity` throws when no credential of its chain works. */
const CREDENTIAL_ERRORS = new Set([
  'CredentialUnavailableError',
  'AuthenticationError',
  'AggregateAuthenticationError',
  'ChainedTokenCredentialAuthenticationFailed',
  'AuthenticationRequiredError',
]);

/** Whether it says that there is no such key, or version. */
export function isNotFound(error: unknown): boolean {
  return read(error)?.status === 404;
}

/** What an error of Azure's clients means. Its texts are not shown: they come from the network, and from command lines. */
export function asAzureFailure(what: string, error: unknown): unknown {
  const found = read(error);
  if (found === undefined) return error;
  const { name, code, status, retryAfter } = found;
  const make = (reason: ReasonCode, retryable: boolean, said: string) => {
    const wait = status === 429 || status === 503 ? parseRetryAfter(retryAfter, Date.now()) : undefined;
    const message = `${what}: expected an answer, got ${said}`;
    return new EvidenceError(reason, message, {
      retryable,
      cause: error,
      ...(wait !== undefined && { retryAfterMs: wait }),
    });
  };
  if (CREDENTIAL_ERRORS.has(name)) {
    return make(
      'KMS_CREDENTIALS',
      false,
      "no credentials of Azure that work; check the worker's environment and clock",
    );
  }
  if (name === 'AbortError' || /ETIMEDOUT|TIMEOUT/.test(code)) return make('KMS_TIMEOUT', true, 'none in time');
  if (code === 'PARSE_ERROR') return make('KMS_MISBEHAVED', true, 'something that is no answer');
  if (status === undefined) {
    return /^[A-Z][A-Z0-9_]{2,40}$/.test(code)
      ? make('KMS_UNREACHABLE', true, `no connection (${code}); check the name of the vault and the network`)
      : error;
  }
  if (status === 401) return make('KMS_CREDENTIALS', false, '401; the vault does not take the token of this worker');
  if (status === 403) return make('KMS_ACCESS_DENIED', false, '403; grant the role in infra/azure');
  if (status === 429) return make('KMS_THROTTLED', true, '429');
  if (status === 404 || status === 408 || status >= 500) return make('KMS_ERROR', true, `${status}`);
  return make('KMS_MISBEHAVED', false, `${status}`);
}

function read(error: unknown): AzureError | undefined {
  if (error instanceof EvidenceError || !(error instanceof Error)) return undefined;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const status = 'statusCode' in error && typeof error.statusCode === 'number' ? error.statusCode : undefined;
  return { name: error.name, code, status, retryAfter: retryAfterOf(error) };
}

function retryAfterOf(error: Error): string | null {
  const response = 'response' in error ? error.response : undefined;
  if (typeof response !== 'object' || response === null || !('headers' in response)) return null;
  const { headers } = response;
  if (typeof headers !== 'object' || headers === null || !('get' in headers)) return null;
  const value: unknown = typeof headers.get === 'function' ? headers.get('retry-after') : undefined;
  return typeof value === 'string' ? value : null;
}
