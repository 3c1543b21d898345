import { once } from 'node:events';
import type { Server } from 'node:net';
import { parseDestinations, useDestinations } from '../../activities/http/destinations.ts';

/** Listens on 127.0.0.1, on a free port unless one is given; answers `127.0.0.1:port`, to which code under test may connect. */
export async function listenOnLoopback(server: Server, port = 0): Promise<string> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('expected a TCP address');
  allowInternal(`127.0.0.1:${bound.port}`, `localhost:${bound.port}`);
  return `127.0.0.1:${bound.port}`;
}

const listed = new Set<string>();

/** Lists destinations for the code under test in this process, besides those that are listed already. */
export function allowInternal(...entries: readonly string[]): void {
  for (const entry of entries) listed.add(entry);
  const parsed = parseDestinations([...listed]);
  if ('unknown' in parsed) throw new Error(`expected a destination, got ${parsed.unknown}`);
  useDestinations(parsed);
}
