import type { Watcher } from '../decision.ts';
import type { Backend } from './backend.ts';

/** How often a watcher is told, in ms. */
const INTERVAL_MS = 200;

export interface CheckWatch {
  /** Tells the watcher once more, when the answer is there. */
  last(): Promise<void>;
  stop(): void;
}

/** Tells a watcher what a verification has found so far, every moment until it is stopped or `until` (Unix ms). */
export function watchChecks(backend: Backend, workflowId: string, until: number, watch: Watcher): CheckWatch {
  let stopped = false;
  async function tell(): Promise<void> {
    const checks = await backend.checks(workflowId, until).catch(() => undefined); // the next time, or never
    if (!stopped && checks !== undefined) watch(checks);
  }
  const timer = setInterval(() => void tell(), INTERVAL_MS);
  return {
    async last() {
      clearInterval(timer);
      await tell();
    },
    stop() {
      stopped = true;
      clearInterval(timer);
    },
  };
}
