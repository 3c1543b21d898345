import { type Agent, request as httpsRequest } from 'node:https';
import { Readable } from 'node:stream';
import { getCACertificates } from 'node:tls';
import { connections } from '../http/connections.ts';

/** What a TLS connection to one endpoint needs besides the system's trust. PEM texts. */
export interface EndpointTls {
  /** Certificate authorities that count beside those of the system. */
  readonly authorities: readonly string[];
  /** Certificates and keys to show; the first that the other end accepts is used. */
  readonly clients: readonly { readonly certificate: string; readonly key: string }[];
  /** Believes any certificate, because the operator wrote so. */
  readonly skipVerify: boolean;
}

/** Connections are kept for the next request: as many configurations as a worker has mirrors. */
const MAX_AGENTS = 64;
const agents = new Map<string, Agent>();

/** As `fetch` without following redirects, over a TLS connection of this kind. Node's own fetch knows only the system's. */
export function exchangeOverTls(
  url: URL,
  init: { readonly method: string; readonly headers: Headers; readonly body?: string; readonly signal: AbortSignal },
  tls: EndpointTls,
): Promise<Response> {
  const { method, headers, body, signal } = init;
  return new Promise((resolve, reject) => {
    const outgoing = httpsRequest(url, { method, headers: Object.fromEntries(headers), agent: agentFor(tls), signal });
    outgoing.once('error', reject);
    outgoing.once('response', (incoming) => {
      const answered = new Headers();
      for (let index = 0; index + 1 < incoming.rawHeaders.length; index += 2) {
        answered.append(incoming.rawHeaders[index] ?? '', incoming.rawHeaders[index + 1] ?? '');
      }
      const { statusCode: status = 502 } = incoming;
      const isEmpty = method === 'HEAD' || status === 204 || status === 205 || status === 304;
      if (isEmpty) incoming.resume();
      // Node's two types of the same stream
      const stream = Readable.toWeb(incoming) as ReadableStream<Uint8Array>;
      resolve(new Response(isEmpty ? null : stream, { status, headers: answered }));
    });
    outgoing.end(body);
  });
}

function agentFor(tls: EndpointTls): Agent {
  const key = JSON.stringify(tls);
  const known = agents.get(key);
  if (known !== undefined) return known;
  const agent = connections().httpsAgent({
    ca: [...getCACertificates('default'), ...tls.authorities],
    cert: tls.clients.map(({ certificate }) => certificate),
    key: tls.clients.map(({ key: pem }) => pem),
    rejectUnauthorized: !tls.skipVerify,
  });
  agents.set(key, agent);
  const [oldest] = agents.keys();
  if (agents.size > MAX_AGENTS && oldest !== undefined) {
    agents.get(oldest)?.destroy();
    agents.delete(oldest);
  }
  return agent;
}
