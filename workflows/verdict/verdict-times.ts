import { MAX_OFFLINE_MS, VERDICT_TTL_MS, WORKER_SILENCE_MS } from './deadlines.ts';
import type { Verdict } from './verdict.ts';

/** Until when a verdict is good, in Unix ms: never longer than a worker means one, whatever end is written in it. */
export function goodUntil({ outcome, decidedAt, expiresAt }: Verdict): number {
  return Math.min(Date.parse(expiresAt), Date.parse(decidedAt) + VERDICT_TTL_MS[outcome]);
}

/** Until when a node that is cut off may use a verdict, in Unix ms: at most as long as a policy can permit. */
export function usableUntil(verdict: Verdict): number {
  const { decidedAt, offlineUntil } = verdict;
  if (offlineUntil === undefined) return goodUntil(verdict);
  return Math.max(goodUntil(verdict), Math.min(Date.parse(offlineUntil), Date.parse(decidedAt) + MAX_OFFLINE_MS));
}

/** For how long workers must have been silent before a verdict may be used without them, in ms, while Temporal answers. */
export function workerSilenceMs({ workerSilenceMs: permitted }: Verdict): number {
  return permitted ?? WORKER_SILENCE_MS;
}
