/**
 * A queue that goes round its groups: each in turn gives its first one, so that a long group delays a short one by one place
 * only. Takes constant time, but for {@link ahead} and {@link lastOfLongest}, which look at every group.
 */
export class FairQueue<T> {
  /** The groups in the order of their turns; none of them is empty. */
  readonly #groups = new Map<string, Set<T>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(group: string, item: T): void {
    const members = this.#groups.get(group);
    if (members === undefined) this.#groups.set(group, new Set([item]));
    else members.add(item);
    this.#size++;
  }

  /** Takes the one whose turn it is, and puts its group at the end of the round. */
  shift(): T | undefined {
    for (const [group, members] of this.#groups) {
      for (const first of members) {
        this.delete(group, first);
        if (this.#groups.delete(group)) this.#groups.set(group, members);
        return first;
      }
    }
    return undefined;
  }

  delete(group: string, item: T): boolean {
    const members = this.#groups.get(group);
    if (members?.delete(item) !== true) return false;
    if (members.size === 0) this.#groups.delete(group);
    this.#size--;
    return true;
  }

  /** How many are taken before this one when nobody comes or goes. */
  ahead(group: string, item: T): number {
    const rounds = [...(this.#groups.get(group) ?? [])].indexOf(item);
    let count = rounds;
    let isBefore = true;
    for (const [other, { size }] of this.#groups) {
      if (other === group) isBefore = false;
      else count += Math.min(size, isBefore ? rounds + 1 : rounds);
    }
    return count;
  }

  /** The last one of the longest group, when that is longer than this group with one more; for a queue that is full. */
  lastOfLongest(group: string): T | undefined {
    let longest: ReadonlySet<T> = new Set();
    for (const members of this.#groups.values()) if (members.size > longest.size) longest = members;
    if (longest.size <= (this.#groups.get(group)?.size ?? 0) + 1) return undefined;
    return [...longest].at(-1);
  }
}
