/** Geometry of hash tiles (C2SP tlog-tiles): which tiles a consistency proof needs, and where they are. */

const HEIGHT = 8n;
export const TILE_WIDTH = 256;
export const HASH_BYTES = 32;

/** A whole subtree of 2^level leaves, the `index`th of its level. */
export interface Subtree {
  readonly level: bigint;
  readonly index: bigint;
}

/** One tile, and how many hashes a tree of the size at hand has of it. */
export interface Tile {
  readonly level: bigint;
  readonly index: bigint;
  readonly width: number;
}

/** Leaves from `start` up to, and without, `end`. */
export interface Range {
  readonly start: bigint;
  readonly end: bigint;
}

/**
 * The ranges whose roots are a consistency proof (RFC 9162 section 2.1.4.2) from `first` to `second` entries, where
 * 0 < first < second: in the order in which the proof is added up, with the one where the trees part at its head.
 */
export function consistencyRanges(first: bigint, second: bigint): readonly Range[] {
  let level = 0n;
  let node = first - 1n;
  let last = second - 1n;
  const ranges: Range[] = [];
  const add = (index: bigint) => {
    const end = (index + 1n) << level;
    ranges.push({ start: index << level, end: end < second ? end : second });
  };
  const up = () => {
    node >>= 1n;
    last >>= 1n;
    level += 1n;
  };
  while ((node & 1n) === 1n) up();
  add(node);
  while (last > 0n) {
    if ((node & 1n) === 1n) add(node - 1n);
    else if (node < last) add(node + 1n);
    up();
  }
  return ranges;
}

/** The whole subtrees that a range splits into (RFC 9162 section 2.1.1), from left to right. */
export function subtreesOf({ start, end }: Range): readonly Subtree[] {
  const size = end - start;
  const level = BigInt(size.toString(2).length - 1);
  const whole = 1n << level;
  const first = { level, index: start >> level };
  return whole === size ? [first] : [first, ...subtreesOf({ start: start + whole, end })];
}

/** The tile that holds a subtree's hashes, in a tree of `treeSize`; `from` and `count` say which of them. */
export function tileOf({ level, index }: Subtree, treeSize: bigint): Tile & { from: number; count: number } {
  const tileLevel = level / HEIGHT;
  const rise = level % HEIGHT;
  const first = index << rise;
  const tileIndex = first >> HEIGHT;
  const hashes = (treeSize >> (HEIGHT * tileLevel)) - (tileIndex << HEIGHT);
  return {
    level: tileLevel,
    index: tileIndex,
    width: Number(hashes < BigInt(TILE_WIDTH) ? hashes : BigInt(TILE_WIDTH)),
    from: Number(first - (tileIndex << HEIGHT)),
    count: 2 ** Number(rise),
  };
}

/** `tile/<L>/<N>[.p/<W>]`, the index in groups of three digits. */
export function tilePath({ level, index, width }: Tile): string {
  const digits = String(index);
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, '0').match(/.{3}/g) ?? [];
  const name = groups.map((group, at) => (at < groups.length - 1 ? `x${group}` : group)).join('/');
  return `tile/${level}/${name}${width < TILE_WIDTH ? `.p/${width}` : ''}`;
}
