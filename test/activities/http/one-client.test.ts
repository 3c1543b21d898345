import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { Server } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, describe, it, type TestContext } from 'node:test';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import * as zlib from 'node:zlib';
import { readBounded } from '../../../activities/http/bounded-body.ts';
import type { EndpointTls } from '../../../activities/http/connections.ts';
import { type HttpRequest, send } from '../../../activities/http/transport.ts';
import { MAX_REDIRECTS } from '../../../activities/limits.ts';
import { listenOnLoopback } from '../../support/loopback.ts';
import { loopbackCertificates, newAuthority } from '../../support/tls-front.ts';

/** How an endpoint is reached. Everything below holds for each of them. */
const KINDS = ['plain HTTP', 'the trust of the system', 'an authority of its own', 'a client certificate'] as const;
type Kind = (typeof KINDS)[number];

const publicAuthority = newAuthority('public authority');
const usual = getCACertificates('default');
setDefaultCACertificates([...usual, publicAuthority.pem]);
after(() => setDefaultCACertificates(usual));

interface Place {
  readonly origin: string;
  readonly tls: EndpointTls | undefined;
  /** Requests that arrived, with their bodies. */
  readonly asked: readonly {
    readonly line: string;
    readonly headers: IncomingMessage['headers'];
    readonly body: string;
  }[];
}

type Answer = (response: ServerResponse, incoming: IncomingMessage) => void;

async function start(t: TestContext, kind: Kind, answer: Answer, ports: readonly number[] = [0]): Promise<Place> {
  const asked: Place['asked'][number][] = [];
  const handle = (incoming: IncomingMessage, response: ServerResponse) => {
    void text(incoming).then((body) => {
      asked.push({ line: `${incoming.method} ${incoming.url}`, headers: incoming.headers, body });
      answer(response, incoming);
    });
  };
  const authority = kind === 'the trust of the system' ? publicAuthority : newAuthority();
  const { server: own, client } = loopbackCertificates(authority);
  const wantsClient = kind === 'a client certificate' && { ca: authority.pem, requestCert: true };
  const server = kind === 'plain HTTP' ? createServer(handle) : createHttpsServer({ ...own, ...wantsClient }, handle);
  const address = await listenOnOne(server, ports);
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const origin = `${kind === 'plain HTTP' ? 'http' : 'https'}://${address}`;
  if (kind === 'plain HTTP' || kind === 'the trust of the system') return { origin, tls: undefined, asked };
  const clients = wantsClient ? [{ certificate: client.cert, key: client.key }] : [];
  return { origin, tls: { authorities: [authority.pem], clients, skipVerify: false }, asked };
}

/** Another process may have one of the ports. */
async function listenOnOne(server: Server, [port, ...others]: readonly number[]): Promise<string> {
  try {
    return await listenOnLoopback(server, port);
  } catch (error) {
    if (others.length === 0) throw error;
    return await listenOnOne(server, others);
  }
}

/** Asks for `/x`, and reads at most 1,000 bytes of the answer. */
async function ask({ origin, tls }: Place, more: Partial<HttpRequest> = {}, ms = 5_000) {
  const signal = AbortSignal.timeout(ms);
  const endpoint = tls === undefined ? {} : { endpoint: { tls } };
  const usual = { what: 'GET x', method: 'GET', url: new URL(`${origin}/x`), redirects: 'all', ...endpoint } as const;
  const { response, url } = await send({ ...usual, ...more }, signal);
  const body = await readBounded('GET x', response, 1_000, signal);
  return {
    status: response.status,
    headers: response.headers,
    url: url.href.slice(url.origin.length),
    body: body === 'too-large' ? body : Buffer.from(body).toString('utf8'),
  };
}

const encoded =
  (bytes: Uint8Array, encoding: string): Answer =>
  (response) =>
    void response.writeHead(200, { 'content-encoding': encoding }).end(bytes);
const raw =
  (bytes: string): Answer =>
  (response) =>
    void response.socket?.end(bytes, 'latin1');
const HELLO = Buffer.from('hello');
const ZEROS = Buffer.alloc(64 * 1024 * 1024);
const bomb = zlib.gzipSync(ZEROS);

/** Blocks of deflate without content, for ever: a gzip body that decodes to nothing. */
function pourNothing(response: ServerResponse): void {
  response.writeHead(200, { 'content-encoding': 'gzip' });
  response.write(Buffer.from('1f8b0800000000000003', 'hex'));
  const nothing = Buffer.concat(Array.from({ length: 10_000 }, () => Buffer.from('000000ffff', 'hex')));
  const more = () => {
    while (!response.destroyed) if (!response.write(nothing)) return void response.once('drain', more);
  };
  more();
}

const BODIES: readonly (readonly [what: string, answer: Answer, body: string])[] = [
  ['as it is', (response) => void response.end('hello'), 'hello'],
  ['in chunks', (response) => void response.write('hel', () => response.end('lo')), 'hello'],
  ['in gzip', encoded(zlib.gzipSync(HELLO), 'gzip'), 'hello'],
  ['in x-gzip', encoded(zlib.gzipSync(HELLO), 'X-GZIP'), 'hello'],
  ['in deflate', encoded(zlib.deflateSync(HELLO), 'deflate'), 'hello'],
  ['in br', encoded(zlib.brotliCompressSync(HELLO), 'br'), 'hello'],
  ['in zstd', encoded(zlib.zstdCompressSync(HELLO), 'zstd'), 'hello'],
  ['in br, then gzip', encoded(zlib.gzipSync(zlib.brotliCompressSync(HELLO)), 'br, gzip'), 'hello'],
  ['in identity', encoded(HELLO, 'identity'), 'hello'],
  ['in an encoding that says nothing of the bytes', encoded(HELLO, 'aws-chunked'), 'hello'],
  ['in an encoding with a name of JavaScript', encoded(HELLO, 'constructor'), 'hello'],
  ['without any bytes', (response) => void response.end(), ''],
  ['of the most bytes that are read', (response) => void response.end('x'.repeat(1_000)), 'x'.repeat(1_000)],
  ['of more bytes, which its length tells', (response) => void response.end('x'.repeat(1_001)), 'too-large'],
  [
    'of more bytes, in chunks',
    (response) => void response.write('x', () => response.end('x'.repeat(1_000))),
    'too-large',
  ],
  ['of more bytes, in gzip', encoded(bomb, 'gzip'), 'too-large'],
  ['of more bytes, in zstd', encoded(zlib.zstdCompressSync(ZEROS), 'zstd'), 'too-large'],
  ['of more bytes, in gzip twice', encoded(zlib.gzipSync(bomb), 'gzip, gzip'), 'too-large'],
];

const FAILURES: readonly (readonly [what: string, answer: Answer, code: string])[] = [
  ['three encodings', encoded(HELLO, 'gzip, gzip, gzip'), 'MISBEHAVED'],
  ['another encoding than it says', encoded(HELLO, 'gzip'), 'MISBEHAVED'],
  ['gzip that breaks off', encoded(zlib.gzipSync(HELLO).subarray(0, 15), 'gzip'), 'MISBEHAVED'],
  ['br that breaks off', encoded(zlib.brotliCompressSync(HELLO).subarray(0, 5), 'br'), 'MISBEHAVED'],
  ['zstd that is garbage', encoded(HELLO, 'zstd'), 'MISBEHAVED'],
  ['gzip that decodes to nothing, without an end', pourNothing, 'MISBEHAVED'],
  ['a status below 200', raw('HTTP/1.1 099 X\r\nconnection: close\r\n\r\n'), 'MISBEHAVED'],
  ['a status beyond 599', raw('HTTP/1.1 999 X\r\ncontent-length: 0\r\n\r\n'), 'MISBEHAVED'],
  ['something else than HTTP', raw('SSH-2.0-OpenSSH_9.2\r\n'), 'MISBEHAVED'],
  ['headers without an end', raw(`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(100_000)}`), 'MISBEHAVED'],
  ['two lengths', raw('HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx'), 'MISBEHAVED'],
  ['less than its length', raw('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello'), 'UNREACHABLE'],
  ['an end without an answer', (response) => void response.destroy(), 'UNREACHABLE'],
  ['nothing', () => undefined, 'TIMEOUT'],
  ['a body that never ends', (response) => void response.write('hello'), 'TIMEOUT'],
  ['a redirect to nowhere', (response) => void response.writeHead(302).end(), 'MISBEHAVED'],
  ['a redirect to itself', (response) => void response.writeHead(302, { location: '/x' }).end(), 'MISBEHAVED'],
  ['a redirect to a file', (response) => void response.writeHead(302, { location: 'file:///x' }).end(), 'MISBEHAVED'],
];

for (const kind of KINDS) {
  describe(`a client over ${kind}`, () => {
    for (const [what, answer, body] of BODIES) {
      it(`reads a body ${what}`, async (t) => {
        assert.deepEqual((await ask(await start(t, kind, answer))).body, body);
      });
    }

    for (const [what, answer, code] of FAILURES) {
      it(`fails by ${what}`, async (t) => {
        const place = await start(t, kind, answer);
        await assert.rejects(ask(place, {}, code === 'TIMEOUT' ? 300 : 5_000), { code: `REGISTRY_${code}` });
      });
    }

    it('asks for no encoding and keeps what it has to say', async (t) => {
      const place = await start(t, kind, (response) => void response.end());
      await ask(place, { authorization: 'Basic x', accept: 'text/plain' });
      await ask(place, { method: 'POST', json: '{}' });
      await ask(place, { method: 'POST', form: new URLSearchParams({ a: 'b c' }) });
      const [got, json, form] = place.asked;
      assert.partialDeepStrictEqual(got?.headers, {
        ...{
          authorization: 'Basic x',
          accept: 'text/plain',
          'accept-encoding': 'identity',
          'user-agent': 'portcullis',
        },
        host: new URL(place.origin).host,
      });
      assert.deepEqual([json?.body, json?.headers['content-type']], ['{}', 'application/json']);
      assert.deepEqual(
        [form?.body, form?.headers['content-type']],
        ['a=b+c', 'application/x-www-form-urlencoded;charset=UTF-8'],
      );
    });

    it('has answers without a body', async (t) => {
      const place = await start(t, kind, (response, { method }) => {
        response.writeHead(method === 'HEAD' ? 200 : 304, { 'content-length': 5, 'content-encoding': 'gzip' }).end();
      });
      assert.partialDeepStrictEqual(await ask(place, { method: 'HEAD' }), { status: 200, body: '' });
      assert.partialDeepStrictEqual(await ask(place), { status: 304, body: '' });
    });

    it('reads headers that come twice, and headers beyond ASCII', async (t) => {
      const head = 'HTTP/1.1 401 X\r\nwww-authenticate: Basic\r\nWWW-Authenticate: Bearer\r\nx-name: M\xfcller\r\n';
      const { headers, status } = await ask(await start(t, kind, raw(`${head}content-length: 0\r\n\r\n`)));
      assert.equal(status, 401);
      assert.equal(headers.get('www-authenticate'), 'Basic, Bearer');
      assert.notEqual(headers.get('x-name'), null);
    });

    it('follows redirects on the same host with all that it has, and no more than there may be', async (t) => {
      const answer: Answer = (response, { url = '' }) => {
        const left = Number(url.slice(2) || 0);
        if (left > 0) response.writeHead(307, { location: `/x${left - 1}` }).end('moved');
        else response.end('hello');
      };
      const place = await start(t, kind, answer);
      const longest = new URL(`${place.origin}/x${MAX_REDIRECTS}`);
      const found = await ask(place, { url: longest, method: 'POST', json: '{}', authorization: 'Basic x' });
      assert.partialDeepStrictEqual(found, { body: 'hello', url: '/x0' });
      assert.equal(place.asked.length, MAX_REDIRECTS + 1);
      assert.ok(place.asked.every(({ headers, body }) => headers.authorization === 'Basic x' && body === '{}'));
      const more = new URL(`${place.origin}/x${MAX_REDIRECTS + 1}`);
      await assert.rejects(ask(place, { url: more }), {
        code: 'REGISTRY_MISBEHAVED',
        message: /redirects; check the server and any proxy in front of it$/,
      });
      const kept = await ask(place, { url: new URL(`${place.origin}/x1`), redirects: 'none' });
      assert.partialDeepStrictEqual(kept, { status: 307, body: 'moved' });
    });

    it('follows redirects to another host without its credentials, and never to plain HTTP', async (t) => {
      const public_ = await start(t, 'the trust of the system', (response) => void response.end('elsewhere'));
      const plain = await start(t, 'plain HTTP', (response) => void response.end('plain'));
      const place = await start(t, kind, (response, { url }) => {
        response.writeHead(307, { location: `${url === '/x' ? public_.origin : plain.origin}/y` }).end();
      });
      const more = {
        authorization: 'Basic x',
        endpoint: { headers: { 'x-tenant': 'us' }, ...(place.tls && { tls: place.tls }) },
      };
      assert.partialDeepStrictEqual(await ask(place, more), { body: 'elsewhere' });
      assert.partialDeepStrictEqual(place.asked[0]?.headers, { authorization: 'Basic x', 'x-tenant': 'us' });
      const [there] = public_.asked;
      assert.deepEqual([there?.headers.authorization, there?.headers['x-tenant']], [undefined, undefined]);
      const down = ask(place, { ...more, url: new URL(`${place.origin}/down`) });
      if (kind === 'plain HTTP') assert.equal((await down).body, 'plain');
      else await assert.rejects(down, { code: 'REGISTRY_MISBEHAVED', message: /redirect to https/ });
    });

    it('reaches ports that browsers and fetch refuse', async (t) => {
      const refused = [6_000, 6_566, 6_665, 6_666, 6_667, 6_668, 6_669, 6_679, 6_697, 10_080];
      const place = await start(t, kind, (response) => void response.end('hello'), refused);
      await assert.rejects(fetch(place.origin), (error: Error) => /bad port/.test(String(error.cause)));
      assert.equal((await ask(place)).body, 'hello');
    });

    it('stops the connection of a request that is given up', async (t) => {
      const closed = Promise.withResolvers<void>();
      const place = await start(t, kind, (response) => void response.once('close', closed.resolve).write('hello'));
      await assert.rejects(ask(place, {}, 300), { code: 'REGISTRY_TIMEOUT' });
      await closed.promise;
    });
  });
}
