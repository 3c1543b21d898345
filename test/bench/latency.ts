/** The distribution of some durations, all in milliseconds. */
export interface Latency {
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** Summarises samples in milliseconds, in any order. Throws when there are none. */
export function summarize(samples: readonly number[]): Latency {
  const sorted = samples.toSorted((a, b) => a - b);
  return {
    count: sorted.length,
    p50: percentile(sorted, 50),
    p90: percentile(sorted, 90),
    p99: percentile(sorted, 99),
    max: percentile(sorted, 100),
  };
}

/** By nearest rank: always a duration that was measured, so that p99 of fewer than 100 samples is their maximum. */
function percentile(sorted: readonly number[], percent: number): number {
  const sample = sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)];
  if (sample === undefined) throw new Error('expected at least one sample, found none');
  return sample;
}
