import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ATTACHED_ROWS } from './negatives/attached.ts';
import { BASES } from './negatives/bases.ts';
import { BESIDE_POSITIVES, BESIDE_ROWS } from './negatives/beside.ts';
import { BUNDLE_ROWS } from './negatives/bundle.ts';
import { type Base, judgementOf, type Row } from './negatives/case.ts';
import { CERTIFICATE_ROWS } from './negatives/certificate.ts';
import { CLAIM_ROWS, IDENTITY_POSITIVES, IDENTITY_ROWS } from './negatives/identity.ts';
import { LEGACY_POSITIVES, LEGACY_ROWS } from './negatives/legacy.ts';
import { LOG_BODY_ROWS } from './negatives/log-body.ts';
import { LOG_V1_ROWS } from './negatives/log-v1.ts';
import { LOG_V2_ROWS } from './negatives/log-v2.ts';
import { POSITIVES } from './negatives/positives.ts';
import { SCT_ROWS } from './negatives/sct.ts';
import { SIGNATURE_ROWS } from './negatives/signature.ts';
import { STATEMENT_ROWS } from './negatives/statement.ts';
import { TIME_ROWS } from './negatives/times.ts';
import { TIMESTAMP_ROWS } from './negatives/timestamp.ts';

const TABLES: Readonly<Record<string, readonly Row[]>> = {
  'the signature': SIGNATURE_ROWS,
  'the statement': STATEMENT_ROWS,
  'the bundle': BUNDLE_ROWS,
  'the certificate': CERTIFICATE_ROWS,
  'the identity': IDENTITY_ROWS,
  'the claims': CLAIM_ROWS,
  'certificate timestamps': SCT_ROWS,
  'Rekor v1': LOG_V1_ROWS,
  'Rekor v2': LOG_V2_ROWS,
  'what was logged': LOG_BODY_ROWS,
  'signed timestamps': TIMESTAMP_ROWS,
  'times of signing': TIME_ROWS,
  'a second piece beside a good one': BESIDE_ROWS,
  '.sig layers': LEGACY_ROWS,
  '.att layers': ATTACHED_ROWS,
};
const ROWS = Object.values(TABLES).flat();

describe('evidence as it is published holds unbent', () => {
  for (const base of Object.values<Base>(BASES)) {
    it(base.name, () => assert.equal(judgementOf(base), 'valid'));
  }
});

describe('what differs and still holds', () => {
  for (const [base, what, bend] of [...POSITIVES, ...BESIDE_POSITIVES, ...IDENTITY_POSITIVES, ...LEGACY_POSITIVES]) {
    it(`${base.name}: ${what}`, () => assert.equal(judgementOf(base, bend), 'valid'));
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
