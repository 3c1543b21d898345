import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fromStatement, toStatement } from '../../workflows/verdict/verification-summary.ts';
import { anAllow } from '../support/verdicts.ts';

const later = '2099-01-01T00:00:00.000Z';
const offline = anAllow({ offlineUntil: later, workerSilenceMs: 900_000 });

/** What a node reads when `portcullis` of the signed statement is changed. */
function readWith(changes: object): unknown {
  const statement = JSON.parse(JSON.stringify(toStatement(offline)));
  Object.assign(statement.predicate.portcullis, changes);
  return fromStatement(statement);
}

describe('the time for which workers must be silent', () => {
  it('travels in the signed statement', () => assert.deepEqual(fromStatement(toStatement(offline)), offline));

  for (const [what, changes] of [
    ['negative', { workerSilenceMs: -1 }],
    ['a fraction', { workerSilenceMs: 0.5 }],
    ['text', { workerSilenceMs: '900000' }],
    ['nothing', { workerSilenceMs: null }],
    ['more than any time', { workerSilenceMs: Number.MAX_VALUE }],
    ['of a verdict that is not for nodes without a backend', { offlineUntil: undefined }],
  ] as const) {
    it(`is not read when it is ${what}`, () => assert.equal(readWith(changes), undefined));
  }
});
