/** How long ago something began, by whichever clock says more. */
export interface Stopwatch {
  /** Unix time in ms. */
  readonly startedAt: number;
  /** In ms; never less than what passed, unless the machine slept and its clock was set back. */
  ms(): number;
}

/**
 * A clock that people set can jump back, and what is old would look young; the one that nobody sets stands still while a
 * machine sleeps. Each is right when the other is wrong in the direction that matters.
 */
export function startStopwatch(now: () => number, steady: () => number = () => performance.now()): Stopwatch {
  const startedAt = now();
  const began = steady();
  return { startedAt, ms: () => Math.max(now() - startedAt, steady() - began) };
}
