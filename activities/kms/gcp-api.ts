import type { KeyManagementServiceClient, protos } from '@google-cloud/kms';
import { EvidenceError } from '../evidence-error.ts';
import { MAX_KMS_ANSWER_BYTES, MAX_KMS_REQUEST_MS } from '../limits.ts';
import { asGcpFailure, isNotFound } from './gcp-failure.ts';
import type { GcpKey } from './gcp-key.ts';
import { loadClient } from './official-client.ts';
import { within } from './within.ts';

/** Settings of the client besides ours; for tests, another server. */
export type GcpClientOptions = ConstructorParameters<typeof KeyManagementServiceClient>[0];

/** The questions that are asked of Cloud KMS. */
export interface GcpApi {
  /** The version that is meant, with its state: the one that is named, else the newest that is enabled, else the newest. */
  version(key: GcpKey, signal: AbortSignal): Promise<protos.google.cloud.kms.v1.ICryptoKeyVersion | undefined>;
  publicKey(version: string, signal: AbortSignal): Promise<protos.google.cloud.kms.v1.IPublicKey>;
  sign(
    request: protos.google.cloud.kms.v1.IAsymmetricSignRequest,
    signal: AbortSignal,
  ): Promise<protos.google.cloud.kms.v1.IAsymmetricSignResponse>;
}

/** Versions that one page of the list may hold: three bytes in four of what an answer may have. */
const PAGE_SIZE = 500;
/** One attempt: Temporal retries. */
const CALL = { timeout: MAX_KMS_REQUEST_MS, retry: null, autoPaginate: false };
const CHANNEL = { 'grpc.max_receive_message_length': MAX_KMS_ANSWER_BYTES, 'grpc.enable_retries': 0 };

/** The client is loaded and made at the first question. Its calls throw the KMS_ codes. */
export function createGcpApi(options: GcpClientOptions = {}): GcpApi {
  let made: Promise<KeyManagementServiceClient> | undefined;
  const client = async () => {
    made ??= connect(options).catch((error) => {
      made = undefined; // credentials may be there the next time
      throw error;
    });
    return await made;
  };
  const ask = async <T>(
    what: string,
    signal: AbortSignal,
    call: (client: KeyManagementServiceClient) => Promise<T>,
  ): Promise<T> => {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(MAX_KMS_REQUEST_MS)]);
    return await within(what, limited, async () => call(await client())).catch((error) => {
      throw asGcpFailure(what, error);
    });
  };
  return {
    async version({ name, version }, signal) {
      const what = `gcpkms: state of ${name}`;
      try {
        return await ask(what, signal, async (kms) =>
          version === undefined
            ? await newest(what, kms, name)
            : (await kms.getCryptoKeyVersion({ name: `${name}/cryptoKeyVersions/${version}` }, CALL))[0],
        );
      } catch (error) {
        if (error instanceof EvidenceError && isNotFound(error.cause)) return undefined;
        throw error;
      }
    },
    publicKey: (name, signal) =>
      ask(`gcpkms: public key of ${name}`, signal, async (kms) => (await kms.getPublicKey({ name }, CALL))[0]),
    sign: (request, signal) =>
      ask(`gcpkms: sign by ${request.name}`, signal, async (kms) => (await kms.asymmetricSign(request, CALL))[0]),
  };
}

async function connect(options: GcpClientOptions): Promise<KeyManagementServiceClient> {
  const kms = await loadClient('@google-cloud/kms@6.3.0', () => import('@google-cloud/kms'));
  return new kms.KeyManagementServiceClient({ ...CHANNEL, ...options });
}

async function newest(what: string, kms: KeyManagementServiceClient, parent: string) {
  const [versions, next] = await kms.listCryptoKeyVersions({ parent, pageSize: PAGE_SIZE }, CALL);
  if (next?.pageToken) {
    const message = `${what}: it has more than ${PAGE_SIZE} versions; name one in the policy`;
    throw new EvidenceError('KMS_ERROR', message, { retryable: false });
  }
  // The service can only sort by name, as text, where 10 comes before 9.
  const sorted = versions.toSorted((one, other) => versionNumber(other.name) - versionNumber(one.name));
  return sorted.find(({ state }) => state === 'ENABLED') ?? sorted[0];
}

function versionNumber(name: string | null | undefined): number {
  return Number(/\/cryptoKeyVersions\/(\d{1,10})$/.exec(name ?? '')?.[1] ?? 0);
}
