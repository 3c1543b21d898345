import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KEYS, verifyThrottled } from '../endurance/throttled-kms.ts';

describe('many verifications of twenty images by five keys, nine of ten calls to the KMS throttled', () => {
  it('end without a denial, and read each state about once for each window', async (t) => {
    const { seconds, windows, calls, throttled, statesRead, delayed, denied } = await verifyThrottled(300);
    t.diagnostic(
      `${seconds.toFixed(1)} s, ${windows} windows, ${calls} calls, ${statesRead} states read; pulls that waited: ${JSON.stringify(delayed)}`,
    );
    assert.deepEqual(denied, []);
    assert.ok(statesRead <= KEYS * (windows + 1), `${statesRead} states were read in ${windows} windows`);
    assert.ok(throttled > 0);
  });
});
