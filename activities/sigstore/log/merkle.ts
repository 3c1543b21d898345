import { createHash } from 'node:crypto';

/** Hash of a log entry (RFC 6962 section 2.1). */
export function leafHash(entry: Uint8Array): Buffer {
  return createHash('sha256').update('\0').update(entry).digest();
}

/** Hash of two neighbouring subtrees (RFC 6962 section 2.1). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  return createHash('sha256').update('\x01').update(left).update(right).digest();
}

/** The root of the empty tree (RFC 6962 section 2.1). */
export function emptyRoot(): Buffer {
  return createHash('sha256').digest();
}

/** Where a leaf is said to be: counted from 0. */
export interface LeafPlace {
  readonly index: bigint;
  readonly treeSize: bigint;
}

/** True when the leaf is at its place in the tree with this root (RFC 9162 section 2.1.3.2). */
export function isIncluded(
  leaf: Uint8Array,
  { index, treeSize }: LeafPlace,
  path: readonly Uint8Array[],
  root: Uint8Array,
): boolean {
  if (index < 0n || index >= treeSize || ![leaf, root, ...path].every(isHash)) return false;
  let node = index;
  let last = treeSize - 1n;
  let hash: Uint8Array = leaf;
  for (const sibling of path) {
    if (last === 0n) return false;
    if (isOdd(node) || node === last) {
      hash = nodeHash(sibling, hash);
      while (!isOdd(node) && node !== 0n) {
        node >>= 1n;
        last >>= 1n;
      }
    } else {
      hash = nodeHash(hash, sibling);
    }
    node >>= 1n;
    last >>= 1n;
  }
  return last === 0n && equal(hash, root);
}

/** A tree as a checkpoint states it. */
export interface TreeHead {
  readonly treeSize: bigint;
  readonly rootHash: Uint8Array;
}

/**
 * What a consistency proof shows.
 * `consistent`: the first tree is a prefix of the second.
 * `inconsistent`: it is not. The hashes are those of the second tree, for they add up to its root, and the same hashes
 * add up to another root for the first: whoever signed both trees has shown two histories.
 * `unproven`: the hashes add up to nothing, and show nothing, neither way.
 */
export type Consistency = 'consistent' | 'inconsistent' | 'unproven';

/** Verifies a consistency proof (RFC 9162 section 2.1.4.2) from `first` to the `second`, which is as large or larger. */
export function checkConsistency(first: TreeHead, second: TreeHead, proof: readonly Uint8Array[]): Consistency {
  if (first.treeSize === second.treeSize) return equal(first.rootHash, second.rootHash) ? 'consistent' : 'inconsistent';
  if (first.treeSize === 0n) return equal(first.rootHash, emptyRoot()) ? 'consistent' : 'inconsistent';
  // The proof of a whole subtree leaves its root out, for the asker has it.
  const nodes = isPowerOfTwo(first.treeSize) ? [first.rootHash, ...proof] : proof;
  return checkConsistencyNodes(first, second, nodes);
}

/**
 * The same for sizes that differ and are not 0, from the whole list of nodes: the one where the trees part stands first,
 * also when it is all of the first tree. With that node from the second tree every split view can be told from a bad proof.
 */
export function checkConsistencyNodes(first: TreeHead, second: TreeHead, nodes: readonly Uint8Array[]): Consistency {
  const [start, ...path] = nodes;
  if (start === undefined || first.treeSize <= 0n || first.treeSize >= second.treeSize || !nodes.every(isHash)) {
    return 'unproven';
  }
  const roots = addUp(first.treeSize, second.treeSize, start, path);
  if (roots === undefined || !equal(roots.second, second.rootHash)) return 'unproven';
  return equal(roots.first, first.rootHash) ? 'consistent' : 'inconsistent';
}

function addUp(
  firstSize: bigint,
  secondSize: bigint,
  start: Uint8Array,
  path: readonly Uint8Array[],
): { readonly first: Uint8Array; readonly second: Uint8Array } | undefined {
  let node = firstSize - 1n;
  let last = secondSize - 1n;
  while (isOdd(node)) {
    node >>= 1n;
    last >>= 1n;
  }
  let first = start;
  let second = start;
  for (const hash of path) {
    if (last === 0n) return undefined;
    if (isOdd(node) || node === last) {
      first = nodeHash(hash, first);
      second = nodeHash(hash, second);
      while (!isOdd(node) && node !== 0n) {
        node >>= 1n;
        last >>= 1n;
      }
    } else {
      second = nodeHash(second, hash);
    }
    node >>= 1n;
    last >>= 1n;
  }
  return last === 0n ? { first, second } : undefined;
}

/** True for sizes whose whole tree is one perfect subtree. */
export function isPowerOfTwo(size: bigint): boolean {
  return size > 0n && (size & (size - 1n)) === 0n;
}

function isOdd(value: bigint): boolean {
  return (value & 1n) === 1n;
}

function isHash(bytes: Uint8Array): boolean {
  return bytes.length === 32;
}

function equal(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}
