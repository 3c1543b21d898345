import { startStopwatch } from './stopwatch.ts';

/** One question under way, and all who wait for its answer. */
export interface Flight<T> {
  /** Whether it is still under way and was asked at most so long ago, in ms. */
  joinable(maxAgeMs: number): boolean;
  /** Waits for the answer, or for the caller's own signal. When nobody waits any more, the question is given up. */
  join(signal: AbortSignal): Promise<T>;
}

/** Begins to ask. Its signal fires when all who joined have left. */
export function createFlight<T>(ask: (signal: AbortSignal) => Promise<T>, now: () => number): Flight<T> {
  const controller = new AbortController();
  const age = startStopwatch(now);
  const answer = ask(controller.signal);
  let waiting = 0;
  let over = false;
  const end = () => {
    over = true;
  };
  answer.then(end, end);
  return {
    joinable: (maxAgeMs) => !over && !controller.signal.aborted && age.ms() <= maxAgeMs,
    async join(signal) {
      waiting++;
      const { promise: left, reject } = Promise.withResolvers<never>();
      const leave = () => reject(signal.reason);
      signal.addEventListener('abort', leave, { once: true });
      try {
        return await Promise.race([answer, left]);
      } finally {
        signal.removeEventListener('abort', leave);
        waiting--;
        if (waiting === 0) controller.abort();
      }
    },
  };
}
