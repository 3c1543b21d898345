import type { TokenCredential } from '@azure/identity';
import type { CryptographyClient, KeyClient, KeyClientOptions, KeyVaultKey } from '@azure/keyvault-keys';
import { MAX_KMS_REQUEST_MS } from '../limits.ts';
import { asAzureFailure, isNotFound } from './azure-failure.ts';
import type { AzureKey } from './azure-key.ts';
import { loadClient } from './official-client.ts';
import { within } from './within.ts';

/** What tests put in the place of the network, of credentials and of the clock. */
export interface AzureSettings {
  readonly client?: KeyClientOptions;
  readonly credential?: TokenCredential;
  readonly now?: () => Date;
}

/** What is known of a key by its name. */
export type AzureLookup =
  | { readonly kind: 'key'; readonly key: KeyVaultKey }
  | { readonly kind: 'deleted' | 'missing' };

/** The questions that are asked of a vault. */
export interface AzureApi {
  key(key: AzureKey, signal: AbortSignal): Promise<AzureLookup>;
  cryptography<T>(
    what: string,
    key: KeyVaultKey,
    signal: AbortSignal,
    call: (client: CryptographyClient, abortSignal: AbortSignal) => Promise<T>,
  ): Promise<T>;
}

type Modules = Readonly<{
  keys: typeof import('@azure/keyvault-keys');
  credential: TokenCredential;
}>;

/** One attempt: Temporal retries. */
const PIPELINE: KeyClientOptions = { retryOptions: { maxRetries: 0 } };

/** The clients are loaded at the first question, and one is kept for each vault. Its calls throw the KMS_ codes. */
export function createAzureApi({ client: options, credential }: AzureSettings): AzureApi {
  let loaded: Promise<Modules> | undefined;
  const clients = new Map<string, KeyClient>();
  const load = async () => {
    loaded ??= loadModules(credential);
    return await loaded;
  };
  const clientOf = async (vaultUrl: string) => {
    const { keys, credential } = await load();
    const client = clients.get(vaultUrl) ?? new keys.KeyClient(vaultUrl, credential, { ...PIPELINE, ...options });
    clients.set(vaultUrl, client);
    return client;
  };
  return {
    async key({ vaultUrl, name, version }, signal) {
      const what = `azurekms: key ${name} of ${new URL(vaultUrl).host}`;
      const found = await ask(what, signal, async (abortSignal) => {
        const client = await clientOf(vaultUrl);
        return await unless404(client.getKey(name, { abortSignal, ...(version !== undefined && { version }) }));
      });
      if (found !== undefined) return { kind: 'key', key: found };
      // A vault keeps what is deleted for some time, and says 404 of it all the same.
      const deleted = await ask(what, signal, async (abortSignal) => {
        const client = await clientOf(vaultUrl);
        return await unlessRefused(client.getDeletedKey(name, { abortSignal }));
      });
      return { kind: deleted === undefined ? 'missing' : 'deleted' };
    },

    async cryptography(what, key, signal, call) {
      return await ask(what, signal, async (abortSignal) => {
        const { keys, credential } = await load();
        return await call(new keys.CryptographyClient(key, credential, { ...PIPELINE, ...options }), abortSignal);
      });
    },
  };
}

async function loadModules(credential: TokenCredential | undefined): Promise<Modules> {
  const packages = '@azure/keyvault-keys@4.10.2 @azure/identity@4.14.1';
  return await loadClient(packages, async () => ({
    keys: await import('@azure/keyvault-keys'),
    credential: credential ?? new (await import('@azure/identity')).DefaultAzureCredential(),
  }));
}

async function ask<T>(what: string, signal: AbortSignal, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(MAX_KMS_REQUEST_MS)]);
  return await within(what, limited, () => call(limited)).catch((error) => {
    throw asAzureFailure(what, error);
  });
}

async function unless404<T>(answer: Promise<T>): Promise<T | undefined> {
  return await answer.catch((error) => {
    if (isNotFound(error)) return undefined;
    throw error;
  });
}

/** A vault may keep nothing that is deleted, and who may read keys need not be allowed to read what is deleted. */
async function unlessRefused<T>(answer: Promise<T>): Promise<T | undefined> {
  return await answer.catch((error) => {
    const status: unknown = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined;
    if (typeof status === 'number' && status >= 400 && status < 429 && status !== 401) return undefined;
    throw error;
  });
}
