import { generateKeyPairSync } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EvidenceError } from '../../activities/evidence-error.ts';
import { createConnections, useConnections } from '../../activities/http/connections.ts';
import { parseDestinations, useDestinations } from '../../activities/http/destinations.ts';
import { createNameLookup } from '../../activities/http/name-lookup.ts';
import { createAwsKeyManager } from '../../activities/kms/aws/manager.ts';
import { createAzureKeyManager } from '../../activities/kms/azure/manager.ts';
import { createGcpKeyManager } from '../../activities/kms/gcp/manager.ts';
import { parseKeyUri } from '../../activities/kms/key-uri.ts';
import type { KeyManager } from '../../activities/kms/managed-key.ts';
import { createVaultKeyManager } from '../../activities/kms/vault/manager.ts';
import { dockerCredentials } from '../../activities/registry/credentials/docker-credentials.ts';
import { configuredEndpoints } from '../../activities/registry/endpoints/configured-endpoints.ts';
import { createRegistry } from '../../activities/registry/registry.ts';
import { askerOf } from '../../activities/rekor/ask.ts';
import { createTrustStore } from '../../activities/trust/store.ts';
import type { WorkerClient } from './cells.ts';
import { BEHIND, DIRECT, patchSystemLookup } from './names.ts';

/** What a client is to ask, and where. Everything else it finds where a worker's client finds it. */
export interface Question {
  /** Asked again under the same id, it is the same client. */
  readonly id: string;
  readonly client: WorkerClient;
  /** Scheme, host and port. */
  readonly origin: string;
  /** Files of the client: credentials, certificates. */
  readonly folder: string;
  /** Key, digest or the like. */
  readonly subject: string;
  /** What the environment of a worker says of its server. */
  readonly env: Readonly<Record<string, string>>;
  /** Clients that have a setting for it wait no longer than this, in ms; key managers as long as in a worker. */
  readonly waitMs: number;
}

/** What came of it: nothing to say, or the error. */
export type Outcome =
  | { readonly kind: 'success'; readonly ms: number }
  | {
      readonly kind: 'failure';
      readonly code: string | undefined;
      readonly retryable: boolean | undefined;
      readonly message: string;
      readonly ms: number;
    };

type Ask = () => Promise<unknown>;
const clients = new Map<string, Ask>();

/** Asks once. Questions whose environments differ must not be asked at the same time. */
export async function ask(question: Question): Promise<Outcome> {
  const started = performance.now();
  const took = () => Math.round(performance.now() - started);
  Object.assign(process.env, question.env);
  const known = clients.get(question.id) ?? create(question);
  clients.set(question.id, known);
  try {
    await known();
    return { kind: 'success', ms: took() };
  } catch (error) {
    const { code, retryable } = error instanceof EvidenceError ? error : { code: undefined, retryable: undefined };
    return {
      kind: 'failure',
      code,
      retryable,
      message: String(error instanceof Error ? error.message : error),
      ms: took(),
    };
  }
}

function create({ client, origin, folder, subject, env, waitMs }: Question): Ask {
  const url = new URL(origin);
  switch (client) {
    case 'registry':
    case 'registry with TLS of its own':
    case 'token': {
      const plainHttp = url.protocol === 'http:' ? [url.host] : [];
      const endpoints = configuredEndpoints([join(folder, 'certs.d')], plainHttp);
      const credentials = dockerCredentials(join(folder, 'config.json'));
      return async () => {
        const registry = createRegistry({ endpoints, credentials: credentials, requestTimeoutMs: waitMs });
        const name = { registry: url.host, repository: 'demo/app' };
        const found = await registry.getManifest(name, subject, AbortSignal.timeout(waitMs * 2));
        if (found === undefined) throw new Error('the image is not there');
      };
    }
    case 'TUF':
      return async () => {
        const store = createTrustStore({ requestMs: waitMs });
        try {
          const root = await readFile(join(folder, 'root.json'));
          const source = { kind: 'remote', root, mirror: url, target: 'trusted_root.json' } as const;
          await store.use([{ name: 'acme', source }], new Set(['acme']));
          await store.refresh();
          store.find('acme');
        } finally {
          store.stop();
        }
      };
    case 'Rekor v1':
    case 'Rekor v2': {
      const version = client === 'Rekor v1' ? 'v1' : 'v2';
      const { publicKey } = generateKeyPairSync('ed25519');
      const log = {
        id: '00',
        baseUrl: url,
        publicKey,
        version,
        origin: 'log',
        validFrom: 0,
        validUntil: undefined,
      } as const;
      const asked = askerOf(log, { requestTimeoutMs: waitMs, now: Date.now });
      return () => asked({ path: subject, maxBytes: 10_000 }, AbortSignal.timeout(waitMs * 2));
    }
    case 'AWS KMS':
    case 'AWS STS':
      return describe(createAwsKeyManager(), subject);
    case 'Google Cloud KMS':
    case 'Google tokens':
      return describe(createGcpKeyManager({ servicePath: url.hostname, port: Number(url.port) }), subject);
    case 'Azure Key Vault': {
      const credential = () => ({
        getToken: async () => ({ token: 't', expiresOnTimestamp: Date.now() + 3_600_000 }),
      });
      return describe(
        createAzureKeyManager({ credential, client: { disableChallengeResourceVerification: true } }),
        subject,
      );
    }
    case 'Azure tokens':
      return describe(createAzureKeyManager({ client: { disableChallengeResourceVerification: true } }), subject);
    case 'Vault':
      return describe(createVaultKeyManager({ ...env, HOME: folder }), subject);
  }
}

function describe(manager: KeyManager, uri: string): Ask {
  const parsed = parseKeyUri(uri);
  if (!parsed.ok) throw new Error(parsed.problem);
  const { reference } = parsed;
  return async () => {
    const { state } = await manager.describe(reference, new AbortController().signal);
    if (state.kind === 'unusable') throw new Error(state.sentence);
  };
}

/** A process that asks what its parent sends it. */
if (process.send !== undefined && process.env['NETWORKS_NAME_SERVER'] !== undefined) {
  const none = { hostsFile: '/nonexistent', resolvConf: '/nonexistent' };
  const servers = [process.env['NETWORKS_NAME_SERVER']];
  patchSystemLookup();
  // Both names are of this machine, where no registry sends a worker that is not told so.
  const listed = parseDestinations([DIRECT, BEHIND]);
  if ('unknown' in listed) throw new Error(`expected a host, found ${listed.unknown}`);
  useDestinations(listed);
  useConnections(createConnections(createNameLookup({ servers, ...none }), process.env));
  process.on('message', (question: Question) => {
    void ask(question).then((outcome) => process.send?.({ id: question.id, outcome }));
  });
  process.on('disconnect', () => process.exit(0));
  // Loading a library is no part of what is measured.
  const libraries = ['@aws-sdk/client-kms', '@aws-sdk/credential-provider-node', '@google-cloud/kms'];
  const azure = ['@azure/keyvault-keys', '@azure/identity'];
  for (const name of process.env['NETWORKS_AZURE_ALONE'] === 'yes' ? azure : [...libraries, ...azure])
    await import(name);
  process.send('ready');
}
