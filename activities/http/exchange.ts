import type { Readable } from 'node:stream';
import type { ProxyChoice } from '../../workflows/format/proxy.ts';
import { decodeBody } from './body-encoding.ts';
import { connections, type EndpointTls } from './connections.ts';
import type { Reach } from './destinations.ts';
import { HttpFault } from './http-fault.ts';
import { denial, ProxyFailure, proxyAuthorization } from './proxy-tunnel.ts';

/** One request of any client of a worker. */
export interface Exchange {
  readonly url: URL;
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly headers: Headers;
  readonly body?: string | undefined;
  /** How to recognise the other end, and be recognised; without it as the system does. */
  readonly tls?: EndpointTls | undefined;
  /** Which addresses it may go to; without it, any: an operator named the host. */
  readonly reach?: Reach | undefined;
  /** Ends the request and its body. */
  readonly signal: AbortSignal;
}

/**
 * Sends one request and answers what came back, a redirect included; the body is decoded as it is read. It is not
 * Node's `fetch`, which refuses ports that a registry may have (6000, 10080) and trusts the system alone. Throws an
 * {@link HttpFault} for an answer that is not HTTP, a {@link ProxyFailure}, a ProxySettingError, and the errors of the system.
 */
export async function exchange(asked: Exchange): Promise<Response> {
  const { url, method, signal } = asked;
  const proxy = connections().proxyOf(url);
  const answer = await begin(asked, proxy);
  const { statusCode: status } = answer;
  try {
    if (status === 407 && proxy.kind === 'proxy')
      throw new ProxyFailure('PROXY_DENIED', denial(proxy, url.host, status));
    if (status < 200 || status > 599) throw new HttpFault('STATUS_UNKNOWN');
    const received = receivedHeaders(answer.headers);
    if (method === 'HEAD' || status === 204 || status === 205 || status === 304) {
      await answer.body.dump({ limit: 0, signal });
      return noted(new Response(null, { status, headers: received }), proxy);
    }
    const decoded = decodeBody(answer.body, received.get('content-encoding'));
    return noted(new Response(webStream(decoded), { status, headers: received }), proxy);
  } catch (error) {
    answer.body.on('error', () => undefined).destroy();
    throw error;
  }
}

/** Plain HTTP is asked of the proxy itself, by the whole URL (RFC 9112 section 3.2.2): proxies make tunnels for TLS alone. */
async function begin({ url, method, headers, body, tls, reach = 'any', signal }: Exchange, proxy: ProxyChoice) {
  const path = `${url.pathname}${url.search}`;
  const common = { method, signal, ...(body !== undefined && { body }) };
  if (url.protocol === 'https:' || proxy.kind === 'direct') {
    const dispatcher = connections().dispatcher(tls, reach);
    return await dispatcher.request({ ...common, origin: url.origin, path, headers: [...headers].flat() });
  }
  const authorization = proxyAuthorization(proxy);
  const own = ['host', url.host, ...(authorization === undefined ? [] : ['proxy-authorization', authorization])];
  const sent = [...[...headers].filter(([name]) => name !== 'host').flat(), ...own];
  const whole = `${url.origin}${path}`;
  return await connections()
    .toProxy()
    .request({ ...common, origin: proxy.url, path: whole, headers: sent });
}

const proxies = new WeakMap<Response, string>();

function noted(response: Response, proxy: ProxyChoice): Response {
  if (proxy.kind === 'proxy') proxies.set(response, phrase(proxy.label));
  return response;
}

function phrase(label: string): string {
  return ` through the proxy ${label}`;
}

/** ` through the proxy HOST:PORT` where an answer came that way, for messages about it; otherwise nothing. */
export function viaOf(response: Response): string {
  return proxies.get(response) ?? '';
}

/** The same for what is asked of a URL. */
export function viaTo(url: URL): string {
  try {
    const proxy = connections().proxyOf(url);
    return proxy.kind === 'direct' ? '' : phrase(proxy.label);
  } catch {
    return '';
  }
}

function receivedHeaders(given: Readonly<Record<string, string | string[] | undefined>>): Headers {
  const headers = new Headers();
  for (const [name, values] of Object.entries(given)) {
    for (const value of [values ?? []].flat()) {
      // A header is bytes; text beyond ASCII has no place in the type, and none of it is ours to judge.
      headers.append(name, Buffer.from(value, 'utf8').toString('latin1'));
    }
  }
  return headers;
}

/** Reads what is asked for. `Readable.toWeb` fails when a stream is cancelled while it ends. */
function webStream(stream: Readable): ReadableStream<Uint8Array> {
  // An error before the first read waits for it; without a listener it would end the process.
  const chunks: AsyncIterator<Uint8Array> = stream.on('error', () => undefined)[Symbol.asyncIterator]();
  return new ReadableStream(
    {
      async pull(controller) {
        const { done, value } = await chunks.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
      },
      cancel() {
        stream.on('error', () => undefined).destroy();
      },
    },
    { highWaterMark: 0 },
  );
}
