import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BASES } from './negatives/bases.ts';
import { type Base, judgementOf, type Row } from './negatives/case.ts';
import { BUNDLE_ROWS, SIGNATURE_ROWS, STATEMENT_ROWS } from './negatives/envelope.ts';

const TABLES: Readonly<Record<string, readonly Row[]>> = {
  'the signature': SIGNATURE_ROWS,
  'the statement': STATEMENT_ROWS,
  'the bundle': BUNDLE_ROWS,
};
const ROWS = Object.values(TABLES).flat();

describe('evidence as it is published holds unbent', () => {
  for (const base of Object.values<Base>(BASES)) {
    it(base.name, () => assert.equal(judgementOf(base), 'valid'));
  }
});

for (const [subject, rows] of Object.entries(TABLES)) {
  describe(`one bent thing and its reason: ${subject}`, () => {
    for (const { what, base, code, bend } of rows) {
      it(`${base.name}: ${what} is ${code}`, () => {
        const judgement = judgementOf(base, bend);
        assert.equal(judgement.split(':')[0], code, judgement);
      });
    }
  });
}

describe('the table of negatives', () => {
  it('has at least 150 rows, no two of the same name, each over a base that is shown to hold', () => {
    const names = new Set(ROWS.map(({ base, what }) => `${base.name}: ${what}`));
    assert.equal(names.size, ROWS.length);
    assert.ok(ROWS.length >= 150, `${ROWS.length} rows`);
    const bases = new Set<Base>(Object.values(BASES));
    assert.deepEqual(
      ROWS.filter(({ base }) => !bases.has(base)),
      [],
    );
  });
});
