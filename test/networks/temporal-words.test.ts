import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { createServer as createHttp2 } from 'node:http2';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { connectTemporal } from '../../activities/temporal-link.ts';
import { freePort } from '../../infra/stack/ports.ts';
import { BackendProblem } from '../../shim/backend.ts';
import { connectBackend } from '../../shim/temporal.ts';
import { startBlackHole } from '../support/black-hole.ts';
import { listenOnLoopback } from '../support/loopback.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { createTlsAuthority, FUTURE, PAST, type PemPair, startTlsRelay } from '../support/tls-relay.ts';

type Environment = Readonly<Record<string, string>>;

/** What goes wrong, the variables of the process, what both programs say, and the code of the shim. */
type Case = readonly [
  what: string,
  environment: () => Environment | Promise<Environment>,
  says: RegExp,
  code?: 'TEMPORAL_REFUSED',
];

const SECRET = 'hunter2';

const folder = await temporaryFolder();
const stops: (() => unknown)[] = [];
const ours = createTlsAuthority();
const theirs = createTlsAuthority('another authority');
let files = 0;

async function file(content: string): Promise<string> {
  files += 1;
  const path = join(folder.path, `${files}.pem`);
  await writeFile(path, content);
  return path;
}

async function listen(server: Server): Promise<string> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => void sockets.add(socket));
  stops.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return await listenOnLoopback(server);
}

/** A server that answers every call of gRPC with this status. */
function refusing(status: number, message: string, details?: Buffer): Promise<string> {
  const said = {
    'grpc-status': `${status}`,
    'grpc-message': message,
    ...(details !== undefined && { 'grpc-status-details-bin': details.toString('base64') }),
  };
  return listen(
    createHttp2().on('stream', (stream) => {
      stream.on('error', () => {}); // a caller that gave up
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...said }, { endStream: true });
    }),
  );
}

/** `google.rpc.Status` with the detail by which Temporal says that it has no such namespace. */
function namespaceNotFound(namespace: string): Buffer {
  const field = (number: number, value: Uint8Array) => Buffer.from([(number << 3) | 2, value.length, ...value]);
  const type = 'type.googleapis.com/temporal.api.errordetails.v1.NamespaceNotFoundFailure';
  const detail = Buffer.concat([field(1, Buffer.from(type)), field(2, field(1, Buffer.from(namespace)))]);
  return Buffer.concat([Buffer.from([0x08, 5]), field(3, detail)]);
}

/** A server, or a proxy, that answers the first words with these. */
function answering(text: string): Promise<string> {
  return listen(
    createServer((socket) => {
      socket.on('error', () => {}); // a client that left
      socket.once('data', () => socket.end(text));
    }),
  );
}

/** A proxy before a server that is not on this machine. */
async function proxied(answer: string, credentials = ''): Promise<Environment> {
  const proxy = await answering(answer);
  return {
    TEMPORAL_ADDRESS: 'temporal.example:7233',
    HTTP_PROXY: `http://${credentials}${proxy}`,
    // Variables of gRPC that must not count.
    grpc_proxy: 'http://127.0.0.1:1',
    http_proxy: 'http://127.0.0.1:1',
    no_grpc_proxy: 'temporal.example',
  };
}

let relay: string;
let named: string;
let lax: string;

/** TLS variables: our authority, and the client certificate that is given. */
async function secured(client: PemPair | undefined, authority = ours.pem): Promise<Environment> {
  return {
    TEMPORAL_ADDRESS: relay,
    TEMPORAL_TLS_SERVER_CA_CERT_PATH: await file(authority),
    ...(client !== undefined && {
      TEMPORAL_TLS_CLIENT_CERT_PATH: await file(client.cert),
      TEMPORAL_TLS_CLIENT_KEY_PATH: await file(client.key),
    }),
  };
}

const good = ours.client('node-1');

const CASES: readonly Case[] = [
  [
    'refuses',
    async () => ({ TEMPORAL_ADDRESS: `127.0.0.1:${await freePort()}` }),
    /^Temporal at 127\.0\.0\.1:\d+: the server refused the connection; check TEMPORAL_ADDRESS and that Temporal runs$/,
  ],
  [
    'has no address',
    () => ({ TEMPORAL_ADDRESS: 'nowhere.invalid' }),
    /^Temporal at nowhere\.invalid:7233: the name of the server has no address \(E\w+\); check TEMPORAL_ADDRESS and DNS$/,
  ],
  [
    'accepts and never answers',
    async () => ({ TEMPORAL_ADDRESS: await hole() }),
    /the server accepted the connection and did not answer; check that Temporal is healthy/,
  ],
  [
    'does not speak gRPC',
    async () => ({ TEMPORAL_ADDRESS: await answering('HTTP/1.1 400 Bad Request\r\n\r\n') }),
    /the server does not speak gRPC; check TEMPORAL_ADDRESS/,
  ],
  [
    'is of another authority',
    () => secured(good, theirs.pem),
    /the server's certificate is not of the authority in TEMPORAL_TLS_SERVER_CA_CERT_PATH; add the authority that issued it$/,
  ],
  [
    'is of no authority of the system',
    () => ({ TEMPORAL_ADDRESS: lax, TEMPORAL_TLS: 'true' }),
    /an authority that this system does not trust; name the authority's file in TEMPORAL_TLS_SERVER_CA_CERT_PATH$/,
  ],
  [
    'has another name',
    async () => ({ ...(await secured(good)), TEMPORAL_ADDRESS: named }),
    /the server's certificate is not for 127\.0\.0\.1; set TEMPORAL_TLS_SERVER_NAME to a name in it/,
  ],
  [
    'requires a client certificate',
    () => secured(undefined),
    /the server requires a client certificate; name its files in TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH$/,
  ],
  [
    'does not know the authority of the client certificate',
    () => secured(theirs.client('node-1')),
    /the server does not accept the client certificate; use one of an authority that the server trusts$/,
  ],
  [
    'is shown an expired client certificate',
    () => secured(ours.client('node-1', PAST)),
    /the client certificate expired at \d{4}-.*Z; renew the file of TEMPORAL_TLS_CLIENT_CERT_PATH$/,
  ],
  [
    'is shown a client certificate of the future',
    () => secured(ours.client('node-1', FUTURE)),
    /the client certificate is valid only from \d{4}-.*Z; compare the clocks$/,
  ],
  [
    'speaks TLS and the client does not',
    () => ({ TEMPORAL_ADDRESS: lax }),
    /the server (?:closed the connection|requires TLS); set TEMPORAL_TLS=true/,
  ],
  [
    'does not speak TLS and the client does',
    async () => ({ ...(await secured(good)), TEMPORAL_ADDRESS: await refusing(0, '') }),
    /the server (?:does not speak TLS; unset TEMPORAL_TLS|closed the connection during the TLS handshake; check that TEMPORAL_ADDRESS is a port with TLS)/,
  ],
  [
    'has a certificate and no key',
    async () => ({ TEMPORAL_ADDRESS: relay, TEMPORAL_TLS_CLIENT_CERT_PATH: await file(good.cert) }),
    /TEMPORAL_TLS_CLIENT_CERT_PATH is set and TEMPORAL_TLS_CLIENT_KEY_PATH is not; set both$/,
  ],
  [
    'has the key of another certificate',
    () => secured({ cert: good.cert, key: ours.client('other').key }),
    /the client certificate of Temporal and its key do not belong together; write both files of one renewal$/,
  ],
  [
    'has half a key',
    () => secured({ cert: good.cert, key: good.key.slice(0, 80) }),
    /TEMPORAL_TLS_CLIENT_KEY is not a private key as PEM; write the whole key$/,
  ],
  [
    'has half a certificate',
    () => secured({ ...good, cert: good.cert.slice(0, -80) }),
    /TEMPORAL_TLS_CLIENT_CERT is not a list of whole certificates as PEM; write the whole file$/,
  ],
  [
    'has an empty file of authorities',
    () => secured(good, ''),
    /TEMPORAL_TLS_SERVER_CA_CERT is not a list of whole certificates as PEM/,
  ],
  [
    'has a file that is not there',
    async () => ({ ...(await secured(good)), TEMPORAL_TLS_SERVER_CA_CERT_PATH: '/no/such/ca.pem' }),
    /TEMPORAL_TLS_SERVER_CA_CERT_PATH, \/no\/such\/ca\.pem, could not be read: ENOENT; correct the path or the file$/,
  ],
  [
    'has an address that is a URL',
    () => ({ TEMPORAL_ADDRESS: 'https://temporal.example:7233' }),
    /TEMPORAL_ADDRESS is not HOST:PORT: "https:\/\/temporal\.example:7233"; set it to a value such as/,
  ],
  [
    'does not know the namespace',
    async () => ({
      TEMPORAL_ADDRESS: await refusing(5, 'Namespace team-a is not found.', namespaceNotFound('team-a')),
      TEMPORAL_NAMESPACE: 'team-a',
    }),
    /[Nn]amespace.*team-a.*; create the namespace team-a, or correct TEMPORAL_NAMESPACE$/,
    'TEMPORAL_REFUSED',
  ],
  [
    'does not permit the client',
    async () => ({ TEMPORAL_ADDRESS: await refusing(7, 'Request unauthorized.') }),
    /Request unauthorized\.; permit the namespace default to the client certificate, or correct TEMPORAL_NAMESPACE$/,
    'TEMPORAL_REFUSED',
  ],
  [
    'does not know the caller',
    async () => ({ TEMPORAL_ADDRESS: await refusing(16, 'no such client') }),
    /no such client; set TEMPORAL_API_KEY, or the files of TEMPORAL_TLS_\*$/,
    'TEMPORAL_REFUSED',
  ],
  [
    'does not accept the API key',
    async () => ({
      TEMPORAL_ADDRESS: await refusing(16, 'invalid key'),
      TEMPORAL_API_KEY: SECRET,
      TEMPORAL_TLS: 'false',
    }),
    /invalid key; renew the API key \(TEMPORAL_API_KEY\)$/,
    'TEMPORAL_REFUSED',
  ],
  [
    'is behind a proxy that wants credentials',
    () => proxied('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n'),
    /^Temporal at temporal\.example:7233 through the proxy 127\.0\.0\.1:\d+: the proxy requires credentials \(407\); put them into HTTP_PROXY as http:\/\/USER:PASSWORD@HOST:PORT$/,
  ],
  [
    'is behind a proxy that does not take the credentials',
    () => proxied('HTTP/1.1 407 No\r\n\r\n', `user:${SECRET}@`),
    /the proxy does not accept the credentials of HTTP_PROXY \(407\); correct them$/,
  ],
  [
    'is behind a proxy that does not permit it',
    () => proxied('HTTP/1.1 403 Forbidden\r\n\r\n'),
    /the proxy does not permit this connection \(403\); allow CONNECT to temporal\.example:7233 there, or list the host in NO_PROXY$/,
  ],
  [
    'is not reached by its proxy',
    () => proxied('HTTP/1.1 502 Bad Gateway\r\n\r\n'),
    /the proxy does not reach the server \(502\); check TEMPORAL_ADDRESS and the network of the proxy$/,
  ],
  [
    'is behind something that is not a proxy',
    () => proxied('hello\r\n\r\n'),
    /the proxy did not answer CONNECT with HTTP; check that HTTP_PROXY names an HTTP proxy$/,
  ],
  ['is behind a proxy that hangs up', () => proxied(''), /the proxy did not answer CONNECT with HTTP/],
  [
    'is behind a proxy that is not there',
    () => ({ TEMPORAL_ADDRESS: 'temporal.example', HTTP_PROXY: '127.0.0.1:1' }),
    /the proxy refused the connection; check HTTP_PROXY and that the proxy runs$/,
  ],
  [
    'is behind a proxy that never answers',
    async () => ({ TEMPORAL_ADDRESS: 'temporal.example', HTTP_PROXY: `user:${SECRET}@${await hole()}` }),
    /^Temporal at temporal\.example:7233 through the proxy 127\.0\.0\.1:\d+: the proxy accepted the connection and did not answer; check that the proxy is healthy/,
  ],
  [
    'is behind a proxy whose name is wrong',
    () => ({ TEMPORAL_ADDRESS: 'temporal.example', HTTP_PROXY: `http://user:${SECRET}@proxy.invalid:3128` }),
    /the name of the proxy has no address \(E\w+\); check HTTP_PROXY and DNS$/,
  ],
  [
    'is behind a proxy with TLS',
    () => ({ TEMPORAL_ADDRESS: 'temporal.example', HTTP_PROXY: `https://user:${SECRET}@proxy.example` }),
    /the proxy proxy\.example:443 is reached by TLS, which connections to Temporal do not support; name a proxy at http:\/\/, or list temporal\.example in NO_PROXY$/,
  ],
  [
    'is behind a proxy that is not a URL',
    () => ({ TEMPORAL_ADDRESS: 'temporal.example', HTTP_PROXY: `socks5://user:${SECRET}@proxy` }),
    /HTTP_PROXY: only proxies at http:\/\/ and https:\/\/ are supported; set it to a URL/,
  ],
];

async function hole(): Promise<string> {
  const started = await startBlackHole();
  stops.push(started.stop);
  return started.address;
}

before(async () => {
  Runtime.install({ shutdownSignals: [], logger: new DefaultLogger('ERROR') });
  const target = await refusing(0, '');
  for (const [options, set] of [
    [{ ...ours.server(), ca: ours.pem }, (address: string) => (relay = address)],
    [{ ...ours.server('temporal.example'), ca: ours.pem }, (address: string) => (named = address)],
    [ours.server(), (address: string) => (lax = address)],
  ] as const) {
    const started = await startTlsRelay(target, options);
    set(started.address);
    stops.push(started.stop);
  }
});
after(async () => {
  for (const stop of stops) await stop();
  await folder[Symbol.asyncDispose]();
});

/** Runs with these variables only, of those that count here. */
async function withEnvironment<T>(environment: Environment, run: () => Promise<T>): Promise<T> {
  const kept = { ...process.env };
  for (const name of Object.keys(kept)) if (/^TEMPORAL_|proxy$/i.test(name)) delete process.env[name];
  Object.assign(process.env, { TEMPORAL_CONFIG_FILE: '/no/such/file', ...environment });
  try {
    return await run();
  } finally {
    for (const name of Object.keys(process.env)) if (!(name in kept)) delete process.env[name];
    Object.assign(process.env, kept);
  }
}

async function whatShimSays(): Promise<{ readonly code: string; readonly message: string }> {
  const backend = connectBackend('nobody');
  try {
    const asked = backend.exists('verify/x', Date.now() + 1_200);
    const error = await asked.then(
      () => undefined,
      (problem: unknown) => problem,
    );
    assert.ok(error instanceof BackendProblem, `expected a problem, found ${String(error)}`);
    return error;
  } finally {
    await backend.close();
  }
}

async function whatWorkerSays(): Promise<string> {
  const stop = new AbortController();
  const said = Promise.withResolvers<string>();
  const running = connectTemporal(
    process.env,
    (level, message, fields) => {
      assert.deepEqual([level, message], ['warn', 'Temporal is not there yet']);
      said.resolve('error' in fields ? String(fields.error) : '');
      stop.abort();
    },
    stop.signal,
  );
  const link = await running;
  if (link === undefined) return await said.promise;
  await link.close();
  throw new Error('expected no connection, found one');
}

describe('what a person reads when Temporal', () => {
  for (const [what, environment, says, code = 'TEMPORAL_UNREACHABLE'] of CASES) {
    it(what, { timeout: 30_000 }, async () => {
      const variables = await environment();
      const [shim, worker] = await withEnvironment(variables, async () => [
        await whatShimSays(),
        await whatWorkerSays(),
      ]);
      assert.equal(shim.code, code, shim.message);
      for (const message of [shim.message, worker]) {
        assert.match(message, says);
        assert.doesNotMatch(message, /[\r\n]|hunter2|BEGIN/);
      }
    });
  }
});
