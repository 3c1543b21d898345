import { createPublicKey, type KeyObject } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AzureSettings } from '../../../activities/kms/azure/api.ts';
import { fromDer, toDer } from '../../../activities/kms/ecdsa-encoding.ts';
import { signByAlgorithm, verifyByAlgorithm } from '../kms/signing.ts';
import { listenOnLoopback } from '../loopback.ts';

export const VAULT = 'portcullis.vault.azure.net';

/** A version of a key as its owner sees it. Times are in seconds since 1970, as Azure has them. */
export interface AzureVersion {
  readonly version: string;
  readonly privateKey: KeyObject;
  readonly attributes?: { readonly enabled?: boolean; readonly nbf?: number; readonly exp?: number };
  readonly kty?: string;
  readonly operations?: readonly string[];
  /** Of the public key, in the answer. */
  readonly bend?: Readonly<Record<string, unknown>>;
}

/** Azure Key Vault over its REST API (7.6), with what a worker may ask of it. */
export interface AzureDouble extends AsyncDisposable {
  /** Versions of each key, oldest first. */
  readonly keys: Map<string, readonly AzureVersion[]>;
  readonly deleted: Set<string>;
  /** The data actions that the caller has. */
  readonly permissions: Set<string>;
  /** The data action of each call that came with a token, in order. */
  readonly calls: string[];
  /** Method and path of each of them, with placeholders as in Azure's REST reference. */
  readonly requests: string[];
  /** Answers every call instead. */
  fault: ((response: ServerResponse) => void) | undefined;
  /** A token that is good no more. */
  refuses: string | undefined;
  /** With them Azure's own client comes here, whatever the vault, over plain HTTP at the last step. */
  readonly settings: AzureSettings;
  /** `127.0.0.1:port` */
  readonly address: string;
}

const ACTIONS = 'Microsoft.KeyVault/vaults/keys';
export const AZURE_PERMISSIONS = [`${ACTIONS}/read`, `${ACTIONS}/verify/action`, `${ACTIONS}/sign/action`];

export async function startAzureDouble(): Promise<AzureDouble> {
  const server = createServer((request, response) => void answer(double, request, response));
  const address = await listenOnLoopback(server);
  const double: AzureDouble = {
    address,
    keys: new Map(),
    deleted: new Set(),
    permissions: new Set(AZURE_PERMISSIONS),
    calls: [],
    requests: [],
    fault: undefined,
    refuses: undefined,
    settings: {
      credential: () => ({ getToken }),
      client: { additionalPolicies: [{ policy: redirectTo(address), position: 'perRetry' }] },
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
  return double;
}

async function getToken() {
  return { token: 'a-secret-token', expiresOnTimestamp: Date.now() + 3_600_000 };
}

type Policies = NonNullable<NonNullable<AzureSettings['client']>['additionalPolicies']>;

function redirectTo(address: string): Policies[number]['policy'] {
  return {
    name: 'double',
    async sendRequest(request, next) {
      const { url } = request;
      const { pathname, search } = new URL(url);
      request.url = `http://${address}${pathname}${search}`;
      request.allowInsecureConnection = true;
      try {
        return await next(request);
      } finally {
        // What comes before this step is to know of no other address.
        request.url = url;
      }
    },
  };
}

async function answer(double: AzureDouble, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await readJson(request);
  // Who comes by another name, through a front of a test, sees that name.
  const { host = VAULT, authorization } = request.headers;
  const vault = host === double.address ? VAULT : host;
  if (authorization === undefined || authorization === `Bearer ${double.refuses}`) {
    const resource = host === double.address ? 'vault.azure.net' : host;
    const challenge = `Bearer authorization="https://login.microsoftonline.com/t", resource="https://${resource}"`;
    return send(response, 401, { error: { code: 'Unauthorized' } }, { 'www-authenticate': challenge });
  }
  const [, room, name = '', version = '', operation = 'read'] = new URL(
    request.url ?? '',
    'http://double',
  ).pathname.split('/');
  const permission = operation === 'read' ? AZURE_PERMISSIONS[0] : `${ACTIONS}/${operation}/action`;
  double.calls.push(permission ?? '');
  const shown = operation === 'read' ? '' : `/{key-version}/${operation}`;
  double.requests.push(`${request.method} /${room}/{key-name}${shown}`);
  if (double.fault !== undefined) return double.fault(response);
  if (!mayDo(double.permissions, permission ?? '')) return send(response, 403, { error: { code: 'Forbidden' } });
  const versions = double.keys.get(name) ?? [];
  const found = version === '' ? versions.at(-1) : versions.find((one) => one.version === version);
  if (room === 'deletedkeys') {
    if (!double.deleted.has(name)) return send(response, 404, { error: { code: 'KeyNotFound' } });
    return send(response, 200, { recoveryId: `https://${vault}/deletedkeys/${name}`, ...bundle(vault, name, found) });
  }
  if (found === undefined || double.deleted.has(name)) return send(response, 404, { error: { code: 'KeyNotFound' } });
  if (operation === 'read') return send(response, 200, bundle(vault, name, found));
  send(response, 200, use(found, operation, body));
}

/** Who may read an asymmetric key may verify by it: Azure's permissions reference, `keys/verify/action`. */
function mayDo(permissions: ReadonlySet<string>, permission: string): boolean {
  const [read = '', verify] = AZURE_PERMISSIONS;
  return permissions.has(permission) || (permission === verify && permissions.has(read));
}

function bundle(vault: string, name: string, found: AzureVersion | undefined) {
  if (found === undefined) return {};
  const { version, privateKey, attributes, kty, operations = ['sign', 'verify'], bend } = found;
  const jwk = createPublicKey(privateKey).export({ format: 'jwk' });
  const kid = `https://${vault}/keys/${name}/${version}`;
  return {
    key: { kid, ...jwk, kty: kty ?? jwk.kty, key_ops: operations, ...bend },
    attributes: { enabled: true, created: 1, updated: 1, recoveryLevel: 'Recoverable', ...attributes },
  };
}

/** Only digests come here; ECDSA signatures are two numbers. */
function use({ privateKey }: AzureVersion, operation: string, body: Readonly<Record<string, string>>): object {
  const algorithm = plainName(body['alg'] ?? '');
  const isEcdsa = algorithm.startsWith('ECDSA');
  const bytes = (field: string) => Buffer.from(body[field] ?? '', 'base64url');
  if (operation === 'sign') {
    const made = signByAlgorithm(privateKey, algorithm, bytes('value'), true);
    const size = { 'P-256': 32, 'P-384': 48, 'P-521': 66 }[privateKey.export({ format: 'jwk' }).crv ?? ''] ?? 0;
    const value = isEcdsa ? fromDer(made, size) : made;
    return { kid: 'k', value: Buffer.from(value ?? []).toString('base64url') };
  }
  const signature = isEcdsa ? Buffer.from(toDer(bytes('value')) ?? []) : bytes('value');
  return { value: verifyByAlgorithm(privateKey, algorithm, bytes('digest'), true, signature) };
}

/** `signByAlgorithm` knows the names of AWS. */
function plainName(alg: string): string {
  const family = { ES: 'ECDSA', RS: 'RSASSA_PKCS1_V1_5', PS: 'RSASSA_PSS' }[alg.slice(0, 2)];
  return `${family}_SHA_${alg.slice(2)}`;
}

async function readJson(request: IncomingMessage): Promise<Readonly<Record<string, string>>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return chunks.length === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString('utf8'));
}

export function send(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}
