import { createServer as createHttp2 } from 'node:http2';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { listenOnLoopback } from '../../support/loopback.ts';

/** What ends the servers of a test file. */
export const stops: (() => unknown)[] = [];

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
export function refusing(status: number, message: string, details?: Buffer): Promise<string> {
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
export function namespaceNotFound(namespace: string): Buffer {
  const field = (number: number, value: Uint8Array) => Buffer.from([(number << 3) | 2, value.length, ...value]);
  const type = 'type.googleapis.com/temporal.api.errordetails.v1.NamespaceNotFoundFailure';
  const detail = Buffer.concat([field(1, Buffer.from(type)), field(2, field(1, Buffer.from(namespace)))]);
  return Buffer.concat([Buffer.from([0x08, 5]), field(3, detail)]);
}

/** A server, or a proxy, that answers the first words with these. */
export function answering(text: string): Promise<string> {
  return listen(
    createServer((socket) => {
      socket.on('error', () => {}); // a client that left
      socket.once('data', () => socket.end(text));
    }),
  );
}

/** Passes connections on, until it hangs: then all are cut, and new ones get no answer, ever. */
export async function startHangingRelay(target: string) {
  const [host = '', port] = target.split(':');
  const sockets = new Set<Socket>();
  const held = new Set<Socket>();
  let isHanging = false;
  const server = createServer((front) => {
    front.on('error', () => {}); // a client that gave up
    (isHanging ? held : sockets).add(front);
    front.on('close', () => held.delete(front));
    if (isHanging) return;
    const back = connect({ host, port: Number(port) });
    back.on('error', () => front.destroy());
    back.on('close', () => front.destroy());
    front.on('close', () => back.destroy());
    front.pipe(back).pipe(front);
  });
  return {
    address: await listenOnLoopback(server),
    hang() {
      isHanging = true;
      for (const socket of sockets) socket.destroy();
    },
    heal() {
      isHanging = false;
    },
    /** Connections that began while it hung and are still open. */
    hanging: () => held.size,
    stop() {
      for (const socket of [...sockets, ...held]) socket.destroy();
      server.close();
    },
  };
}
