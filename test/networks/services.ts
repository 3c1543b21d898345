import { generateKeyPairSync } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { ServerCredentials } from '@grpc/grpc-js';
import { targetsOf } from '../activities/trust/setting.ts';
import { TufRepository } from '../activities/trust/tuf-repository.ts';
import { startTufServer } from '../activities/trust/tuf-server.ts';
import { KmsOwner } from '../support/kms/owner.ts';
import { startKms } from '../support/kms/server.ts';
import { startAzureDouble } from '../support/kms-doubles/azure.ts';
import { startGcpDouble } from '../support/kms-doubles/gcp.ts';
import { listenOnLoopback } from '../support/loopback.ts';
import { startFakeRegistry } from '../support/registry.ts';
import { pushImage } from '../support/registry-push.ts';
import type { Identity } from './authorities.ts';
import type { WorkerClient } from './cells.ts';
import type { Received, Reply } from './front.ts';

/** The services behind the fronts, and what a client has to know to ask one. */
export interface Service {
  /** `http://127.0.0.1:port` */
  readonly upstream: string;
  readonly subject: (origin: URL) => string;
  readonly env: (origin: URL, folder: string) => Readonly<Record<string, string>>;
  /** Writes the files of the client. */
  readonly files: (origin: URL, folder: string, credential: string) => Promise<void>;
  /** The credential that a request shows, and how the service refuses one. Without it there is no credential. */
  readonly credential?: { readonly of: (request: Received) => string | undefined; readonly refusal: Reply };
}

export type Services = Readonly<Record<Exclude<WorkerClient, 'Google Cloud KMS'>, Service>>;

export const GCP_KEY = 'projects/p/locations/global/keyRings/r/cryptoKeys/release';
/** What the token service gives. */
export const REGISTRY_TOKEN = 'a-token';
const nothing = async () => {};

/** Starts all of them; each has one image, key or file. */
export async function startServices(stack: AsyncDisposableStack): Promise<Services> {
  const keep = <T extends { stop(): Promise<void> }>(service: T): T => {
    stack.defer(() => service.stop());
    return service;
  };
  const registry = keep(await startFakeRegistry());
  const image = await pushImage({ address: registry.address, repository: 'demo/app' }, 'v1');
  const repository = new TufRepository({ targets: targetsOf() });
  const tuf = keep(await startTufServer(repository.files));
  const kms = keep(await startKms());
  const owner = new KmsOwner(kms.url);
  const key = await owner.create('ECC_NIST_P256');
  owner.close();
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const azure = stack.use(await startAzureDouble());
  azure.keys.set('release', [{ version: '1'.repeat(32), privateKey }]);
  const simple = async (answer: (path: string) => Reply) => `http://${await startSimple(stack, answer)}`;

  const pem = publicKey.export({ type: 'spki', format: 'pem' });
  const vaultKey = { type: 'ecdsa-p256', keys: { 1: { public_key: pem } }, min_decryption_version: 1 };
  const common = { upstream: `http://${registry.address}`, subject: () => image, env: () => ({}) };
  const aws = {
    ...{
      AWS_REGION: 'eu-west-1',
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_ROLE_ARN: '',
      AWS_WEB_IDENTITY_TOKEN_FILE: '',
    },
    AWS_SHARED_CREDENTIALS_FILE: '/nonexistent',
  };
  const vault = (origin: URL) => `azurekms://${origin.host}/release`;
  return {
    registry: {
      ...common,
      files: (origin, folder, password) => dockerConfig(folder, origin, password),
      credential: { of: basicPassword, refusal: challenge('Basic realm="r"') },
    },
    'registry with TLS of its own': {
      ...common,
      files: nothing, // each condition writes its own hosts.toml
      credential: { of: ({ client }) => client, refusal: json(403, { errors: [{ code: 'DENIED' }] }) },
    },
    token: {
      ...{ upstream: await simple(() => json(200, { token: REGISTRY_TOKEN })), subject: () => image, env: () => ({}) },
      files: (origin, folder, password) => dockerConfig(folder, origin, password),
      credential: { of: basicPassword, refusal: challenge('Basic realm="t"') },
    },
    TUF: {
      ...{ upstream: tuf.url.origin, subject: () => '', env: () => ({}) },
      files: (_, folder) => writeFile(join(folder, 'root.json'), repository.initialRoot),
    },
    'Rekor v1': {
      ...{ upstream: await simple(() => json(200, { treeSize: 1 })), subject: () => 'api/v1/log', env: () => ({}) },
      files: nothing,
    },
    'Rekor v2': {
      ...{ upstream: await simple(() => plain('a checkpoint\n')), subject: () => 'checkpoint', env: () => ({}) },
      files: nothing,
    },
    'AWS KMS': {
      ...{ upstream: kms.url, subject: () => `awskms:///${key.arn}` },
      env: (origin, folder) => ({
        ...{ ...aws, AWS_ENDPOINT_URL_KMS: origin.origin, AWS_SHARED_CREDENTIALS_FILE: join(folder, 'credentials') },
      }),
      files: (_, folder, id) =>
        writeFile(join(folder, 'credentials'), `[default]\naws_access_key_id=${id}\naws_secret_access_key=s\n`),
      credential: {
        of: ({ headers }) => /Credential=([^/]+)\//.exec(headers.authorization ?? '')?.[1],
        refusal: json(400, { __type: 'ExpiredTokenException', message: 'The security token is expired' }),
      },
    },
    'AWS STS': {
      ...{ upstream: await simple(() => assumedRole()), subject: () => `awskms:///${key.arn}` },
      env: (origin, folder) => ({
        ...{ ...aws, AWS_ENDPOINT_URL_STS: origin.origin, AWS_ENDPOINT_URL_KMS: kms.url },
        ...{
          AWS_ROLE_ARN: 'arn:aws:iam::111122223333:role/worker',
          AWS_WEB_IDENTITY_TOKEN_FILE: join(folder, 'token'),
        },
      }),
      files: (_, folder, token) => writeFile(join(folder, 'token'), token),
      credential: {
        of: ({ body }) => new URLSearchParams(body.toString()).get('WebIdentityToken') ?? undefined,
        refusal: xml(
          400,
          '<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredTokenException</Code><Message>expired</Message></Error></ErrorResponse>',
        ),
      },
    },
    'Google tokens': {
      upstream: await simple(() =>
        json(200, { access_token: 'a', issued_token_type: 't', token_type: 'Bearer', expires_in: 1 }),
      ),
      subject: () => `gcpkms://${GCP_KEY}`,
      env: (_, folder) => ({ GOOGLE_APPLICATION_CREDENTIALS: join(folder, 'adc.json'), GOOGLE_CLOUD_PROJECT: 'p' }),
      files: googleFiles,
      credential: {
        of: ({ body }) => new URLSearchParams(body.toString()).get('subject_token') ?? undefined,
        refusal: json(400, { error: 'invalid_grant', error_description: 'the token has expired' }),
      },
    },
    'Azure Key Vault': { ...{ upstream: `http://${azure.address}`, subject: vault, env: () => ({}), files: nothing } },
    'Azure tokens': {
      upstream: await simple(() =>
        json(200, {
          access_token: 'a',
          expires_on: String(Math.floor(Date.now() / 1000) + 60),
          resource: 'r',
          token_type: 'Bearer',
        }),
      ),
      subject: vault,
      env: (origin) => ({ IDENTITY_ENDPOINT: `${origin.origin}/msi/token`, IDENTITY_HEADER: 'secret' }),
      files: nothing,
    },
    Vault: {
      ...{ upstream: await simple(() => json(200, { data: vaultKey })), subject: () => 'hashivault://release' },
      env: (origin) => ({ VAULT_ADDR: origin.origin }),
      files: (_, folder, token) => writeFile(join(folder, '.vault-token'), token),
      credential: {
        of: ({ headers }) => headers.authorization?.replace('Bearer ', ''),
        refusal: json(403, { errors: ['2 errors occurred: permission denied, invalid token'] }),
      },
    },
  };
}

/** Google Cloud KMS, which is no HTTP service that a front could stand before: gRPC with TLS of its own. */
export async function startGoogle(stack: AsyncDisposableStack, { cert, key }: Identity, clients?: string) {
  const pair = [{ cert_chain: Buffer.from(cert), private_key: Buffer.from(key) }];
  const authority = clients === undefined ? null : Buffer.from(clients);
  const double = stack.use(await startGcpDouble(ServerCredentials.createSsl(authority, pair, clients !== undefined)));
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  double.keys.set(GCP_KEY, new Map([[1, { state: 'ENABLED', algorithm: 'EC_SIGN_P256_SHA256', privateKey }]]));
  return double;
}

/** A service account, whose key file signs what Google Cloud KMS is shown: no token service is asked. */
export async function googleAccount(folder: string, keyId: string): Promise<void> {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const account = {
    ...{
      type: 'service_account',
      project_id: 'p',
      client_email: 'worker@p.iam.gserviceaccount.com',
      private_key_id: keyId,
    },
    private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  };
  await writeFile(join(folder, 'adc.json'), JSON.stringify(account));
}

/** Whether a token of such an account was signed by this key of its. */
export function isSignedBy(authorization: string, keyId: string): boolean {
  const [header = ''] = authorization.replace('Bearer ', '').split('.');
  return Buffer.from(header, 'base64url').toString().includes(`"${keyId}"`);
}

/** Federated credentials, as outside of Google Cloud: a token in a file is exchanged at `origin`. */
export async function googleFiles(origin: URL, folder: string, token: string): Promise<void> {
  await writeFile(join(folder, 'subject'), token);
  const adc = {
    ...{ type: 'external_account', audience: 'a', subject_token_type: 'urn:ietf:params:oauth:token-type:jwt' },
    ...{ token_url: `${origin.origin}/v1/token`, credential_source: { file: join(folder, 'subject') } },
  };
  await writeFile(join(folder, 'adc.json'), JSON.stringify(adc));
}

async function startSimple(stack: AsyncDisposableStack, answer: (path: string) => Reply): Promise<string> {
  const server: Server = createServer((request, response) => {
    void buffer(request).then(() => {
      const { status, headers, body } = answer(request.url ?? '/');
      response.writeHead(status, headers).end(body);
    });
  });
  stack.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  return await listenOnLoopback(server);
}

async function dockerConfig(folder: string, origin: URL, password: string): Promise<void> {
  const auth = Buffer.from(`robot:${password}`).toString('base64');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'config.json'), JSON.stringify({ auths: { [origin.host]: { auth } } }));
}

function basicPassword({ headers, body }: Received): string | undefined {
  const form = new URLSearchParams(body.toString()).get('password');
  if (form !== null) return form;
  const [, encoded = ''] = /^Basic (.*)$/.exec(headers.authorization ?? '') ?? [];
  return Buffer.from(encoded, 'base64').toString().split(':')[1];
}

function assumedRole(): Reply {
  const until = new Date(Date.now() + 60_000).toISOString();
  const credentials = `<Credentials><AccessKeyId>AKIDROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>${until}</Expiration></Credentials>`;
  const name = 'AssumeRoleWithWebIdentity';
  const space = 'https://sts.amazonaws.com/doc/2011-06-15/';
  return xml(200, `<${name}Response xmlns="${space}"><${name}Result>${credentials}</${name}Result></${name}Response>`);
}

export function challenge(header: string): Reply {
  const { body } = json(401, { errors: [{ code: 'UNAUTHORIZED' }] });
  return { status: 401, headers: { 'www-authenticate': header }, body };
}

export function json(status: number, body: unknown): Reply {
  return { status, headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(body)) };
}

function xml(status: number, body: string): Reply {
  return { status, headers: { 'content-type': 'text/xml' }, body: Buffer.from(body) };
}

function plain(body: string): Reply {
  return { status: 200, headers: { 'content-type': 'text/plain' }, body: Buffer.from(body) };
}
