import { MAX_CACHED_TILES } from '../limits.ts';
import { nodeHash } from '../sigstore/log/merkle.ts';
import { HASH_BYTES, type Range, type Subtree, subtreesOf, TILE_WIDTH, type Tile, tileOf, tilePath } from './tile.ts';

/** Fetches the bytes of a tile; `undefined` for a partial one that gave way to the full one. */
export type FetchTile = (path: string, maxBytes: number, signal: AbortSignal) => Promise<Uint8Array | undefined>;

/** The hashes that were read for one proof. */
export interface ReadRanges {
  /** The root of each range, in the order asked for. */
  readonly roots: readonly Uint8Array[];
  /** True when some of them came from tiles that were read before. */
  readonly fromCache: boolean;
  /** Keeps the tiles that were read now; to be called once they have been found to be the log's. */
  keep(): void;
}

/** Reads the hashes of a tiled log, with as few requests as the tiles allow. Nothing that it reads is verified here. */
export class TileReader {
  readonly #fetch: FetchTile;
  /** By level and index, the widest that was read; least recently used first. */
  readonly #tiles = new Map<string, Uint8Array>();

  constructor(fetch: FetchTile) {
    this.#fetch = fetch;
  }

  /** The roots of ranges in a tree of `treeSize`. Throws what the fetching throws. */
  async read(ranges: readonly Range[], treeSize: bigint, signal: AbortSignal): Promise<ReadRanges> {
    const needed = new Map<string, Tile & { end: number }>();
    for (const subtree of ranges.flatMap(subtreesOf)) {
      const { from, count, ...tile } = tileOf(subtree, treeSize);
      const end = Math.max(from + count, needed.get(keyOf(tile))?.end ?? 0);
      needed.set(keyOf(tile), { ...tile, end });
    }
    let fromCache = false;
    const tiles = new Map<string, Uint8Array>();
    const load = async ([key, tile]: readonly [string, Tile & { end: number }]) => {
      const known = this.#tiles.get(key);
      const isEnough = known !== undefined && known.length >= tile.end * HASH_BYTES;
      if (isEnough) fromCache = true;
      tiles.set(key, isEnough ? known : await this.#load(tile, signal));
    };
    await Promise.all([...needed].map(load));
    return {
      roots: ranges.map((range) => rootOf(range, treeSize, tiles)),
      fromCache,
      keep: () => {
        for (const [key, bytes] of tiles) this.#keep(key, bytes);
      },
    };
  }

  /** Forgets all tiles. */
  clear(): void {
    this.#tiles.clear();
  }

  /** Logs may delete a partial tile once the full one is there (C2SP tlog-tiles, partial tiles). */
  async #load(tile: Tile, signal: AbortSignal): Promise<Uint8Array> {
    const partial = await this.#fetch(tilePath(tile), tile.width * HASH_BYTES, signal);
    if (partial !== undefined) return partial;
    const full = { ...tile, width: TILE_WIDTH };
    return (await this.#fetch(tilePath(full), TILE_WIDTH * HASH_BYTES, signal)) ?? new Uint8Array(0);
  }

  #keep(key: string, bytes: Uint8Array): void {
    const known = this.#tiles.get(key);
    this.#tiles.delete(key);
    this.#tiles.set(key, known !== undefined && known.length > bytes.length ? known : bytes);
    const [oldest] = this.#tiles.keys();
    if (this.#tiles.size > MAX_CACHED_TILES && oldest !== undefined) this.#tiles.delete(oldest);
  }
}

function rootOf(range: Range, treeSize: bigint, tiles: ReadonlyMap<string, Uint8Array>): Uint8Array {
  return subtreesOf(range)
    .map((subtree) => subtreeRoot(subtree, treeSize, tiles))
    .reduceRight((right, left) => nodeHash(left, right));
}

function subtreeRoot(subtree: Subtree, treeSize: bigint, tiles: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const { from, count, ...tile } = tileOf(subtree, treeSize);
  const bytes = tiles.get(keyOf(tile)) ?? new Uint8Array(0);
  let hashes = Array.from({ length: count }, (_, at) =>
    bytes.subarray((from + at) * HASH_BYTES, (from + at + 1) * HASH_BYTES),
  );
  while (hashes.length > 1) hashes = pairs(hashes);
  return hashes[0] ?? new Uint8Array(0);
}

function pairs(hashes: readonly Uint8Array[]): Uint8Array[] {
  const parents: Uint8Array[] = [];
  for (let at = 0; at + 1 < hashes.length; at += 2) {
    const [left, right] = hashes.slice(at, at + 2);
    if (left !== undefined && right !== undefined) parents.push(nodeHash(left, right));
  }
  return parents;
}

function keyOf({ level, index }: { readonly level: bigint; readonly index: bigint }): string {
  return `${level}/${index}`;
}
