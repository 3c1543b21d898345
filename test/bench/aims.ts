import type { Results } from './results.ts';

/** A number that this project wants to stay at or below, and what came out. */
export interface Aim {
  readonly what: string;
  readonly atMost: number;
  readonly found: number;
  readonly met: boolean;
}

/** The aims beside the results. */
export function compareWithAims({ warm, cold, keyless, managedKey, workflowCost, load }: Results): readonly Aim[] {
  return [
    aim('warm launcher, p99, ms', 10, warm.launcher.p99),
    aim('cold launcher p50 / cosign verify p50', 1, cold.ratio),
    ...keyless.flatMap(({ roundTripMs, ratio, requests }) => [
      aim(`keyless launcher p50 / cosign verify p50 at ${roundTripMs} ms`, roundTripMs === 0 ? 1 : 0.3, ratio),
      aim(`requests to the log, proof in the bundle, at ${roundTripMs} ms`, 0, requests.log),
      aim(`requests to the log, asked live, at ${roundTripMs} ms`, 1, requests.logLive),
    ]),
    aim('launcher p50 / cosign verify p50, key in a KMS', 1, managedKey.ratio),
    aim('history events per verification', 12, workflowCost.historyEvents.max),
    aim(`shim after ${load.verifications} verifications, MB`, 100, load.after.shim),
  ];
}

function aim(what: string, atMost: number, found: number): Aim {
  return { what, atMost, found, met: found <= atMost };
}
