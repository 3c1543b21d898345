const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** Timers of Node hold no longer. */
const DAY = 24 * 60 * MINUTE;

export interface RefreshMoment {
  /** When the one in use ends, Unix time in ms; `undefined` while there is none, or none that ends. */
  readonly expires?: number | undefined;
  /** Looks in vain since the last that was not. */
  readonly failures: number;
  readonly now: number;
  /** The time between two looks while all is well. */
  readonly refreshMs: number;
}

/**
 * Ms until the next look at a mirror. While all is well: the usual time, or half of what is left when that is less.
 * After a failure: 5 s, doubled each time up to five minutes. All jittered by a quarter, so that a fleet spreads out.
 */
export function refreshDelay(
  { expires, failures, now, refreshMs }: RefreshMoment,
  random: () => number = Math.random,
): number {
  const left = expires === undefined ? refreshMs : Math.max((expires - now) / 2, MINUTE);
  const usual = Math.min(refreshMs, left);
  const delay = failures === 0 ? usual : Math.min(refreshMs, 5 * SECOND * 2 ** Math.min(failures - 1, 10), 5 * MINUTE);
  return Math.min(delay * (0.75 + random() / 2), DAY);
}
