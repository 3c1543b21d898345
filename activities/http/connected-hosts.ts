import { CONNECTED_HOST_MS } from '../limits.ts';
import { internalKind } from './address-kind.ts';

/** Where the connections of one host lead, while they are open and for {@link CONNECTED_HOST_MS} longer. */
interface Seen {
  privately: number;
  elsewhere: number;
}

/** What of a socket says where it leads, and when it ends. */
interface Connection {
  readonly remoteAddress?: string | undefined;
  once(event: 'close', listener: () => void): unknown;
}

/** Remembers at which kind of address hosts were reached. A name says nothing of it: its server may answer otherwise each time. */
export class ConnectedHosts {
  readonly #seen = new Map<string, Seen>();
  readonly #keptMs: number;

  constructor(keptMs = CONNECTED_HOST_MS) {
    this.#keptMs = keptMs;
  }

  /** Notes an open connection to a host and a port. */
  add(host: string, port: number, socket: Connection): void {
    const key = keyOf(host, port);
    const seen = this.#seen.get(key) ?? { privately: 0, elsewhere: 0 };
    this.#seen.set(key, seen);
    const where = internalKind(socket.remoteAddress ?? '') === 'private' ? 'privately' : 'elsewhere';
    seen[where]++;
    const forget = () => {
      seen[where]--;
      if (seen.privately + seen.elsewhere === 0) this.#seen.delete(key);
    };
    socket.once('close', () => setTimeout(forget, this.#keptMs).unref());
  }

  /** Whether a host was reached lately, and at private addresses alone. */
  isPrivate(host: string, port: number): boolean {
    const seen = this.#seen.get(keyOf(host, port));
    return seen !== undefined && seen.privately > 0 && seen.elsewhere === 0;
  }
}

function keyOf(host: string, port: number): string {
  return `${host.replace(/^\[(.*)\]$/, '$1')} ${port}`;
}
