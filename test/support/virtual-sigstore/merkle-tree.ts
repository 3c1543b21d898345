import { sha256 } from './key-pair.ts';

/** Hashes in one full tile (C2SP tlog-tiles). */
export const TILE_WIDTH = 256;

/** A Merkle tree (RFC 6962 2.1) that keeps all its leaves, and every smaller tree that it once was. */
export class MerkleTree {
  readonly #leaves: Buffer[] = [];

  get size(): number {
    return this.#leaves.length;
  }

  /** Appends an entry; answers its index. */
  append(entry: Uint8Array): number {
    return this.#leaves.push(leafHash(entry)) - 1;
  }

  /** The root of the first `size` leaves. */
  root(size = this.size): Buffer {
    return this.#hash(0, size);
  }

  /** The audit path of a leaf in the tree of the first `size` leaves. */
  inclusion(index: number, size = this.size): readonly Buffer[] {
    return this.#path(index, 0, size);
  }

  /** That the tree of `first` leaves is a prefix of that of `second`. */
  consistency(first: number, second = this.size): readonly Buffer[] {
    return first === 0 || first === second ? [] : this.#subproof(first, 0, second, true);
  }

  /** The hashes of a tile: `width` of them, from `index * 256` on, each over 256^level leaves. */
  tile(level: number, index: number, width: number): Buffer {
    const span = TILE_WIDTH ** level;
    const hashes = Array.from({ length: width }, (_, n) => (index * TILE_WIDTH + n) * span);
    return Buffer.concat(hashes.map((start) => this.#hash(start, start + span)));
  }

  #hash(start: number, end: number): Buffer {
    const [first] = this.#leaves.slice(start, start + 1);
    if (end - start === 1 && first !== undefined) return first;
    if (end - start < 1) return sha256();
    const middle = start + split(end - start);
    return nodeHash(this.#hash(start, middle), this.#hash(middle, end));
  }

  #path(index: number, start: number, end: number): readonly Buffer[] {
    if (end - start <= 1) return [];
    const middle = start + split(end - start);
    return index < middle
      ? [...this.#path(index, start, middle), this.#hash(middle, end)]
      : [...this.#path(index, middle, end), this.#hash(start, middle)];
  }

  #subproof(first: number, start: number, end: number, whole: boolean): readonly Buffer[] {
    if (first === end) return whole ? [] : [this.#hash(start, end)];
    const middle = start + split(end - start);
    return first <= middle
      ? [...this.#subproof(first, start, middle, whole), this.#hash(middle, end)]
      : [...this.#subproof(first, middle, end, false), this.#hash(start, middle)];
  }
}

export function leafHash(entry: Uint8Array): Buffer {
  return sha256(Buffer.from([0]), entry);
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  return sha256(Buffer.from([1]), left, right);
}

/** The largest power of two below `size`. */
function split(size: number): number {
  let half = 1;
  while (half * 2 < size) half *= 2;
  return half;
}
