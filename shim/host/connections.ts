import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';

/** What became of a new connection: it may ask, it may be told that the house is full, or it is cut off already. */
export type Admittance = 'asks' | 'refused' | 'cut';

/** Beyond the most that may ask, so many are told so at once; further ones are cut off without a word. */
const TOLD = 64;

/** What connections that have not asked yet may hold together, in bytes: 30 of the largest requests, 30,000 usual ones. */
const MAX_UNHEARD_BYTES = 32 * 1024 * 1024;

/**
 * The connections of one front, bounded in number and in what they hold. Who was answered and stays, or has not asked yet,
 * makes room: the oldest for a new one, the one that sent most when all together sent too much. So whoever says nothing, or never stops, keeps
 * nobody out who has a question.
 */
export class Connections {
  readonly #most: number;
  readonly #open = new Set<Socket>();
  /** Who has not asked yet, oldest first, and how many bytes are kept of each. */
  readonly #unheard = new Map<Socket, number>();
  /** Who has its answer, and is only waited for to go, oldest first. */
  readonly #leaving = new Set<Socket>();
  #bytes = 0;
  #gone: (() => void)[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#open.size;
  }

  admit(socket: Socket): Admittance {
    socket.on('error', () => {}); // it is gone; 'close' follows
    if (this.#open.size >= this.#most) {
      const oldest = firstOf(this.#leaving) ?? firstOf(this.#unheard.keys());
      if (oldest !== undefined) this.#cut(oldest);
      else if (this.#open.size >= this.#most + TOLD) {
        socket.destroy();
        return 'cut';
      }
    }
    this.#open.add(socket);
    socket.on('close', () => this.#forget(socket));
    if (this.#open.size > this.#most) return 'refused';
    this.#unheard.set(socket, 0);
    return 'asks';
  }

  /** So many bytes are kept of what it has sent so far. */
  keeps(socket: Socket, bytes: number): void {
    const before = this.#unheard.get(socket);
    if (before === undefined) return;
    this.#unheard.set(socket, bytes);
    this.#bytes += bytes - before;
    if (this.#bytes <= MAX_UNHEARD_BYTES) return;
    const [largest] = [...this.#unheard].reduce((most, next) => (next[1] > most[1] ? next : most));
    this.#cut(largest);
  }

  /** It has asked, or can't any more: it is not cut for others now. */
  heard(socket: Socket): void {
    this.#bytes -= this.#unheard.get(socket) ?? 0;
    this.#unheard.delete(socket);
  }

  /** It has its answer: it makes room before anybody else does. */
  leaves(socket: Socket): void {
    if (this.#open.has(socket)) this.#leaving.add(socket);
  }

  /** Settles when no connection is left. */
  async emptied(): Promise<void> {
    while (this.#open.size > 0) await new Promise<void>((gone) => this.#gone.push(gone));
  }

  cutAll(): void {
    for (const socket of this.#open) this.#cut(socket);
  }

  #cut(socket: Socket): void {
    this.#forget(socket);
    socket.destroy();
  }

  #forget(socket: Socket): void {
    this.heard(socket);
    this.#leaving.delete(socket);
    this.#open.delete(socket);
    if (this.#open.size === 0) for (const gone of this.#gone.splice(0)) gone();
  }
}

function firstOf<T>(items: Iterable<T>): T | undefined {
  const [first] = items;
  return first;
}

/** Descriptors that are left for everything but callers: files, the backend, metrics. */
const OTHER_DESCRIPTORS = 128;

/** As many connections as wanted, or the share of this process' file descriptors that one of the fronts may take. */
export function affordableConnections(wanted: number, openFiles = openFilesLimit()): number {
  return Math.max(16, Math.min(wanted, Math.floor((openFiles - OTHER_DESCRIPTORS - 2 * TOLD) / 2)));
}

function openFilesLimit(): number {
  const limit = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  return limit === undefined ? Number.POSITIVE_INFINITY : Number(limit);
}
