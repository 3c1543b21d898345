import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Verdict } from '../../../workflows/verdict/verdict.ts';
import { goodUntil, usableUntil, workerSilenceMs } from '../../../workflows/verdict/verdict-times.ts';
import { anAllow } from '../../support/verdicts.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const NOW = Date.parse('2030-01-01T00:00:00.000Z');
const NEVER = '2099-01-01T00:00:00.000Z';
const at = (ms: number) => new Date(NOW + ms).toISOString();

/** In ms after it was decided. */
function timesOf(changes: Partial<Verdict>): readonly [number, number] {
  const verdict = anAllow({ decidedAt: at(0), expiresAt: at(5 * MINUTE), ...changes });
  return [goodUntil(verdict) - NOW, usableUntil(verdict) - NOW];
}

describe('the time of a verdict', () => {
  const cases: readonly (readonly [string, Partial<Verdict>, number, number])[] = [
    ['is its own', {}, 5 * MINUTE, 5 * MINUTE],
    ['is its own without a backend', { offlineUntil: at(DAY) }, 5 * MINUTE, DAY],
    ['never ends before the verdict does', { offlineUntil: at(MINUTE) }, 5 * MINUTE, 5 * MINUTE],
    ['is no longer than a worker means an allow', { expiresAt: NEVER }, 15 * MINUTE, 15 * MINUTE],
    ['is no longer than a policy permits', { offlineUntil: NEVER }, 5 * MINUTE, 90 * DAY],
    ['is no longer than that, whatever both say', { expiresAt: NEVER, offlineUntil: NEVER }, 15 * MINUTE, 90 * DAY],
  ];
  for (const [what, changes, good, usable] of cases) {
    it(what, () => assert.deepEqual(timesOf(changes), [good, usable]));
  }

  it('is shorter for a deny', () => {
    const denied = { outcome: 'deny', signers: [], expiresAt: NEVER } as const;
    assert.deepEqual(timesOf(denied), [10_000, 10_000]);
  });

  it('asks for silent workers as long as it says, or a quarter of an hour', () => {
    assert.equal(workerSilenceMs(anAllow()), 15 * MINUTE);
    assert.equal(workerSilenceMs(anAllow({ workerSilenceMs: 7 })), 7);
  });
});
