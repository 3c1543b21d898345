import { createServer, type Socket } from 'node:net';
import { listenOnLoopback } from './loopback.ts';

/** A server that accepts and never answers, as a network that drops packets looks to its clients. */
export interface BlackHole {
  /** `127.0.0.1:port` */
  readonly address: string;
  stop(): Promise<void>;
}

export async function startBlackHole(): Promise<BlackHole> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}); // whoever connected has given up
  });
  const address = await listenOnLoopback(server);
  return {
    address,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((closed) => server.close(closed));
    },
  };
}
