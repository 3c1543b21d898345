/** Who a piece of work waits for: a registry and one of its repositories, or another party and a part of it. */
export interface Party {
  readonly host: string;
  readonly part: string;
}

interface Waiting {
  readonly party: Party;
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
   * Takes a place, or waits for at most `waitMs`, and no longer than until `signal` fires, for one. Answers how to give it
   * back; `undefined` when there was none.
   */
  async enter(party: Party, waitMs: number, signal?: AbortSignal): Promise<(() => void) | undefined> {
    if (this.#hasRoom(party)) return this.#take(party);
    if (waitMs <= 0 || signal?.aborted === true) return undefined;
    const turn = Promise.withResolvers<(() => void) | undefined>();
    const waiting: Waiting = { party, admit: () => turn.resolve(this.#take(party)) };
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

  #hasRoom({ host, part }: Party): boolean {
    const free = this.#places - this.#taken;
    return this.#heldBy(host) < free && this.#heldBy(partKey({ host, part })) < Math.max(1, free / 2);
  }

  #take(party: Party): () => void {
    const keys = [party.host, partKey(party)];
    this.#taken++;
    for (const key of keys) this.#held.set(key, this.#heldBy(key) + 1);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#taken--;
      for (const key of keys) {
        const left = this.#heldBy(key) - 1;
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
      if (!this.#hasRoom(waiting.party)) continue;
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
