import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Where ports are looked for: below 32768, from where Linux takes those of outgoing connections, so that no connection
 * takes a port between the moment it was found free and the moment its server listens.
 */
const [LOWEST, BEYOND] = [10_000, 32_768];

/** What this process was given already. */
const given = new Set<number>();

/** Ports of 127.0.0.1 on which no server listens, all different. They are free until a server takes them. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = randomInt(LOWEST, BEYOND);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    ports.push(port);
  }
  return ports;
}

/** One port of 127.0.0.1 on which no server listens. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  if (port === undefined) throw new Error('expected a free port, found none');
  return port;
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return true;
  } catch {
    // Taken.
    return false;
  } finally {
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}
