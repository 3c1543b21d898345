import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addStatement, type SignerRevocations } from '../../../shim/memory/signed-revocations.ts';
import { type Digest, parseDigest } from '../../../workflows/format/digest.ts';

const [OLD, NOW, THIEF] = ['a', 'b', 'c'].map((digit) => digit.repeat(64)) as [string, string, string]; // as many as went in

const digests = (from: number, count: number): Digest[] =>
  Array.from({ length: count }, (_, i) => parseDigest(`sha256:${(from + i).toString(16).padStart(64, '0')}`)).filter(
    (one) => one !== undefined,
  );

const list = (name: string, from: number, count: number) => [{ name, revision: 1, digests: digests(from, count) }];

/** Adds statements in turn; the last one is answered. */
function add(
  isTrusted: (keyId: string) => boolean,
  ...statements: readonly (readonly [string, ReturnType<typeof list>])[]
) {
  let all: readonly SignerRevocations[] = [];
  for (const [keyId, stated] of statements.slice(0, -1)) {
    const next = addStatement(all, keyId, stated, isTrusted);
    assert.ok(next !== undefined);
    all = next;
  }
  const [keyId, stated] = statements.at(-1) ?? ['', []];
  return addStatement(all, keyId, stated, isTrusted);
}

const countOf = (all: readonly SignerRevocations[] | undefined, keyId: string) =>
  all?.find((one) => one.keyId === keyId)?.revocations.flatMap((one) => one.digests).length;

describe('what keys revoked', () => {
  it('leaves room for other keys, however much a stolen one states', () => {
    assert.equal(
      add(() => true, [THIEF, list('t', 0, 5_001)]),
      undefined,
    );
    const all = add(() => true, [THIEF, list('t', 0, 5_000)], [NOW, list('n', 9_000, 1_500)]);
    assert.equal(countOf(all, NOW), 1_500);
  });

  const keys = ['d', 'e', 'f'].map((digit) => [digit.repeat(64), list(digit, 10_000, 5_000)] as const);
  const full = [[OLD, list('x', 0, 4_900)] as const, ...keys];

  it('goes for want of room when its key is over and the next one repeats it', () => {
    const all = add((keyId) => keyId !== OLD, ...full, [NOW, list('x', 0, 4_900)]);
    assert.deepEqual([countOf(all, OLD), countOf(all, NOW)], [undefined, 4_900]);
  });

  it('stays when its key is trusted, or the next one does not repeat all of it', () => {
    assert.equal(
      add(() => true, ...full, [NOW, list('x', 0, 4_900)]),
      undefined,
    );
    assert.equal(
      add((keyId) => keyId !== OLD, ...full, [NOW, list('x', 1, 4_900)]),
      undefined,
    );
  });
});
