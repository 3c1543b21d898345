import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect, createServer as createTcpServer, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { TLSSocket } from 'node:tls';
import { listenOnLoopback } from '../support/loopback.ts';
import type { Identity } from './authorities.ts';

export interface Received {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  /** The common name of the client's certificate, if it showed one. */
  readonly client: string | undefined;
}

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** What happens to an answer on its way back. */
export type Effect =
  | { readonly kind: 'none' }
  /** The whole service is elsewhere: another origin. */
  | { readonly kind: 'redirect'; readonly to: string }
  /** Headers and one byte at once, then one byte a second. */
  | { readonly kind: 'slow' }
  /** Headers and half of the body. */
  | { readonly kind: 'cut' };

export interface FrontOptions {
  /** Without one, HTTP. */
  readonly identity?: Identity | undefined;
  /** The authority (PEM) of the clients, each of which has to show a certificate. */
  readonly clients?: string | undefined;
  /** `http://127.0.0.1:port` of the service behind it, fake or real. */
  readonly upstream: string;
  readonly effect?: Effect;
  /** Refuses a request instead of the service. */
  readonly refuse?: ((request: Received) => Reply | undefined) | undefined;
}

/** Stands before a service, as a load balancer does: TLS ends here, and every fault of a network can be put on. */
export interface Front {
  readonly port: number;
  /** Requests that were answered by the service. */
  readonly answered: readonly Received[];
  stop(): Promise<void>;
}

export async function startFront(options: FrontOptions): Promise<Front> {
  const answered: Received[] = [];
  const sockets = new Set<Socket>();
  const listener = (incoming: IncomingMessage, response: ServerResponse) => {
    void serve(incoming, response).catch(() => response.destroy());
  };
  const { identity, clients, upstream, effect = { kind: 'none' }, refuse } = options;
  const tls = {
    ...identity,
    ...(clients !== undefined && { ca: clients, requestCert: true, rejectUnauthorized: true }),
  };
  const server = identity === undefined ? createServer(listener) : createTlsServer(tls, listener);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
  });
  server.on('tlsClientError', () => {}); // what a client that does not believe us leaves behind
  const address = await listenOnLoopback(server);

  async function serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url: path = '/', headers } = incoming;
    const request: Received = { method, path, headers, body: await buffer(incoming), client: clientOf(incoming) };
    if (effect.kind === 'redirect') {
      response.writeHead(307, { location: `${effect.to}${path}`, 'content-length': 0 }).end();
      return;
    }
    const refused = refuse?.(request);
    if (refused === undefined) answered.push(request);
    const { status, headers: answer, body } = refused ?? (await forward(upstream, request));
    response.writeHead(status, { ...answer, 'content-length': body.length });
    if (effect.kind === 'none' || method === 'HEAD') response.end(method === 'HEAD' ? undefined : body);
    else if (effect.kind === 'slow') drip(response, body, 0);
    else response.write(body.subarray(0, body.length / 2), () => response.destroy());
  }

  return {
    port: Number(address.split(':')[1]),
    answered,
    async stop() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** The `host` of the request is kept: signatures of AWS cover it. */
async function forward(upstream: string, { method, path, headers, body }: Received): Promise<Reply> {
  const { connection: _, 'transfer-encoding': _encoding, ...kept } = headers;
  const sent = httpRequest(`${upstream}${path}`, { method, headers: { ...kept, 'content-length': body.length } });
  sent.end(body);
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]; // the event's only argument
  const names = [
    'content-type',
    'www-authenticate',
    'location',
    'docker-content-digest',
    'oci-filters-applied',
    'link',
  ];
  const given = names.flatMap((name) => {
    const value = answer.headers[name];
    return typeof value === 'string' ? [[name, value] as const] : [];
  });
  return { status: answer.statusCode ?? 502, headers: Object.fromEntries(given), body: await buffer(answer) };
}

function clientOf({ socket }: IncomingMessage): string | undefined {
  if (!('getPeerCertificate' in socket)) return undefined;
  // A socket with that method is one of TLS.
  const name = (socket as TLSSocket).getPeerCertificate()?.subject?.CN;
  return Array.isArray(name) ? name[0] : name;
}

function drip(response: ServerResponse, body: Buffer, at: number): void {
  if (response.destroyed) return;
  if (at >= body.length) return void response.end();
  response.write(body.subarray(at, at + 1));
  setTimeout(drip, 1000, response, body, at + 1).unref();
}

/** Stands before any service, and knows nothing of what it carries. */
export interface Relay {
  readonly port: number;
  /** Ends every connection, as a network does that breaks. */
  cut(): void;
  stop(): Promise<void>;
}

/** To a port of loopback. */
export async function startRelay(to: number): Promise<Relay> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((client) => {
    const upstream = connect(to, '127.0.0.1');
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(one);
      one.pipe(other);
      one
        .on('error', () => {})
        .on('close', () => {
          sockets.delete(one);
          other.destroy();
        });
    }
  });
  const address = await listenOnLoopback(server);
  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    port: Number(address.split(':')[1]),
    cut,
    async stop() {
      cut();
      await new Promise((closed) => server.close(closed));
    },
  };
}
