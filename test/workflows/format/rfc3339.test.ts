import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseRfc3339 } from '../../../workflows/format/rfc3339.ts';
import { parsePolicyHead } from '../../../workflows/verdict/policy-head.ts';
import type { Verdict } from '../../../workflows/verdict/verdict.ts';
import { fromStatement, toStatement } from '../../../workflows/verdict/verification-summary.ts';
import { anAllow } from '../../support/verdicts.ts';

/** What `Date.parse` reads and RFC 3339, or the calendar, does not have. */
const OTHER: readonly string[] = [
  '',
  '2099',
  '2026-01-31',
  '1 Jan 2099',
  'January 1, 2099',
  '2026-01-31T12:00Z',
  '2026-01-31T12:00:00',
  '2026-01-31 12:00:00Z',
  '2026-01-31t12:00:00z',
  '2026-01-31T24:00:00Z',
  '2026-01-31T12:60:00Z',
  '2026-01-31T12:00:60Z',
  '2026-01-31T12:00:00.Z',
  '2026-01-31T12:00:00,5Z',
  '2026-01-31T12:00:00.0123456789Z',
  '2026-01-31T12:00:00+0200',
  '2026-01-31T12:00:00+24:00',
  '2026-01-31T12:00:00Z ',
  ' 2026-01-31T12:00:00Z',
  '2026-01-31T12:00:00Z\n',
  '2026-02-29T12:00:00Z',
  '2026-06-31T12:00:00Z',
  '2026-00-10T12:00:00Z',
  '2026-13-10T12:00:00Z',
  '2026-01-00T12:00:00Z',
  '+002026-01-31T12:00:00Z',
];

describe('an RFC 3339 time', () => {
  it('is read with any zone and up to nine digits of a second', () => {
    assert.equal(parseRfc3339('2026-01-31T12:00:00Z'), Date.UTC(2026, 0, 31, 12));
    assert.equal(parseRfc3339('2028-02-29T23:59:59.123456789Z'), Date.UTC(2028, 1, 29, 23, 59, 59, 123));
    assert.equal(parseRfc3339('2026-01-31T12:00:00+02:30'), Date.UTC(2026, 0, 31, 9, 30));
    assert.equal(parseRfc3339('0001-01-01T00:00:00Z'), -62_135_596_800_000);
  });

  it('is what every date prints as', () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date(0), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true }),
        (date) => assert.equal(parseRfc3339(date.toISOString()), date.getTime()),
      ),
    );
  });

  for (const text of OTHER) {
    it(`is not read from ${JSON.stringify(text)}`, () => assert.equal(parseRfc3339(text), undefined));
  }

  it('is not read from what is not text', () => {
    for (const value of [undefined, null, true, 0, 1_900_000_000, {}, [], ['2026-01-31T12:00:00Z']]) {
      assert.equal(parseRfc3339(value), undefined);
    }
  });
});

describe('the times of signed statements', () => {
  const good = '2026-01-31T12:00:00.000Z';
  const head = { policyRevision: 'a'.repeat(64), statedAt: good, expiresAt: good };
  const key = { uri: 'awskms:///alias/a', resource: 'arn:a', checkedAt: good, keyIds: ['b'.repeat(64)] };

  it('of a policy head are RFC 3339', () => {
    assert.notEqual(parsePolicyHead({ ...head, keys: [key] }), undefined);
    for (const text of OTHER) {
      assert.equal(parsePolicyHead({ ...head, statedAt: text }), undefined, `statedAt ${text}`);
      assert.equal(parsePolicyHead({ ...head, expiresAt: text }), undefined, `expiresAt ${text}`);
      assert.equal(parsePolicyHead({ ...head, keys: [{ ...key, checkedAt: text }] }), undefined, `checkedAt ${text}`);
    }
  });

  it('of a verdict are RFC 3339 in UTC with milliseconds', () => {
    const verdict: Verdict = anAllow({ decidedAt: good, expiresAt: good });
    assert.equal(fromStatement(toStatement(verdict))?.decidedAt, good);
    for (const text of [...OTHER, '2026-02-31T12:00:00.000Z']) {
      assert.equal(fromStatement(toStatement({ ...verdict, decidedAt: text })), undefined, `decidedAt ${text}`);
      assert.equal(fromStatement(toStatement({ ...verdict, expiresAt: text })), undefined, `expiresAt ${text}`);
    }
  });
});
