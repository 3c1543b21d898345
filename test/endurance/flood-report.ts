import type { Latency } from '../bench/latency.ts';

/** What a flood came to. */
export interface Flooded {
  /** Hostile pushes by their kind, and artefacts that they were. */
  readonly pushes: ReadonlyMap<string, number>;
  readonly artefacts: number;
  /**
   * First pulls of signed images, each under a name of its own, in ms: alone, beside as many pulls of unsigned images as
   * in the flood, and in the flood.
   */
  readonly quiet: Latency;
  readonly busy: Latency;
  readonly flooded: Latency;
  readonly pulls: number;
  readonly hostilePulls: number;
  /** Unsigned images that were let in: none, ever. */
  readonly falseAllows: readonly string[];
  /** What was said of each signed image at its first refusal, with how often; all were let in by a retry but the lasting ones. */
  readonly putOff: ReadonlyMap<string, number>;
  /** Signed images that were refused for longer than a kubelet waits between its tries: none, ever. */
  readonly lasting: readonly string[];
  /** Of the worker, in MB. */
  readonly memory: { readonly before: number; readonly peak: number; readonly after: number };
  /** From SIGTERM, in the middle of the flood, to the end of the worker, in ms. */
  readonly stoppedMs: number;
}

/** What the worker promises: an attempt of a check, and the time to say so. */
export const STOP_MS = 15_000;

/** The memory of the worker in the worst of the flood, in MB; quiet ones have some 250. */
export const MEMORY_MB = 1_200;

/** What is wrong with the outcome, a line each; empty when all is well. */
export function faultsOf({ falseAllows, lasting, memory, stoppedMs }: Flooded): readonly string[] {
  return [
    ...falseAllows.map((name) => `let in without a signature: ${name}`),
    ...lasting.map((line) => `refused for longer than a retry: ${line}`),
    ...(memory.peak > MEMORY_MB ? [`the worker took ${Math.round(memory.peak)} MB`] : []),
    ...(stoppedMs > STOP_MS ? [`the worker took ${stoppedMs} ms to stop`] : []),
  ];
}

/** The outcome as a table. */
export function tableOf(flooded: Flooded): readonly string[] {
  const { quiet, busy, flooded: wet, memory } = flooded;
  const mb = [memory.before, memory.peak, memory.after].map(Math.round).join('/');
  return [
    '| what | found |',
    '| --- | --- |',
    ...[...flooded.pushes].map(([kind, count]) => `| pushes of ${kind} | ${count} |`),
    `| artefacts pushed | ${flooded.artefacts} |`,
    `| pulls of signed images, of flooded unsigned ones | ${flooded.pulls}, ${flooded.hostilePulls} |`,
    `| false allows | ${flooded.falseAllows.length} |`,
    `| signed images put off once | ${[...flooded.putOff].map(([code, count]) => `${code} ${count}`).join(', ') || 'none'} |`,
    `| refused for longer than a retry | ${flooded.lasting.length} |`,
    `| first pull of a signed image, quiet: p50, p99 (ms) | ${Math.round(quiet.p50)}, ${Math.round(quiet.p99)} |`,
    `| beside as many pulls without junk: p50, p99 (ms) | ${Math.round(busy.p50)}, ${Math.round(busy.p99)} |`,
    `| in the flood: p50, p99 (ms) | ${Math.round(wet.p50)}, ${Math.round(wet.p99)}, ${(wet.p99 / busy.p99).toFixed(1)} times as much |`,
    `| memory of the worker before/peak/after (MB) | ${mb} |`,
    `| SIGTERM to the end of the worker (ms) | ${flooded.stoppedMs} |`,
  ];
}
