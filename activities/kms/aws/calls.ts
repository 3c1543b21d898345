import { addAbortSignal, type Readable } from 'node:stream';
import type {
  DescribeKeyCommandOutput,
  GetPublicKeyCommandOutput,
  KMSClient,
  SignCommandInput,
  SignCommandOutput,
  VerifyCommandInput,
} from '@aws-sdk/client-kms';
import type { EvidenceError } from '../../evidence-error.ts';
import { connections } from '../../http/connections.ts';
import { MAX_KMS_ANSWER_BYTES, MAX_KMS_REQUEST_MS } from '../../limits.ts';
import {
  type Call,
  classOfConnection,
  classOfName,
  type FailureClass,
  kmsFailure,
  proxyFailure,
  reachedAt,
  retryAfterOf,
} from '../failure.ts';
import type { AwsKey } from './key-uri.ts';

/**
 * The calls that are made to AWS KMS, all of them; `infra/aws` lists their permissions. Each is one attempt, ends within
 * {@link MAX_KMS_REQUEST_MS} and throws an EvidenceError.
 */
export interface AwsCalls {
  describeKey(key: AwsKey, signal: AbortSignal): Promise<DescribeKeyCommandOutput>;
  getPublicKey(key: AwsKey, signal: AbortSignal): Promise<GetPublicKeyCommandOutput>;
  sign(key: AwsKey, input: Omit<SignCommandInput, 'KeyId'>, signal: AbortSignal): Promise<SignCommandOutput>;
  /** Whether the service says that the signature holds. */
  verify(key: AwsKey, input: Omit<VerifyCommandInput, 'KeyId'>, signal: AbortSignal): Promise<boolean>;
}

type Sdk = typeof import('@aws-sdk/client-kms') & typeof import('@aws-sdk/credential-provider-node');

/** The client library is loaded with the first call: it is big, and most policies need none. */
export function createAwsCalls(): AwsCalls {
  const clients = new Map<string, KMSClient>();
  let loading: Promise<Sdk> | undefined;

  const clientName = ({ region, endpoint }: AwsKey) => `${region ?? ''} ${endpoint ?? ''}`;
  const clientOf = (sdk: Sdk, key: AwsKey): KMSClient => {
    const client = clients.get(clientName(key)) ?? createClient(sdk, key);
    clients.set(clientName(key), client);
    return client;
  };
  const call = async <Output>(
    permission: string,
    key: AwsKey,
    signal: AbortSignal,
    send: (sdk: Sdk, client: KMSClient, signal: AbortSignal) => Promise<Output>,
  ): Promise<Output> => {
    const inTime = AbortSignal.any([signal, AbortSignal.timeout(MAX_KMS_REQUEST_MS)]);
    try {
      signal.throwIfAborted();
      loading ??= loadSdk();
      const sdk = await loading;
      return await orAborted(send(sdk, clientOf(sdk, key), inTime), inTime);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      const { kind, failure } = toFailure(error, { service: placeOf(key), permission, key: key.keyId }, inTime.aborted);
      // A client keeps its credentials; the next one looks for new ones. (After a wrong clock it has just learnt the right one.)
      if (kind === 'expired-credentials' || kind === 'refused-credentials') clients.delete(clientName(key));
      throw failure;
    }
  };

  return {
    describeKey: (key, signal) =>
      call('kms:DescribeKey', key, signal, (sdk, client, abortSignal) =>
        client.send(new sdk.DescribeKeyCommand({ KeyId: key.keyId }), { abortSignal }),
      ),
    getPublicKey: (key, signal) =>
      call('kms:GetPublicKey', key, signal, (sdk, client, abortSignal) =>
        client.send(new sdk.GetPublicKeyCommand({ KeyId: key.keyId }), { abortSignal }),
      ),
    sign: (key, input, signal) =>
      call('kms:Sign', key, signal, (sdk, client, abortSignal) =>
        client.send(new sdk.SignCommand({ ...input, KeyId: key.keyId }), { abortSignal }),
      ),
    verify: (key, input, signal) =>
      call('kms:Verify', key, signal, async (sdk, client, abortSignal) => {
        const command = new sdk.VerifyCommand({ ...input, KeyId: key.keyId });
        try {
          return (await client.send(command, { abortSignal })).SignatureValid === true;
        } catch (error) {
          // KMS says no by an error (API reference, Verify).
          if (nameOf(error) === 'KMSInvalidSignatureException') return false;
          throw error;
        }
      }),
  };
}

async function loadSdk(): Promise<Sdk> {
  const [client, credentials] = await Promise.all([
    import('@aws-sdk/client-kms'),
    import('@aws-sdk/credential-provider-node'),
  ]);
  return { ...client, ...credentials };
}

/** Region, endpoint and credentials are the SDK's own chain, unless the key's name says more. Temporal retries, not the SDK. */
function createClient(sdk: Sdk, { region, endpoint }: AwsKey): KMSClient {
  const requestHandler = {
    connectionTimeout: MAX_KMS_REQUEST_MS,
    httpAgent: connections().httpAgent(),
    httpsAgent: connections().httpsAgent(),
  };
  const client = new sdk.KMSClient({
    maxAttempts: 1,
    // Unless it is told to, the SDK reads the shared files once in the life of a process. Credentials are asked for in the
    // same way as keys: STS has these connections from the client, SSO has them from here.
    credentialDefaultProvider: (init: object) => {
      const provide = sdk.defaultProvider({ ...init, ignoreCache: true, clientConfig: { requestHandler } });
      return async (...asked: Parameters<typeof provide>) => {
        try {
          return await provide(...asked);
        } catch (cause) {
          throw new CredentialSearchError(cause);
        }
      };
    },
    requestHandler,
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint: `https://${endpoint}` }),
  });
  // The SDK would read an answer without an end, and wait for it without an end.
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      // What came over the wire is unknown to the SDK's types; its handler for Node gives a stream.
      const response = result.response as { body?: Readable | Uint8Array };
      if (response.body !== undefined && !(response.body instanceof Uint8Array)) {
        response.body = await readBounded(response.body);
      }
      return result;
    },
    { step: 'deserialize', priority: 'low', name: 'boundedAnswer' }, // nearer to the wire than what reads JSON,
  );
  return client;
}

class TooLongError extends Error {}

/** An error of the way to credentials, a token service for example, and not of KMS. */
class CredentialSearchError extends Error {
  constructor(cause: unknown) {
    super('no credentials', { cause });
  }
}

async function readBounded(body: Readable): Promise<Uint8Array> {
  const signal = AbortSignal.timeout(MAX_KMS_REQUEST_MS);
  const chunks: Uint8Array[] = [];
  let length = 0;
  // The types of a stream's chunks are not known to TypeScript; without an encoding they are bytes.
  for await (const chunk of addAbortSignal(signal, body) as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > MAX_KMS_ANSWER_BYTES) throw new TooLongError();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Looking for credentials may hang too, and knows no signal. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** For sentences: which service was asked. */
export function serviceName({ endpoint, region }: AwsKey): string {
  if (endpoint !== undefined) return `AWS KMS at ${endpoint}`;
  return region === undefined ? 'AWS KMS' : `AWS KMS in ${region}`;
}

/** The same with the proxy on the way, as far as the key's name tells the host. */
function placeOf(key: AwsKey): string {
  const host = key.endpoint ?? (key.region === undefined ? '' : `kms.${key.region}.amazonaws.com`);
  return reachedAt(serviceName(key), host);
}

/** What the SDK puts on its errors; it types none of them as thrown. */
interface SdkError {
  readonly name?: unknown;
  readonly message?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number; readonly clockSkewCorrected?: boolean };
  readonly $response?: { readonly statusCode?: number; readonly headers?: Readonly<Record<string, string>> };
}

function toFailure(error: unknown, call: Call, late: boolean): { kind: FailureClass; failure: EvidenceError } {
  if (late) return { kind: 'timeout', failure: kmsFailure('timeout', call) };
  const thrown = error instanceof CredentialSearchError ? error.cause : error;
  const proxy = proxyFailure(call, thrown);
  if (proxy !== undefined) return { kind: 'unreachable', failure: proxy };
  // An error of whatever kind may have these; each is looked at before use.
  const { $metadata, $response } = (thrown ?? {}) as SdkError;
  const of = classify(thrown, $metadata?.httpStatusCode ?? $response?.statusCode);
  const { kind, found } = thrown === error ? of : { ...of, kind: SEARCHES[of.kind] ?? of.kind };
  const retryAfterMs = retryAfterOf($response?.headers?.['retry-after']);
  return { kind, failure: kmsFailure(kind, call, found, retryAfterMs) };
}

/** What the failure of a token service means for KMS, which was not asked. */
const SEARCHES: Readonly<Partial<Record<FailureClass, FailureClass>>> = {
  ...{ unreachable: 'no-token-service', untrusted: 'no-token-service', misbehaved: 'no-token-service' },
  ...{ fault: 'no-token-service', denied: 'refused-credentials', missing: 'refused-credentials' },
};

function classify(error: unknown, status: number | undefined): { kind: FailureClass; found?: string } {
  const name = nameOf(error);
  const message = error instanceof Error ? error.message : '';
  if (message === 'Region is missing') return { kind: 'no-region' };
  const known = classOfName(name);
  if (known === 'refused-credentials' && isSkewed(error, message)) return { kind: 'clock-skew', found: name };
  if (known !== undefined) return { kind: known, found: name };
  if (status === undefined) {
    const lost = classOfConnection(error);
    // The SDK also says so of a connection that could not be made in time.
    if (lost === undefined && name === 'TimeoutError') return { kind: 'timeout' };
    return lost ?? { kind: 'misbehaved', found: error instanceof TooLongError ? 'too long an answer' : name };
  }
  // Only a named error is KMS's own word about the key: a status alone may be that of a proxy.
  if (status === 429) return { kind: 'throttled', found: `HTTP ${status}` };
  return { kind: status >= 500 ? 'fault' : 'misbehaved', found: `HTTP ${status}` };
}

/** The same name stands for a wrong secret and for a wrong clock; the SDK compares with the answer's Date. */
function isSkewed(error: unknown, message: string): boolean {
  return (
    (error as SdkError).$metadata?.clockSkewCorrected === true || /^Signature (expired|not yet current)/.test(message)
  );
}

function nameOf(error: unknown): string {
  const name = (error as SdkError | undefined)?.name;
  return typeof name === 'string' ? name : 'an error without a name';
}
