import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { summarize } from './latency.ts';

describe('a latency', () => {
  it('has percentiles by nearest rank, whatever the order of the samples', () => {
    const samples = Array.from({ length: 200 }, (_, i) => 200 - i);
    assert.deepEqual(summarize(samples), { count: 200, p50: 100, p90: 180, p99: 198, max: 200 });
  });

  it('orders by number, not by text', () => {
    assert.deepEqual(summarize([9, 10, 100]), { count: 3, p50: 10, p90: 100, p99: 100, max: 100 });
  });

  it('of one sample is that sample', () => {
    assert.deepEqual(summarize([7.5]), { count: 1, p50: 7.5, p90: 7.5, p99: 7.5, max: 7.5 });
  });

  it('of nothing is an error, never zero', () => {
    assert.throws(() => summarize([]), /expected at least one sample/);
  });
});
