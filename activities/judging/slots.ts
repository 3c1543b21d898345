/** Who a piece of work waits for: a registry and one of its repositories, or another party and a part of it. */
export interface Party {
  readonly host: string;
  readonly part: string;
}

interface Waiting {
  readonly party: Party;
  readonly count: number;
  admit(): void;
}

/**
 * A number of places for work that waits for others. A host may hold as many as are free, and a part of it half as many:
 * one that never answers holds a half and one of its parts a third, ten of them leave an eleventh of all places, so that
 * there is room for those that do answer, whatever the others do.
 */
export class Slots {
  readonly #places: number;
  readonly #held = new Map<string, number>();
  readonly #waiting = new Set<Waiting>();
  #taken = 0;

  constructor(places: number) {
    this.#places = places;
  }

  /**
   * Takes a place, or `count` of them, or waits for at most `waitMs`, and no longer than until `signal` fires, for them.
   * Answers how to give them back; `undefined` when there were none.
   */
  async enter(party: Party, waitMs: number, signal?: AbortSignal, count = 1): Promise<(() => void) | undefined> {
    if (this.#hasRoom(party, count)) return this.#take(party, count);
    if (waitMs <= 0 || signal?.aborted === true) return undefined;
    const turn = Promise.withResolvers<(() => void) | undefined>();
    const waiting: Waiting = { party, count, admit: () => turn.resolve(this.#take(party, count)) };
    this.#waiting.add(waiting);
    const leave = () => turn.resolve(undefined);
    const patience = setTimeout(leave, waitMs);
    signal?.addEventListener('abort', leave, { once: true });
    try {
      return await turn.promise;
    } finally {
      clearTimeout(patience);
      signal?.removeEventListener('abort', leave);
      this.#waiting.delete(waiting);
    }
  }

  #hasRoom({ host, part }: Party, count: number): boolean {
    const free = this.#places - this.#taken;
    const share = Math.max(count, Math.ceil(free / 2));
    return this.#heldBy(host) + count <= free && this.#heldBy(partKey({ host, part })) + count <= share;
  }

  #take(party: Party, count: number): () => void {
    const keys = [party.host, partKey(party)];
    this.#taken += count;
    for (const key of keys) this.#held.set(key, this.#heldBy(key) + count);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#taken -= count;
      for (const key of keys) {
        const left = this.#heldBy(key) - count;
        if (left > 0) this.#held.set(key, left);
        else this.#held.delete(key);
      }
      this.#admit();
    };
  }

  /** In the order of asking, whoever has room now. */
  #admit(): void {
    for (const waiting of this.#waiting) {
      if (this.#taken >= this.#places) return;
      if (!this.#hasRoom(waiting.party, waiting.count)) continue;
      this.#waiting.delete(waiting);
      waiting.admit();
    }
  }

  #heldBy(key: string): number {
    return this.#held.get(key) ?? 0;
  }
}

/** No host has a space in its name. */
function partKey({ host, part }: Party): string {
  return `${host} ${part}`;
}
