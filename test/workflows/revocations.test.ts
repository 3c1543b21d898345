import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  mergeRevocations,
  NO_REVOCATIONS,
  parseRevocations,
  parseUnnamedRevocations,
  type RevocationList,
  type Revocations,
  revokedDigests,
} from '../../workflows/revocations.ts';
import { digestOf } from '../support/verdicts.ts';

const [A, B, C] = [digestOf('0a'), digestOf('0b'), digestOf('0c')];

const list = (name: string, revision: number, ...digests: RevocationList['digests']): RevocationList => ({
  ...{ name, revision, digests },
});

const anyList = fc.record({
  name: fc.constantFrom('one', 'two', 'three'),
  revision: fc.nat(3),
  digests: fc.uniqueArray(fc.constantFrom(A, B, C)),
});

const anyStatement = fc.uniqueArray(anyList, { selector: ({ name }) => name });

function mergeAll(statements: readonly Revocations[]): Revocations {
  return statements.reduce((known, stated) => {
    const merged = mergeRevocations(known, stated);
    assert.ok(merged !== undefined);
    return merged;
  }, NO_REVOCATIONS);
}

describe('mergeRevocations', () => {
  it('gives the same result in any order and however often a statement comes', () => {
    const shuffled = fc
      .array(anyStatement)
      .chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })));
    const property = fc.property(shuffled, ([statements, reordered]) => {
      assert.deepEqual(mergeAll([...reordered, ...statements]), mergeAll(statements));
    });
    fc.assert(property);
  });

  it('ends no revocation unless a higher revision of the same list leaves the digest out', () => {
    const property = fc.property(fc.array(anyStatement), anyStatement, (before, stated) => {
      const known = mergeAll(before);
      const after = mergeAll([known, stated]);
      for (const { name, revision, digests } of known) {
        const [now] = after.filter((one) => one.name === name);
        const isEnded = stated.some((one) => one.name === name && one.revision > revision);
        assert.ok(now !== undefined && (isEnded || digests.every((digest) => now.digests.includes(digest))));
      }
    });
    fc.assert(property);
  });

  const known = [list('one', 2, A), list('two', 0, B)];
  for (const [what, stated, expected] of [
    ['a statement without lists', [], known],
    ['an older revision', [list('one', 1, C)], known],
    ['the same revision with another digest', [list('one', 2, C)], [list('one', 2, A, C), list('two', 0, B)]],
    ['a higher revision that is empty', [list('one', 3)], [list('one', 3), list('two', 0, B)]],
    ['a list with a new name', [list('three', 0, A)], [list('one', 2, A), list('three', 0, A), list('two', 0, B)]],
  ] as const) {
    it(`with ${what}`, () => assert.deepEqual(mergeRevocations(known, stated), expected));
  }

  it('accepts no statement that makes the lists larger than what may be kept', () => {
    const flood = Array.from({ length: 2_000 }, (_, i) => list(`list-${i}`, 0, A));
    assert.equal(mergeRevocations(NO_REVOCATIONS, flood)?.length, 2_000);
    assert.equal(mergeRevocations([list('one', 0, A)], flood), undefined);
  });
});

describe('parseRevocations', () => {
  it('reads what was merged, and sorts what was not', () => {
    const merged = mergeAll([[list('two', 1, C, A)], [list('one', 0, B)]]);
    assert.deepEqual(parseRevocations(JSON.parse(JSON.stringify(merged))), merged);
    assert.deepEqual(parseRevocations([list('two', 1, C, A, C), list('one', 0, B)]), merged);
    assert.deepEqual(
      [...revokedDigests(merged)],
      [
        [B, 'one'],
        [A, 'two'],
        [C, 'two'],
      ],
    );
  });

  for (const [what, json] of [
    ['something that is not a list', { one: [A] }],
    ['a list without a name', [{ revision: 0, digests: [A] }]],
    ['a name with a slash', [list('a/b', 0, A)]],
    ['one name twice', [list('one', 0, A), list('one', 1, B)]],
    ['a negative revision', [list('one', -1, A)]],
    ['half a revision', [list('one', 0.5, A)]],
    ['a revision that is not exact', [list('one', 2 ** 53, A)]],
    ['a revision in quotes', [{ ...list('one', 1, A), revision: '1' }]],
    ['digests that are not a list', [{ name: 'one', revision: 1, digests: A }]],
    ['a digest in upper case', [{ name: 'one', revision: 1, digests: [A, B.toUpperCase()] }]],
    ['too many digests', [{ name: 'one', revision: 1, digests: Array.from({ length: 20_001 }, () => A) }]],
    ['too many lists', Array.from({ length: 2_001 }, (_, i) => list(`list-${i}`, 0))],
  ] as const) {
    it(`refuses ${what}`, () => assert.equal(parseRevocations(json), undefined));
  }

  it('reads the flat list of older statements under a name by which it can be ended', () => {
    assert.deepEqual(parseUnnamedRevocations([B, A]), [list('unnamed', 0, A, B)]);
    assert.equal(parseUnnamedRevocations([A, 'sha256:ab']), undefined);
    const [older = list('', 0)] = parseUnnamedRevocations([A]) ?? [];
    assert.deepEqual(mergeRevocations([older], [list('unnamed', 1)]), [list('unnamed', 1)]);
  });
});
