import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ReasonCode } from '../../../workflows/verdict/reason.ts';
import { decide, found, policy, rejected, satisfied } from './evidence.ts';

const names = fc.constantFrom('a', 'b', 'c');
const outcomes = fc.array(
  fc.oneof(
    fc.tuple(names, names, fc.integer({ min: 1, max: 3 })).map(([p, a, blob]) => satisfied(p, a, blob)),
    fc
      .tuple(names, names, fc.constantFrom<ReasonCode>('WRONG_KEY', 'SUBJECT_MISMATCH'))
      .map(([p, a, c]) => rejected(p, a, c)),
  ),
  { maxLength: 8 },
);
const matching = fc
  .uniqueArray(fc.tuple(names, fc.uniqueArray(names, { maxLength: 3 })), { selector: ([name]) => name, maxLength: 3 })
  .map((list) => list.map(([name, authorities]) => policy(name, ...authorities)));
const signatures = fc.uniqueArray(fc.integer({ min: 1, max: 3 })).map((blobs) => found(...blobs));

test('property: the order of the evidence makes no difference', () => {
  fc.assert(
    fc.property(matching, signatures, outcomes, (policies, set, list) => {
      const reversed = policies.map((one) => ({ ...one, authorities: one.authorities.toReversed() })).toReversed();
      const backwards = { ...set, signatures: set.signatures.toReversed() };
      assert.deepEqual(
        decide({ matching: reversed, signatures: backwards, outcomes: list.toReversed() }),
        decide({ matching: policies, signatures: set, outcomes: list }),
      );
    }),
  );
});

test('property: nothing that fails turns a refusal into an allow, and nothing missing does', () => {
  fc.assert(
    fc.property(matching, signatures, outcomes, names, names, (policies, set, list, p, a) => {
      const before = decide({ matching: policies, signatures: set, outcomes: list }).outcome;
      const more = decide({ matching: policies, signatures: set, outcomes: [...list, rejected(p, a, 'WRONG_KEY')] });
      assert.equal(more.outcome, before);
      if (before === 'allow') return;
      assert.equal(
        decide({ matching: [...policies, policy('z', 'z')], signatures: set, outcomes: list }).outcome,
        'deny',
      );
      assert.equal(decide({ matching: policies, signatures: set, outcomes: list.slice(1) }).outcome, 'deny');
      assert.equal(decide({ matching: policies, signatures: found(), outcomes: list }).outcome, 'deny');
    }),
  );
});

test('property: an allow has a signer for each matching policy', () => {
  fc.assert(
    fc.property(matching, signatures, outcomes, (policies, set, list) => {
      const { outcome, signers } = decide({ matching: policies, signatures: set, outcomes: list });
      if (outcome === 'deny') return;
      assert.ok(policies.length > 0);
      for (const { name } of policies) assert.ok(signers.some((signer) => signer.authority.startsWith(`${name}/`)));
    }),
    { numRuns: 500 },
  );
});
