import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../../../infra/stack/ports.ts';
import { startBlackHole } from '../../support/black-hole.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { createTlsAuthority, FUTURE, PAST, type PemPair, startTlsRelay } from '../../support/tls-relay.ts';
import { answering, namespaceNotFound, refusing, stops } from './doubles.ts';
import type { Environment } from './scene.ts';

/** What goes wrong, the variables of the process, what both programs say, and the code of the shim. */
export type Case = readonly [
  what: string,
  environment: () => Environment | Promise<Environment>,
  says: RegExp,
  code?: 'TEMPORAL_REFUSED',
];

const SECRET = 'hunter2';

const folder = await temporaryFolder();
const ours = createTlsAuthority();
const theirs = createTlsAuthority('another authority');
let files = 0;

async function file(content: string): Promise<string> {
  files += 1;
  const path = join(folder.path, `${files}.pem`);
  await writeFile(path, content);
  return path;
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

export const CASES: readonly Case[] = [
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
    'has a configuration file that is not TOML',
    async () => ({ TEMPORAL_CONFIG_FILE: await file(`[profile.default]\naddress = "x"\napi_key = "${SECRET}\n`) }),
    /the configuration of the Temporal CLI could not be read: .*; correct TEMPORAL_CONFIG_FILE and the TEMPORAL_\* variables$/,
  ],
  [
    'is an IPv6 address behind a proxy',
    () => ({ TEMPORAL_ADDRESS: '[2001:db8::1]:7233', HTTP_PROXY: 'http://proxy.example:3128' }),
    /the proxy proxy\.example:3128 can't be asked for the IPv6 address 2001:db8::1 by gRPC; use a name in TEMPORAL_ADDRESS/,
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

/** Starts the servers that cases name. */
export async function startServers(): Promise<void> {
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
}

export async function stopServers(): Promise<void> {
  for (const stop of stops) await stop();
  await folder[Symbol.asyncDispose]();
}
