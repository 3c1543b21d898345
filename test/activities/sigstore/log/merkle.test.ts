import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  checkConsistency,
  checkConsistencyNodes,
  emptyRoot,
  isIncluded,
  isPowerOfTwo,
  leafHash,
  nodeHash,
} from '../../../../activities/sigstore/log/merkle.ts';
import { MerkleTree } from '../../../support/virtual-sigstore/merkle-tree.ts';

const MAX_SIZE = 48;
const tree = grow('entry', MAX_SIZE);
const other = grow('other', MAX_SIZE);
const sizes = fc.integer({ min: 1, max: MAX_SIZE });
const twoSizes = fc.tuple(sizes, sizes).filter(([first, second]) => first < second);

describe('an inclusion proof', () => {
  it('holds for every leaf of every small tree', () => {
    for (let size = 1; size <= MAX_SIZE; size++) {
      for (let index = 0; index < size; index++) assert.equal(included(index, size), true, `${index} of ${size}`);
    }
  });

  it('does not hold at another place, in another tree, or for another leaf', () => {
    fc.assert(
      fc.property(sizes, fc.nat(), fc.nat(MAX_SIZE), (size, seed, elsewhere) => {
        const index = seed % size;
        const path = tree.inclusion(index, size);
        if (elsewhere !== index) assert.equal(included(elsewhere, size, path), false);
        assert.equal(isIncluded(leaf(index), place(index, size), path, other.root(size)), false);
        assert.equal(isIncluded(leafHash(Buffer.from('foreign')), place(index, size), path, tree.root(size)), false);
      }),
    );
  });

  it('does not hold once a hash is changed, added, left out or cut', () => {
    fc.assert(
      fc.property(sizes, fc.nat(), fc.nat(), (size, seed, position) => {
        const index = seed % size;
        for (const path of alterations(tree.inclusion(index, size), position)) {
          assert.equal(included(index, size, path), false);
        }
      }),
    );
  });

  it('does not hold when it ends before the root of the tree', () => {
    assert.equal(isIncluded(leaf(0), { index: 0n, treeSize: 2n }, [], leaf(0)), false);
    assert.equal(isIncluded(leaf(0), place(0, 4), tree.inclusion(0, 2), tree.root(2)), false);
  });

  it('does not hold when it goes on beyond the root of the tree', () => {
    const beyond = nodeHash(leaf(0), leaf(1));
    assert.equal(isIncluded(leaf(0), { index: 0n, treeSize: 1n }, [leaf(1)], beyond), false);
  });

  it('does not hold for an index outside of the tree', () => {
    for (const index of [-1n, 1n, 2n ** 64n]) {
      assert.equal(isIncluded(leaf(0), { index, treeSize: 1n }, [], tree.root(1)), false);
    }
    assert.equal(isIncluded(leaf(0), { index: 0n, treeSize: 0n }, [], leaf(0)), false);
  });
});

describe('a consistency proof', () => {
  it('holds for every pair of small trees', () => {
    for (let second = 1; second <= MAX_SIZE; second++) {
      for (let first = 0; first <= second; first++) {
        assert.equal(consistency(first, second), 'consistent', `${first} to ${second}`);
      }
    }
  });

  it('shows nothing once a hash is changed, added, left out or cut', () => {
    fc.assert(
      fc.property(twoSizes, fc.nat(), ([first, second], position) => {
        for (const proof of alterations(tree.consistency(first, second), position)) {
          assert.equal(consistency(first, second, proof), 'unproven');
        }
      }),
    );
  });

  it('shows nothing when it is of other sizes', () => {
    fc.assert(
      fc.property(twoSizes, twoSizes, ([first, second], [third, fourth]) => {
        fc.pre(first !== third || second !== fourth);
        assert.notEqual(consistency(first, second, tree.consistency(third, fourth)), 'inconsistent');
      }),
    );
  });

  it('convicts a log of two histories, with the hashes of the second tree', () => {
    fc.assert(
      fc.property(twoSizes, ([first, second]) => {
        const proof = tree.consistency(first, second);
        const split = checkConsistency(head(other, first), head(tree, second), proof);
        // Where the first tree is one whole subtree, the proof says nothing of it: a bad proof would look the same.
        assert.equal(split, isPowerOfTwo(BigInt(first)) ? 'unproven' : 'inconsistent');
        const start = isPowerOfTwo(BigInt(first)) ? [tree.root(first)] : [];
        assert.equal(
          checkConsistencyNodes(head(other, first), head(tree, second), [...start, ...proof]),
          'inconsistent',
        );
        assert.equal(checkConsistencyNodes(head(tree, first), head(tree, second), [...start, ...proof]), 'consistent');
      }),
    );
  });

  it('shows nothing when a byte moves from one node to the next, which leaves the hashed bytes the same', () => {
    const [start, ...path] = tree.consistency(3, 4);
    const [second, ...rest] = path;
    assert.ok(start !== undefined && second !== undefined);
    const moved = [start.subarray(0, 31), Buffer.concat([start.subarray(31), second]), ...rest];
    assert.equal(checkConsistencyNodes(head(tree, 3), head(tree, 4), [start, ...path]), 'consistent');
    assert.equal(checkConsistencyNodes(head(tree, 3), head(tree, 4), moved), 'unproven');
  });

  it('shows nothing when one node alone has another length', () => {
    for (const [first, second] of [
      [3, 7],
      [6, 11],
    ] as const) {
      const nodes = tree.consistency(first, second);
      for (const at of nodes.keys()) {
        for (const bytes of [Buffer.alloc(31), Buffer.alloc(33), Buffer.alloc(0)]) {
          assert.equal(checkConsistencyNodes(head(tree, first), head(tree, second), nodes.with(at, bytes)), 'unproven');
        }
      }
    }
  });

  it('shows nothing from an empty tree, and nothing for sizes below it', () => {
    for (const treeSize of [0n, -1n]) {
      const empty = { treeSize, rootHash: emptyRoot() };
      assert.equal(checkConsistencyNodes(empty, head(tree, 1), [tree.root(1)]), 'unproven');
    }
  });

  it('shows nothing when it goes on beyond the root of the second tree', () => {
    const [first, second] = [head(tree, 2), head(tree, 3)];
    const beyond = { treeSize: second.treeSize, rootHash: nodeHash(second.rootHash, leaf(4)) };
    assert.equal(checkConsistency(first, beyond, [...tree.consistency(2, 3), leaf(4)]), 'unproven');
  });

  it('is not needed for one size: the roots are the same, or there are two histories', () => {
    assert.equal(checkConsistency(head(tree, 9), head(tree, 9), []), 'consistent');
    assert.equal(checkConsistency(head(tree, 9), head(other, 9), []), 'inconsistent');
  });

  it('shows nothing from a larger tree to a smaller one', () => {
    assert.equal(checkConsistency(head(tree, 9), head(tree, 8), tree.consistency(8, 9)), 'unproven');
    assert.equal(checkConsistencyNodes(head(tree, 9), head(tree, 9), [tree.root(9)]), 'unproven');
    assert.equal(checkConsistencyNodes(head(tree, 3), head(tree, 9), []), 'unproven');
  });

  it('holds for sizes beyond 2^53', () => {
    const first = { treeSize: 2n ** 60n, rootHash: tree.root(1) };
    const right = leaf(1);
    const second = { treeSize: 2n ** 61n, rootHash: tree.root(2) };
    assert.equal(checkConsistency(first, second, [right]), 'consistent');
  });
});

describe('isPowerOfTwo', () => {
  it('knows the sizes of perfect trees', () => {
    const powers = [-2n, -1n, 0n, 1n, 2n, 3n, 4n, 6n, 2n ** 60n].filter(isPowerOfTwo);
    assert.deepEqual(powers, [1n, 2n, 4n, 2n ** 60n]);
  });
});

function included(index: number, size: number, path = tree.inclusion(index, size)): boolean {
  return isIncluded(leaf(index), place(index, size), path, tree.root(size));
}

function consistency(first: number, second: number, proof = tree.consistency(first, second)) {
  return checkConsistency(head(tree, first), head(tree, second), proof);
}

function alterations(hashes: readonly Buffer[], position: number): readonly (readonly Buffer[])[] {
  const foreign = leafHash(Buffer.from('foreign'));
  const altered: (readonly Buffer[])[] = [[...hashes, foreign]];
  if (hashes.length === 0) return altered;
  const at = position % hashes.length;
  const old = hashes[at] ?? foreign;
  const flipped = Buffer.from(old);
  flipped[0] = (flipped[0] ?? 0) ^ 1;
  altered.push(hashes.with(at, foreign), hashes.with(at, flipped), hashes.with(at, old.subarray(1)));
  altered.push(hashes.toSpliced(at, 1), hashes.toSpliced(at, 0, foreign));
  return altered;
}

function grow(name: string, size: number): MerkleTree {
  const grown = new MerkleTree();
  for (let index = 0; index < size; index++) grown.append(Buffer.from(`${name} ${index}`));
  return grown;
}

function leaf(index: number): Buffer {
  return leafHash(Buffer.from(`entry ${index}`));
}

function place(index: number, size: number) {
  return { index: BigInt(index), treeSize: BigInt(size) };
}

function head(of: MerkleTree, size: number) {
  return { treeSize: BigInt(size), rootHash: of.root(size) };
}
