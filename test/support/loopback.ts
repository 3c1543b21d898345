import { once } from 'node:events';
import type { Server } from 'node:net';

/** Listens on 127.0.0.1, on a free port unless one is given; answers `127.0.0.1:port`. */
export async function listenOnLoopback(server: Server, port = 0): Promise<string> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('expected a TCP address');
  return `127.0.0.1:${bound.port}`;
}
