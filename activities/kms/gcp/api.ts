import type { KeyManagementServiceClient, protos } from '@google-cloud/kms';
import { EvidenceError } from '../../evidence-error.ts';
import { connections } from '../../http/connections.ts';
import { openTunnel } from '../../http/proxy-tunnel.ts';
import { MAX_KMS_ANSWER_BYTES, MAX_KMS_REQUEST_MS } from '../../limits.ts';
import { type Call, kmsFailure, reachedAt } from '../failure.ts';
import { loadClient } from '../official-client.ts';
import { within } from '../within.ts';
import { gcpFailure, isNotFound, isUnavailable } from './failure.ts';
import type { GcpKey } from './key-uri.ts';

/** Settings of the client besides ours; for tests, another server. */
export type GcpClientOptions = ConstructorParameters<typeof KeyManagementServiceClient>[0];

type Version = protos.google.cloud.kms.v1.ICryptoKeyVersion;
type PublicKey = protos.google.cloud.kms.v1.IPublicKey;
type SignRequest = protos.google.cloud.kms.v1.IAsymmetricSignRequest;
type SignResponse = protos.google.cloud.kms.v1.IAsymmetricSignResponse;

/**
 * The calls that are made to Google Cloud KMS, all of them; `infra/gcp` lists their permissions. Each is one attempt and
 * throws the KMS_ codes.
 */
export interface GcpApi {
  /** The version that is meant: the one that is named, else the newest that is enabled, else the newest. `undefined` when the key has no version. */
  version(key: GcpKey, signal: AbortSignal): Promise<Version | undefined>;
  publicKey(version: string, signal: AbortSignal): Promise<PublicKey>;
  sign(version: string, request: Omit<SignRequest, 'name'>, signal: AbortSignal): Promise<SignResponse>;
}

/** Versions of one key, in one answer. They have 300 bytes each. */
const PAGE_SIZE = 500;
/** One attempt: Temporal retries. */
const CALL = { timeout: MAX_KMS_REQUEST_MS, retry: null, autoPaginate: false };
const CHANNEL = { 'grpc.max_receive_message_length': MAX_KMS_ANSWER_BYTES, 'grpc.enable_retries': 0 };

/** Opens what is said of a call. */
export function gcpCall(permission: string, key: string): Call {
  return {
    service: reachedAt('Google Cloud KMS', serviceHost()),
    permission: `cloudkms.cryptoKeyVersions.${permission}`,
    key,
  };
}

/** The client is loaded and made at the first question. */
export function createGcpApi(options: GcpClientOptions = {}): GcpApi {
  let made: Promise<KeyManagementServiceClient> | undefined;
  const client = async () => {
    made ??= connect(options).catch((error) => {
      made = undefined; // it may be there the next time
      throw error;
    });
    return await made;
  };
  const toFailure = (call: Call, error: unknown): unknown => {
    const failure = gcpFailure(call, error);
    if (failure instanceof EvidenceError && failure.code === 'KMS_CREDENTIALS') forget();
    return failure;
  };
  /** A client reads its key file once. The next one finds what lies there then; questions to this one may still be under way. */
  const forget = () => {
    const former = made;
    made = undefined;
    setTimeout(() => void former?.then((kms) => kms.close()).catch(() => {}), MAX_KMS_REQUEST_MS).unref();
  };
  const ask = <T>(call: Call, signal: AbortSignal, send: (kms: KeyManagementServiceClient) => Promise<T>): Promise<T> =>
    within(
      call,
      signal,
      async () =>
        send(await client()).catch(async (error: unknown) => {
          if (isUnavailable(error)) await tryProxy(options ?? {});
          throw error;
        }),
      (error) => toFailure(call, error),
    );
  return {
    version({ name, version }, signal) {
      const call = gcpCall(version === undefined ? 'list' : 'get', name);
      return ask(call, signal, async (kms) => {
        try {
          if (version === undefined) return await newest(call, kms, name);
          return (await kms.getCryptoKeyVersion({ name: `${name}/cryptoKeyVersions/${version}` }, CALL))[0];
        } catch (error) {
          if (isNotFound(error)) return undefined;
          throw error;
        }
      });
    },
    publicKey: (name, signal) =>
      ask(gcpCall('viewPublicKey', name), signal, async (kms) => (await kms.getPublicKey({ name }, CALL))[0]),
    sign: (name, request, signal) =>
      ask(gcpCall('useToSign', name), signal, async (kms) => (await kms.asymmetricSign({ ...request, name }, CALL))[0]),
  };
}

/** Where the service is, without options: Google's client reads the same variable. */
function serviceHost(): string {
  return `cloudkms.${process.env['GOOGLE_CLOUD_UNIVERSE_DOMAIN'] || 'googleapis.com'}`;
}

/**
 * Has gRPC go through the proxy of all other clients. Its own rule (lower case only, `grpc_proxy`) is off. It knows no proxy that is
 * reached by TLS: there the client asks by REST.
 */
function throughProxy({ servicePath = serviceHost(), port = 443 }: NonNullable<GcpClientOptions>) {
  const own = { 'grpc.enable_http_proxy': 0 };
  const choice = connections().proxyOf(new URL(`https://${servicePath}:${port}`));
  if (choice.kind === 'direct') return own;
  if (choice.scheme === 'https') return { ...own, fallback: true };
  const { username, password } = choice.credentials ?? {};
  return {
    ...own,
    ...{ servicePath: choice.host, port: choice.port },
    ...{ 'grpc.http_connect_target': `dns:${servicePath}:${port}`, 'grpc.default_authority': servicePath },
    ...(username !== undefined && { 'grpc.http_connect_creds': `${username}:${password}` }),
  };
}

async function connect(options: GcpClientOptions): Promise<KeyManagementServiceClient> {
  const kms = await loadClient('@google-cloud/kms@6.3.0', () => import('@google-cloud/kms'));
  keepMetadataLocal(process.env);
  if (options?.sslCreds === undefined) await tryProxy(options ?? {});
  const client = new kms.KeyManagementServiceClient({ ...CHANNEL, ...options, ...throughProxy(options ?? {}) });
  try {
    // Left to the first call, an error of it (no credentials) would be an unhandled rejection, and end the worker.
    await client.initialize();
    // A channel that is given whole brings its credentials along.
    if (options?.sslCreds === undefined) await useOwnConnections(client);
  } catch (cause) {
    throw new Error('no credentials', { cause });
  }
  return client;
}

/** gRPC tells nothing of a proxy that refuses: one tunnel of ours tells the reason. Rejects with a ProxyFailure. */
async function tryProxy({ servicePath = serviceHost(), port = 443 }: NonNullable<GcpClientOptions>): Promise<void> {
  const choice = connections().proxyOf(new URL(`https://${servicePath}:${port}`));
  if (choice.kind === 'direct') return;
  const tunnel = await openTunnel(choice, `${servicePath}:${port}`, connections().lookup);
  tunnel.on('error', () => undefined).destroy();
}

/** Has the requests of a client, for tokens and for keys by REST, use our connections and our rule of proxies. */
async function useOwnConnections(client: KeyManagementServiceClient): Promise<void> {
  const [plain, secure] = [connections().httpAgent(), connections().httpsAgent()];
  const { transporter } = await client.auth.getClient();
  transporter.interceptors.request.add({
    resolved: async (request) => Object.assign(request, { agent: request.url.protocol === 'https:' ? secure : plain }),
  });
}

/** Google's library would ask a proxy for the metadata service, which is a link-local address. It reads `NO_PROXY` alone. */
function keepMetadataLocal(env: NodeJS.ProcessEnv): void {
  const place = (env['GCE_METADATA_IP'] || env['GCE_METADATA_HOST'] || '').replace(/^https?:\/\//, '');
  const named = URL.canParse(`http://${place}`) ? [new URL(`http://${place}`).hostname] : [];
  const local = ['169.254.169.254', 'metadata.google.internal', 'metadata.google.internal.', ...named];
  const listed = (env['NO_PROXY'] || env['no_proxy'] || '').split(',').filter((entry) => entry !== '');
  env['NO_PROXY'] = [...new Set([...listed, ...local])].join(',');
}

async function newest(call: Call, kms: KeyManagementServiceClient, parent: string): Promise<Version | undefined> {
  const [versions, next] = await kms.listCryptoKeyVersions({ parent, pageSize: PAGE_SIZE }, CALL);
  if (next?.pageToken) {
    throw kmsFailure('unavailable', { ...call, advice: 'name one of its versions' }, `more than ${PAGE_SIZE} versions`);
  }
  // The service can only sort by name, as text, where 10 comes before 9.
  const sorted = versions.toSorted((one, other) => versionNumber(other.name) - versionNumber(one.name));
  return sorted.find(({ state }) => state === 'ENABLED') ?? sorted[0];
}

function versionNumber(name: string | null | undefined): number {
  return Number(/\/cryptoKeyVersions\/(\d{1,10})$/.exec(name ?? '')?.[1] ?? 0);
}
