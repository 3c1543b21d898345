import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { refreshDelay } from '../../../activities/trust/refresh-delay.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const middle = () => 0.5;

describe('the time until the next look at a mirror', () => {
  it('is the usual one while all is well', () => {
    assert.equal(refreshDelay({ failures: 0, now: 0, refreshMs: 6 * HOUR }, middle), 6 * HOUR);
    assert.equal(refreshDelay({ expires: 100 * HOUR, failures: 0, now: 0, refreshMs: 6 * HOUR }, middle), 6 * HOUR);
  });

  it('is half of what is left before metadata ends, and a minute at least', () => {
    assert.equal(refreshDelay({ expires: 2 * HOUR, failures: 0, now: 0, refreshMs: 6 * HOUR }, middle), HOUR);
    assert.equal(refreshDelay({ expires: 0, failures: 0, now: HOUR, refreshMs: 6 * HOUR }, middle), MINUTE);
  });

  it('doubles from five seconds up to five minutes after failures', () => {
    const delays = [1, 2, 3, 7, 50].map((failures) => refreshDelay({ failures, now: 0, refreshMs: 6 * HOUR }, middle));
    assert.deepEqual(delays, [5_000, 10_000, 20_000, 5 * MINUTE, 5 * MINUTE]);
  });

  it('spreads a fleet by a quarter to either side, and fits a timer', () => {
    const moments = {
      failures: fc.nat(1000),
      now: fc.nat(),
      refreshMs: fc.integer({ min: 1, max: 1e12 }),
      expires: fc.option(fc.nat(), { nil: undefined }),
    };
    fc.assert(
      fc.property(fc.record(moments), fc.double({ min: 0, max: 0.999, noNaN: true }), (moment, random) => {
        const delay = refreshDelay(moment, () => random);
        const centre = refreshDelay(moment, middle);
        assert.ok(delay > 0 && delay < 2 ** 31 - 1);
        assert.ok(delay <= centre * 1.25 + 1 && (centre === 24 * HOUR || delay >= centre * 0.75 - 1));
      }),
    );
  });
});
