import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { after, before, beforeEach } from 'node:test';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { connections, createConnections, useConnections } from '../../../activities/http/connections.ts';
import { parseDestinations, useDestinations } from '../../../activities/http/destinations.ts';
import { createNameLookup } from '../../../activities/http/name-lookup.ts';
import { createAwsKeyManager } from '../../../activities/kms/aws/manager.ts';
import { createAzureKeyManager } from '../../../activities/kms/azure/manager.ts';
import { createGcpKeyManager } from '../../../activities/kms/gcp/manager.ts';
import { createVaultKeyManager } from '../../../activities/kms/vault/manager.ts';
import { anonymous } from '../../../activities/registry/credentials/credential.ts';
import type { RegistryEndpoint } from '../../../activities/registry/endpoints/endpoints.ts';
import { createRegistry } from '../../../activities/registry/registry.ts';
import { askerOf } from '../../../activities/rekor/ask.ts';
import { httpMirror } from '../../../activities/trust/tuf/mirror.ts';
import type { ProxyEnvironment } from '../../../workflows/format/proxy.ts';
import { type ConnectProxy, type ConnectProxyOptions, startConnectProxy } from '../../support/connect-proxy.ts';
import { listenOnLoopback } from '../../support/loopback.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { loopbackCertificates, newAuthority } from '../../support/tls-front.ts';

const NAMES = ['registry.test', 'own.test', 'token.test', 'tuf.test', 'log.test', 'vault.test', 'kms.test', 'sts.test'];
const AZURE = ['portcullis.vault.azure.net', 'login.microsoftonline.com'];
const GOOGLE = ['cloudkms.googleapis.com', 'oauth2.googleapis.com'];
/** Every name that this setting serves. */
export const SERVED = [...NAMES, ...AZURE, ...GOOGLE];
const authority = newAuthority('public authority');
const ownAuthority = newAuthority('own authority');
export const certificates = loopbackCertificates(authority, SERVED);
const own = loopbackCertificates(ownAuthority, NAMES);
const { publicKey } = generateKeyPairSync('ed25519');
const STS = `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult>
<Credentials><AccessKeyId>AKID</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>
<Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`;

export let ports: { readonly plain: string; readonly secure: string; readonly own: string };
export let proxy: ConnectProxy;
/** May change under way. */
export const behaviour: ConnectProxyOptions = { route: (hostPort) => `127.0.0.1:${localPort(hostPort)}` };
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const servers: Server[] = [];
/** `Host` and path of each request that a server got. */
const arrived: string[] = [];

const localPort = (hostPort: string) => (hostPort.endsWith(':443') ? ports.secure : hostPort.split(':').at(-1));

/** All services of the test, by the name under which they are asked. */
function serve(incoming: IncomingMessage, response: ServerResponse): void {
  const { host = '', authorization } = incoming.headers;
  const name = host.split(':')[0] ?? '';
  arrived.push(`${name} ${incoming.url}`);
  const json = (value: unknown, status = 200) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  switch (name) {
    case 'registry.test':
    case 'own.test':
      if (authorization === 'Bearer t') json({ a: 'manifest' });
      else {
        const realm = `https://token.test:${ports.secure}/token`;
        response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}"` }).end();
      }
      return;
    case 'token.test':
      json({ token: 't' });
      return;
    case 'vault.test':
      json({ errors: [] }, 404);
      return;
    case 'kms.test':
      json({ __type: 'NotFoundException' }, 400);
      return;
    case 'sts.test':
      response.end(STS);
      return;
    case 'portcullis.vault.azure.net': {
      const challenge =
        'Bearer authorization="https://login.microsoftonline.com/00000000-0000-0000-0000-000000000001", resource="https://vault.azure.net"';
      response.writeHead(401, { 'www-authenticate': challenge }).end();
      return;
    }
    case 'oauth2.googleapis.com':
      json({ access_token: 'x', expires_in: 3600, token_type: 'Bearer' });
      return;
    case 'cloudkms.googleapis.com':
      json({ error: { code: 404, status: 'NOT_FOUND', message: 'none' } }, 404);
      return;
    default:
      json({});
  }
}

const usualAuthorities = getCACertificates('default');
const usualConnections = useConnections(createConnections(createNameLookup()));
const VARIABLES = {
  ...{ AWS_REGION: 'eu-west-1', AWS_ROLE_ARN: 'arn:aws:iam::111122223333:role/r', AWS_EC2_METADATA_DISABLED: 'true' },
  ...{
    AZURE_TENANT_ID: '00000000-0000-0000-0000-000000000001',
    AZURE_CLIENT_ID: 'c',
    AZURE_CLIENT_SECRET: 'not-a-secret',
  },
};

before(async () => {
  setDefaultCACertificates([...usualAuthorities, authority.pem]);
  folder = await temporaryFolder();
  const hosts = SERVED.map((name) => `127.0.0.1 ${name}\n`).join('');
  await writeFile(join(folder.path, 'hosts'), hosts);
  await writeFile(join(folder.path, 'token'), 'web-identity');
  const user = { type: 'authorized_user', client_id: 'c', client_secret: 'not-a-secret', refresh_token: 'r' };
  await writeFile(join(folder.path, 'google.json'), JSON.stringify(user));
  const start = async (server: Server) => {
    servers.push(server);
    return (await listenOnLoopback(server)).split(':')[1] ?? '';
  };
  const client = { ca: ownAuthority.pem, requestCert: true };
  ports = {
    plain: await start(createServer(serve)),
    secure: await start(createHttpsServer(certificates.server, serve)),
    own: await start(createHttpsServer({ ...own.server, ...client }, serve)),
  };
  Object.assign(process.env, VARIABLES, {
    GOOGLE_APPLICATION_CREDENTIALS: join(folder.path, 'google.json'),
    AWS_WEB_IDENTITY_TOKEN_FILE: join(folder.path, 'token'),
    AWS_ENDPOINT_URL_KMS: `https://kms.test:${ports.secure}`,
    AWS_ENDPOINT_URL_STS: `https://sts.test:${ports.secure}`,
  });
  proxy = await startConnectProxy(behaviour);
});
after(async () => {
  setDefaultCACertificates(usualAuthorities);
  useConnections(usualConnections);
  for (const server of servers) server.close();
  await proxy.stop();
  await folder[Symbol.asyncDispose]();
});
beforeEach(() => {
  arrived.length = 0;
  behaviour.refusal = undefined;
});

/** Connections as a worker has them whose environment has these variables. */
export function use(environment: ProxyEnvironment): void {
  const listed = parseDestinations(SERVED);
  assert.ok(!('unknown' in listed));
  useDestinations(listed);
  const options = {
    hostsFile: join(folder.path, 'hosts'),
    resolvConf: '/nonexistent',
    servers: ['127.0.0.1:9'],
    timeoutMs: 500,
  };
  useConnections(createConnections(createNameLookup(options), environment));
}

export const signal = () => AbortSignal.timeout(10_000);

function registryAt(url: string, tls?: RegistryEndpoint['tls']) {
  const endpoints = () => [{ url: new URL(url), origin: true, ...(tls !== undefined && { tls }) }];
  return createRegistry({ endpoints, credentials: anonymous });
}
export const manifest = (url: string, tls?: RegistryEndpoint['tls']) =>
  registryAt(url, tls).getManifest({ registry: 'registry.test', repository: 'demo/app' }, 'v1', signal());

export interface ClientOfWorker {
  readonly what: string;
  /** As a proxy sees them; `PORT` is the one of the TLS server. */
  readonly targets: readonly string[];
  readonly ask: () => Promise<unknown>;
  /** Whether the servers here are all that it needs. */
  readonly succeeds: boolean;
}

export const CLIENTS: readonly ClientOfWorker[] = [
  {
    what: 'a registry, and its token service',
    targets: ['registry.test:PORT', 'token.test:PORT'],
    ask: () => manifest(`https://registry.test:${ports.secure}/`),
    succeeds: true,
  },
  {
    what: 'a registry over plain HTTP',
    targets: ['http://registry.test:PLAIN/v2/demo/app/manifests/v1', 'token.test:PORT'],
    ask: () => manifest(`http://registry.test:${ports.plain}/`),
    succeeds: true,
  },
  {
    what: 'a registry with an authority and a client certificate of its own',
    targets: ['own.test:OWN', 'token.test:PORT'],
    ask: () => {
      const clients = [{ certificate: own.client.cert, key: own.client.key }];
      return manifest(`https://own.test:${ports.own}/`, {
        authorities: [ownAuthority.pem],
        clients,
        skipVerify: false,
      });
    },
    succeeds: true,
  },
  {
    what: 'a mirror of a trust root',
    targets: ['tuf.test:PORT'],
    ask: () => httpMirror(new URL(`https://tuf.test:${ports.secure}/`)).get('1.root.json', 100, signal()),
    succeeds: true,
  },
  {
    what: 'a transparency log',
    targets: ['log.test:PORT'],
    ask: () => {
      const log = {
        id: 'aa',
        publicKey,
        version: 'v1',
        origin: undefined,
        validFrom: 0,
        validUntil: undefined,
      } as const;
      const ask = askerOf(
        { ...log, baseUrl: new URL(`https://log.test:${ports.secure}`) },
        { requestTimeoutMs: 5_000, now: Date.now },
      );
      return ask({ path: 'api/v1/log', maxBytes: 100 }, signal());
    },
    succeeds: true,
  },
  {
    what: 'Vault',
    targets: ['vault.test:PORT'],
    ask: () => {
      const manager = createVaultKeyManager({ VAULT_ADDR: `https://vault.test:${ports.secure}`, VAULT_TOKEN: 't' });
      return manager.describe({ provider: 'hashivault', uri: 'hashivault://k' }, signal());
    },
    succeeds: true,
  },
  {
    what: 'AWS KMS, and STS for its credentials',
    targets: ['sts.test:PORT', 'kms.test:PORT'],
    ask: () => createAwsKeyManager().describe({ provider: 'awskms', uri: 'awskms:///alias/k' }, signal()),
    succeeds: true,
  },
  {
    what: 'Azure Key Vault, and the token endpoint for its credentials',
    targets: ['portcullis.vault.azure.net:443', 'login.microsoftonline.com:443'],
    ask: () =>
      createAzureKeyManager().describe(
        { provider: 'azurekms', uri: 'azurekms://portcullis.vault.azure.net/k' },
        signal(),
      ),
    succeeds: false,
  },
];

/** Asks Google Cloud KMS; where no proxy applies, a server here instead of the real service. */
export async function askGoogle(): Promise<unknown> {
  const isDirect = connections().proxyOf(new URL('https://cloudkms.googleapis.com/')).kind === 'direct';
  const options = isDirect ? { apiEndpoint: 'localhost', port: Number(ports.secure) } : {};
  const uri = 'gcpkms://projects/p/locations/l/keyRings/r/cryptoKeys/k';
  return await createGcpKeyManager(options).describe({ provider: 'gcpkms', uri }, signal());
}
