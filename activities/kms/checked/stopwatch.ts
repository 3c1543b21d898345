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
 * `agoMs`: it began that long ago, as somebody else tells.
 */
export function startStopwatch(
  now: () => number,
  steady: () => number = () => performance.now(),
  agoMs = 0,
): Stopwatch {
  const startedAt = now() - agoMs;
  const began = steady() - agoMs;
  return { startedAt, ms: () => Math.max(now() - startedAt, steady() - began) };
}
