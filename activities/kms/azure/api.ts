import type { Agent as HttpAgent } from 'node:http';
import type { TokenCredential } from '@azure/identity';
import type { CryptographyClient, KeyClient, KeyClientOptions, KeyVaultKey } from '@azure/keyvault-keys';
import { isRecord } from '../../../workflows/format/record.ts';
import { EvidenceError } from '../../evidence-error.ts';
import { connections } from '../../http/connections.ts';
import { type Call, reachedAt } from '../failure.ts';
import { loadClient } from '../official-client.ts';
import { within } from '../within.ts';
import { azureFailure, statusOf, UnreadableAnswer } from './failure.ts';
import type { AzureKey } from './key-uri.ts';

/** What tests put in the place of the network, of credentials and of the clock. */
export interface AzureSettings {
  readonly client?: KeyClientOptions;
  /** Makes one: when the first question comes, and after one was refused. */
  readonly credential?: () => TokenCredential;
  readonly now?: () => Date;
}

/** What is known of a key by its name. */
export type AzureLookup =
  | { readonly kind: 'key'; readonly key: KeyVaultKey }
  | { readonly kind: 'deleted' | 'missing' };

/**
 * The calls that are made to a vault, all of them; `infra/azure` lists their permissions. Each is one attempt and throws
 * the KMS_ codes.
 */
export interface AzureApi {
  key(key: AzureKey, signal: AbortSignal): Promise<AzureLookup>;
  /** Has the vault sign or verify. */
  cryptography<T>(
    permission: 'sign' | 'verify',
    key: KeyVaultKey,
    signal: AbortSignal,
    call: (client: CryptographyClient, abortSignal: AbortSignal) => Promise<T>,
  ): Promise<T>;
}

type Modules = Readonly<{
  keys: typeof import('@azure/keyvault-keys');
  credential: TokenCredential;
}>;

/**
 * The client reads fields of whatever JSON comes: an answer without a body, as load balancers give, or one that is `null`
 * ends in a TypeError. A status says all that is wanted of a refusal; an answer has to be an object.
 */
const readable: PipelinePolicy = {
  name: 'portcullisReadableAnswer',
  async sendRequest(request, next) {
    const response = await next(request);
    if (response.status >= 300) response.bodyAsText = '{}';
    else if (!isJsonObject(response.bodyAsText ?? '')) throw new UnreadableAnswer();
    return response;
  },
};

/** One attempt, for Temporal retries; and no redirect: the client follows some, and leaves the credential out. */
const PIPELINE: KeyClientOptions = {
  retryOptions: { maxRetries: 0 },
  redirectOptions: { maxRetries: 0 },
  additionalPolicies: [{ policy: readable, position: 'perCall' }],
};

/** Has a client use our connections, for keys and for credentials; Azure's own rule of proxies gives way to an agent. */
function withConnections(options: KeyClientOptions = {}): KeyClientOptions {
  let agents: { readonly http: HttpAgent; readonly https: HttpAgent } | undefined;
  const policy: PipelinePolicy = {
    name: 'portcullisConnections',
    sendRequest(request, next) {
      agents ??= { http: connections().httpAgent(), https: connections().httpsAgent() };
      request.agent = new URL(request.url).protocol === 'https:' ? agents.https : agents.http;
      return next(request);
    },
  };
  return { ...options, additionalPolicies: [...(options.additionalPolicies ?? []), { position: 'perRetry', policy }] };
}

type PipelinePolicy = NonNullable<KeyClientOptions['additionalPolicies']>[number]['policy'];

/** The clients are loaded at the first question, and one is kept for each vault. Its calls throw the KMS_ codes. */
export function createAzureApi({ client: options, credential }: AzureSettings): AzureApi {
  let loaded: Promise<Modules> | undefined;
  const clients = new Map<string, KeyClient>();
  const settings = withConnections(withOptions(options));
  const load = async () => {
    loaded ??= loadModules(credential);
    return await loaded;
  };
  const ask = <T>(call: Call, signal: AbortSignal, send: (signal: AbortSignal) => Promise<T>): Promise<T> =>
    within(call, signal, send, (error) => {
      const failure = azureFailure(call, error);
      if (failure instanceof EvidenceError && failure.code === 'KMS_CREDENTIALS') {
        // A credential keeps the certificate that it read first: the next one finds what lies there then.
        loaded = undefined;
        clients.clear();
      }
      return failure;
    });
  const clientOf = async (vaultUrl: string) => {
    const { keys, credential } = await load();
    const client = clients.get(vaultUrl) ?? new keys.KeyClient(vaultUrl, credential, settings);
    clients.set(vaultUrl, client);
    return client;
  };
  return {
    async key(asked, signal) {
      const { name, version } = asked;
      const found = await ask(azureCall('get', asked), signal, async (abortSignal) => {
        const client = await clientOf(asked.vaultUrl);
        return await unless([404], client.getKey(name, { abortSignal, ...(version !== undefined && { version }) }));
      });
      if (found !== undefined) return { kind: 'key', key: found };
      // A vault keeps what is deleted for some time, and says 404 of it all the same. It may keep nothing, and who may
      // read keys need not be allowed to read what is deleted.
      const deleted = await ask(azureCall('get', asked), signal, async (abortSignal) => {
        const client = await clientOf(asked.vaultUrl);
        return await unless([400, 403, 404, 405], client.getDeletedKey(name, { abortSignal }));
      });
      return { kind: deleted === undefined ? 'missing' : 'deleted' };
    },

    cryptography: (permission, key, signal, call) => {
      const { vaultUrl, name, version } = key.properties;
      return ask(azureCall(permission, { vaultUrl, name, version }), signal, async (abortSignal) => {
        const { keys, credential } = await load();
        return await call(new keys.CryptographyClient(key, credential, settings), abortSignal);
      });
    },
  };
}

function withOptions(options: KeyClientOptions = {}): KeyClientOptions {
  const policies = [...(PIPELINE.additionalPolicies ?? []), ...(options.additionalPolicies ?? [])];
  return { ...PIPELINE, ...options, additionalPolicies: policies };
}

function isJsonObject(text: string): boolean {
  try {
    return isRecord(JSON.parse(text));
  } catch {
    return false;
  }
}

/** Opens what is said of a call. */
export function azureCall(permission: 'get' | 'sign' | 'verify', { vaultUrl, name, version }: AzureKey): Call {
  const key = version === undefined ? name : `${name}/${version}`;
  const { host } = new URL(vaultUrl);
  return { service: reachedAt(`Azure Key Vault ${host}`, host), permission: `keys/${permission}`, key };
}

async function loadModules(credential: AzureSettings['credential']): Promise<Modules> {
  const packages = '@azure/keyvault-keys@4.10.2 @azure/identity@4.14.1';
  return await loadClient(packages, async () => ({
    keys: await import('@azure/keyvault-keys'),
    credential: credential?.() ?? new (await import('@azure/identity')).DefaultAzureCredential(withConnections()),
  }));
}

/** `undefined` for an answer with one of these statuses. */
async function unless<T>(statuses: readonly number[], answer: Promise<T>): Promise<T | undefined> {
  return await answer.catch((error) => {
    const status = statusOf(error);
    if (status !== undefined && statuses.includes(status)) return undefined;
    throw error;
  });
}
