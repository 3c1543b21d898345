import { createPublicKey, type KeyObject } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import {
  credentials,
  loadPackageDefinition,
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { GcpClientOptions } from '../../../activities/kms/gcp/api.ts';
import { isRecord } from '../../../workflows/format/record.ts';
import { signByAlgorithm } from '../kms/signing.ts';

/** A version of a key as its owner sees it; a test changes it while the service runs. */
export interface GcpVersion {
  state: string;
  readonly algorithm: string;
  readonly privateKey: KeyObject;
}

/** Google Cloud KMS over gRPC by Google's own service description, with what a worker may ask of it. */
export interface GcpDouble extends AsyncDisposable {
  /** By `projects/.../cryptoKeys/K`, then by the number of the version. */
  readonly keys: Map<string, Map<number, GcpVersion>>;
  /** What the caller may do; a call without its permission is refused. */
  readonly permissions: Set<string>;
  /** The permission of each call that came, in order. */
  readonly calls: string[];
  /** The RPC of each call, in order. */
  readonly methods: string[];
  /** Answers every call instead, or bends the answer. */
  fault: GcpFault | undefined;
  /** With them Google's own client comes here, over a connection without TLS. */
  readonly clientOptions: GcpClientOptions;
  readonly port: number;
}

export type GcpFault =
  | { readonly kind: 'status'; readonly code: status; readonly message: string }
  | { readonly kind: 'hang' }
  /** Does this, and gives no answer. */
  | { readonly kind: 'instead'; readonly run: () => void }
  /** Refuses callers whose `authorization` is not one of these. */
  | { readonly kind: 'unless'; readonly isCaller: (authorization: string) => boolean }
  | { readonly kind: 'bend'; readonly answer: (answer: object) => object };

type Handler = (call: ServerUnaryCall<unknown, unknown>, answer: sendUnaryData<unknown>) => void;

export const GCP_PERMISSIONS = ['list', 'get', 'viewPublicKey', 'useToSign'].map(
  (verb) => `cloudkms.cryptoKeyVersions.${verb}`,
);

/** Serves on loopback, without TLS unless it is given some. */
export async function startGcpDouble(tls = ServerCredentials.createInsecure()): Promise<GcpDouble> {
  const service = serviceDefinition();
  const server = new Server();
  const port = await listen(server, tls);
  const double: GcpDouble = {
    keys: new Map(),
    permissions: new Set(GCP_PERMISSIONS),
    calls: [],
    methods: [],
    fault: undefined,
    clientOptions: { servicePath: '127.0.0.1', port, projectId: 'p', sslCreds: credentials.createInsecure() },
    port,
    async [Symbol.asyncDispose]() {
      server.forceShutdown();
    },
  };
  const handler =
    (verb: string, answerTo: (request: Readonly<Record<string, unknown>>) => object): Handler =>
    (call, answer) => {
      const permission = `cloudkms.cryptoKeyVersions.${verb}`;
      double.calls.push(permission);
      double.methods.push(call.getPath().split('/').at(-1) ?? '');
      const { fault } = double;
      if (fault?.kind === 'hang') return;
      if (fault?.kind === 'instead') return fault.run();
      if (fault?.kind === 'unless' && !fault.isCaller(String(call.metadata.get('authorization')[0])))
        return answer({ code: status.UNAUTHENTICATED, details: 'secret text' });
      if (fault?.kind === 'status')
        return answer({ code: fault.code, details: fault.message, metadata: new Metadata() });
      if (!double.permissions.has(permission))
        return answer({ code: status.PERMISSION_DENIED, details: 'secret text' });
      try {
        const made = answerTo(isRecord(call.request) ? call.request : {});
        answer(null, fault?.kind === 'bend' ? fault.answer(made) : made);
      } catch (error) {
        answer({ code: error === NOT_FOUND ? status.NOT_FOUND : status.INTERNAL, details: String(error) });
      }
    };
  server.addService(service, {
    ListCryptoKeyVersions: handler('list', ({ parent }) => ({
      cryptoKeyVersions: [...versionsOf(double, parent)].map(([number, version]) =>
        describe(`${parent}/cryptoKeyVersions/${number}`, version),
      ),
    })),
    GetCryptoKeyVersion: handler('get', ({ name }) => describe(String(name), versionOf(double, name))),
    GetPublicKey: handler('viewPublicKey', ({ name }) => {
      const { privateKey, algorithm } = versionOf(double, name);
      return { name, algorithm, pem: createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }) };
    }),
    AsymmetricSign: handler('useToSign', ({ name, digest, data }) => {
      const { privateKey, algorithm } = versionOf(double, name);
      const [bytes] = isRecord(digest)
        ? Object.values(digest).filter((value) => Buffer.isBuffer(value) && value.length > 0)
        : [];
      const isDigest = bytes !== undefined;
      return { name, signature: signByAlgorithm(privateKey, plainName(algorithm), toBuffer(bytes ?? data), isDigest) };
    }),
  });
  return double;
}

const NOT_FOUND = new Error('not found');

function versionsOf(double: GcpDouble, parent: unknown): ReadonlyMap<number, GcpVersion> {
  const versions = double.keys.get(String(parent));
  if (versions === undefined) throw NOT_FOUND;
  return versions;
}

function versionOf(double: GcpDouble, name: unknown): GcpVersion {
  const [, parent, number] = /^(.*)\/cryptoKeyVersions\/(\d+)$/.exec(String(name)) ?? [];
  const version = versionsOf(double, parent).get(Number(number));
  if (version === undefined) throw NOT_FOUND;
  return version;
}

function describe(name: string, { state, algorithm }: GcpVersion) {
  return { name, state, algorithm };
}

/** `signByAlgorithm` knows the names of AWS. */
function plainName(algorithm: string): string {
  const hash = `SHA_${/SHA(\d+)$/.exec(algorithm)?.[1]}`;
  if (algorithm.startsWith('EC_SIGN_')) return `ECDSA_${hash}`;
  return `RSASSA_${algorithm.includes('PSS') ? 'PSS' : 'PKCS1_V1_5'}_${hash}`;
}

function toBuffer(value: unknown): Buffer {
  if (!Buffer.isBuffer(value)) throw new Error('expected bytes');
  return value;
}

function serviceDefinition() {
  // Both bring the descriptions that they are made of.
  const includeDirs = ['@google-cloud/kms', 'google-gax'].map((name) =>
    fileURLToPath(import.meta.resolve(name)).replace(/\/build\/.*$/, '/build/protos'),
  );
  const definition = loadSync('google/cloud/kms/v1/service.proto', {
    includeDirs,
    enums: String,
    longs: String,
    keepCase: false,
  });
  const loaded = loadPackageDefinition(definition);
  const service = ['google', 'cloud', 'kms', 'v1', 'KeyManagementService'].reduce<unknown>(
    (at, name) => (typeof at === 'function' || isRecord(at) ? Reflect.get(at, name) : undefined),
    loaded,
  );
  if (typeof service !== 'function' || !('service' in service)) throw new Error('expected the service of Cloud KMS');
  // grpc-js makes such a constructor for each service, and types it no further
  return service.service as Parameters<Server['addService']>[0];
}

function listen(server: Server, tls: ServerCredentials): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.bindAsync('127.0.0.1:0', tls, (error, port) => (error === null ? resolve(port) : reject(error)));
  return promise;
}
