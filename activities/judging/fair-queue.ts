/** What a piece of work is done for: the repository of an image, and the image itself. */
export interface Share {
  readonly repository: string;
  readonly image: string;
}

/** Time that was spent on a share counts for half after this, in ms. */
const HALF_LIFE_MS = 5_000;

/** Shares whose spending is remembered; one that is forgotten begins anew. */
const MAX_REMEMBERED = 10_000;

interface Spending {
  readonly ms: number;
  readonly at: number;
}

/**
 * Work that waits, in fair shares: the next piece is for the repository on which the least time was spent lately, and in
 * it for the image on which the least was. A flood of one image, or of many in one repository, therefore delays others
 * by one piece and not by all of its own.
 */
export class FairQueue<T> {
  readonly #now: () => number;
  readonly #waiting = new Map<string, Map<string, T[]>>();
  readonly #spent = new Map<string, Spending>();

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** How many repositories wait. */
  get size(): number {
    return this.#waiting.size;
  }

  push({ repository, image }: Share, item: T): void {
    const images = this.#waiting.get(repository) ?? new Map<string, T[]>();
    images.set(image, [...(images.get(image) ?? []), item]);
    this.#waiting.set(repository, images);
  }

  /** Takes the piece whose turn it is; `undefined` when none waits. */
  next(): T | undefined {
    const repository = this.#least([...this.#waiting.keys()], (name) => name);
    const images = repository === undefined ? undefined : this.#waiting.get(repository);
    if (repository === undefined || images === undefined) return undefined;
    const image = this.#least([...images.keys()], (name) => keyOf({ repository, image: name })) ?? '';
    const [item, ...rest] = images.get(image) ?? [];
    if (rest.length > 0) images.set(image, rest);
    else images.delete(image);
    if (images.size === 0) this.#waiting.delete(repository);
    return item;
  }

  /** Removes a piece that is not wanted any more. */
  remove({ repository, image }: Share, item: T): void {
    const images = this.#waiting.get(repository);
    const rest = images?.get(image)?.filter((other) => other !== item) ?? [];
    if (rest.length > 0) images?.set(image, rest);
    else images?.delete(image);
    if (images?.size === 0) this.#waiting.delete(repository);
  }

  /** Notes the time, in ms, that a share has cost. */
  charge(share: Share, ms: number): void {
    for (const key of [share.repository, keyOf(share)]) {
      const spent = this.#spentOn(key) + ms;
      this.#spent.delete(key);
      this.#spent.set(key, { ms: spent, at: this.#now() });
    }
    for (const oldest of this.#spent.keys()) {
      if (this.#spent.size <= MAX_REMEMBERED) break;
      this.#spent.delete(oldest);
    }
  }

  #least(names: readonly string[], key: (name: string) => string): string | undefined {
    let least: { readonly name: string; readonly ms: number } | undefined;
    for (const name of names) {
      const ms = this.#spentOn(key(name));
      if (least === undefined || ms < least.ms) least = { name, ms };
    }
    return least?.name;
  }

  #spentOn(key: string): number {
    const known = this.#spent.get(key);
    return known === undefined ? 0 : known.ms * 0.5 ** ((this.#now() - known.at) / HALF_LIFE_MS);
  }
}

/** No repository has a space in its name. */
function keyOf({ repository, image }: Share): string {
  return `${repository} ${image}`;
}
