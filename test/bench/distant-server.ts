import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** A loopback server as it looks from some way off. */
export interface DistantServer {
  /** `127.0.0.1:port`. */
  readonly address: string;
  /** A request costs this many ms more, and a new connection as much again: what TCP and HTTP/1.1 make of it. */
  roundTripMs: number;
  /** Requests since the last call. */
  takeRequests(): number;
  stop(): Promise<void>;
}

/** Stands before `target` (`127.0.0.1:port`) and passes everything on. */
export async function startDistantServer(target: string): Promise<DistantServer> {
  let requests = 0;
  const agent = new Agent({ keepAlive: true });
  const known = new WeakSet<object>();
  const server = createServer(async (incoming, outgoing) => {
    requests++;
    const trips = known.has(incoming.socket) ? 1 : 2;
    known.add(incoming.socket);
    if (distant.roundTripMs > 0) await delay(distant.roundTripMs * trips);
    passOn(agent, target, incoming, outgoing);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // `address()` is a string for a pipe only.
  const { port } = server.address() as AddressInfo;
  const distant: DistantServer = {
    address: `127.0.0.1:${port}`,
    roundTripMs: 0,
    takeRequests() {
      const taken = requests;
      requests = 0;
      return taken;
    },
    async stop() {
      server.close();
      server.closeAllConnections();
      agent.destroy();
      await once(server, 'close');
    },
  };
  return distant;
}

function passOn(agent: Agent, target: string, incoming: IncomingMessage, outgoing: ServerResponse): void {
  const { method, url, headers } = incoming;
  const [host, port] = target.split(':');
  const onward = request({ agent, host, port, method, path: url, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
    answer.pipe(outgoing);
  });
  onward.on('error', () => outgoing.destroy());
  incoming.pipe(onward);
}
