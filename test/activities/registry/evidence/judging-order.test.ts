import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inJudgingOrder, partOf } from '../../../../activities/registry/evidence/judging-order.ts';
import type { FoundSignature } from '../../../../activities/registry/evidence/signature-artefact.ts';
import { digestOf } from '../../../support/verdicts.ts';

const MIB = 1024 * 1024;
const SIGN = 'https://sigstore.dev/cosign/sign/v1';

function found(name: string, size: number, predicateType = SIGN): FoundSignature {
  const [manifest, blob] = [digestOf('aa'), digestOf(name)];
  return { reference: { format: 'bundle', place: 'referrers', source: {}, manifest, blob }, predicateType, size };
}
const namesOf = (some: readonly FoundSignature[]) => some.map(({ reference }) => reference.blob.slice(7, 9));

describe('the order in which evidence is judged', () => {
  it('puts what is small before all that is large, and of that the smaller first', () => {
    const crowd = [found('01', 60 * MIB), found('02', 9 * MIB, 'sbom'), found('03', MIB), found('04', 900)];
    assert.deepEqual(namesOf(inJudgingOrder(crowd)), ['04', '03', '02', '01']);
  });

  it('gives kinds their turns among what is small', () => {
    const some = [found('01', 900), found('02', 900), found('03', 900, 'sbom'), found('04', 256 * 1024)];
    assert.deepEqual(namesOf(inJudgingOrder(some)), ['01', '03', '02', '04']);
  });

  it('ends a part after 50 pieces or 256 MiB, and never without a piece', () => {
    assert.equal(partOf(Array.from({ length: 80 }, () => found('01', 900))), 50);
    assert.equal(partOf(Array.from({ length: 80 }, () => found('01', 60 * MIB))), 4);
    assert.equal(partOf([found('01', 900), ...Array.from({ length: 80 }, () => found('01', 64 * MIB))]), 4);
    assert.equal(partOf([found('01', 900 * MIB), found('02', 900)]), 1);
    assert.equal(partOf([]), 0);
  });
});
