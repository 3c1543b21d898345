import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { connect, type Socket } from 'node:net';
import { listenOnLoopback } from './loopback.ts';

/** What a proxy was asked for, in order. */
export interface SeenByProxy {
  /** `CONNECT` for a tunnel; the method of a request for `http:`, which a proxy reads. */
  readonly method: string;
  /** `host:port` of a tunnel, else the URL. */
  readonly target: string;
  /** The header `Proxy-Authorization`. */
  readonly authorization: string | undefined;
  readonly headers: IncomingMessage['headers'];
}

export interface ConnectProxyOptions {
  /** Where `host:port` is; without it, the proxy looks the name up. A proxy is never used for loopback, so tests name other hosts. */
  readonly route?: (hostPort: string) => string;
  /** Answers 407 to all that do not bring these. */
  readonly credentials?: { readonly username: string; readonly password: string };
  /** The status that all get instead of a connection, such as 403, or `hang` for no answer at all; may change while it runs. */
  refusal?: number | 'hang' | undefined;
  /** The proxy itself is reached by TLS. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

export interface ConnectProxy {
  /** `127.0.0.1:port` */
  readonly address: string;
  /** What `HTTPS_PROXY` is set to, without credentials. */
  readonly url: string;
  readonly seen: readonly SeenByProxy[];
  /** The targets of `seen`. */
  targets(): readonly string[];
  stop(): Promise<void>;
}

/** Starts an HTTP proxy on loopback that makes tunnels (RFC 9110 section 9.3.6) and passes requests for `http:` on. */
export async function startConnectProxy(options: ConnectProxyOptions = {}): Promise<ConnectProxy> {
  const { route = (hostPort: string) => hostPort, credentials, tls } = options;
  const seen: SeenByProxy[] = [];
  const sockets = new Set<Socket>();
  const wanted =
    credentials && `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`;
  const note = ({ method = '', url: target = '', headers }: IncomingMessage): number | 'hang' | undefined => {
    const authorization = headers['proxy-authorization'];
    seen.push({ method, target, authorization, headers });
    return wanted !== undefined && authorization !== wanted ? 407 : options.refusal;
  };

  const pass = (incoming: IncomingMessage, response: ServerResponse): void => {
    const refusal = note(incoming);
    if (refusal === 'hang') return;
    const { url = '', method = 'GET' } = incoming;
    if (refusal !== undefined || !URL.canParse(url)) {
      response.writeHead(refusal ?? 400, refusal === 407 ? { 'proxy-authenticate': 'Basic realm="test"' } : {}).end();
      return;
    }
    const { hostname, port, pathname, search } = new URL(url);
    const [host = '', toPort] = splitHostPort(route(`${hostname}:${port || 80}`));
    const { 'proxy-authorization': _secret, 'proxy-connection': _hop, ...headers } = incoming.headers;
    const onward = request({ host, port: toPort, method, path: pathname + search, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.writeHead(502).end());
    incoming.pipe(onward);
  };

  const tunnel = (incoming: IncomingMessage, client: Socket, head: Buffer): void => {
    const refusal = note(incoming);
    if (refusal === 'hang') return;
    client.on('error', () => undefined);
    if (refusal !== undefined) {
      const challenge = refusal === 407 ? 'Proxy-Authenticate: Basic realm="test"\r\n' : '';
      client.end(`HTTP/1.1 ${refusal} Refused\r\n${challenge}Content-Length: 0\r\n\r\n`);
      return;
    }
    const [host = '', port] = splitHostPort(route(incoming.url ?? ''));
    const server = connect({ host, port }, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      server.write(head);
      server.pipe(client).pipe(server);
    });
    sockets.add(server);
    server.once('close', () => {
      sockets.delete(server);
      client.destroy();
    });
    server.on('error', () => client.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n'));
  };

  const proxy = tls === undefined ? createServer(pass) : createHttpsServer(tls, pass);
  proxy.on('connect', tunnel);
  proxy.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const address = await listenOnLoopback(proxy);
  return {
    address,
    url: `${tls === undefined ? 'http' : 'https'}://${address}`,
    seen,
    targets: () => seen.map(({ target }) => target),
    async stop() {
      const closed = once(proxy, 'close');
      proxy.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function splitHostPort(text: string): readonly [host: string, port: number] {
  const at = text.lastIndexOf(':');
  return [text.slice(0, at).replace(/^\[(.*)\]$/, '$1'), Number(text.slice(at + 1))];
}
