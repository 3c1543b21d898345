import { CLOCK_SKEW_MS } from '../workflows/deadlines.ts';
import type { Reason } from '../workflows/reason.ts';
import { replaceFile } from './atomic-file.ts';
import { readState } from './memory/read-state.ts';

/**
 * The highest time that workers signed and this node believed, kept over restarts. A clock that is behind it was moved
 * back, and would bring verdicts back to life that have ended; one that was moved forward ends them, which is safe.
 */
export interface ClockGuard {
  /** A time (Unix ms) out of something signed, that was believed when it was not from the future. */
  witness(signedMs: number): void;
  /** CLOCK_MOVED when it can't be as early as this. */
  check(nowMs: number): Reason | undefined;
}

/** How often the file is written at most, in ms. */
const WRITE_EVERY_MS = 10_000;
const MAX_BYTES = 64;

/** `path` is the guard's file; without one it begins anew with each start. */
export function openClockGuard(path: string | undefined): ClockGuard {
  let highest = path === undefined ? 0 : readTime(path);
  let writtenAt = Number.NEGATIVE_INFINITY;
  return {
    witness(signedMs) {
      if (!(signedMs > highest) || signedMs > Date.now() + CLOCK_SKEW_MS) return;
      highest = signedMs;
      if (path === undefined || performance.now() - writtenAt < WRITE_EVERY_MS) return;
      writtenAt = performance.now();
      try {
        replaceFile(path, `${new Date(highest).toISOString()}\n`);
      } catch {
        // a full disk: what is remembered without it still guards until the next start
      }
    },
    check(nowMs) {
      if (nowMs >= highest - CLOCK_SKEW_MS) return undefined;
      const times = `expected the clock of this node at ${new Date(highest).toISOString()} or later, found ${new Date(nowMs).toISOString()}`;
      return { code: 'CLOCK_MOVED', sentence: `${times}; set it right (timedatectl), then pull again` };
    },
  };
}

function readTime(path: string): number {
  const read = readState(path, MAX_BYTES);
  const time = read.kind === 'content' ? Date.parse(read.bytes.toString().trim()) : Number.NaN;
  return Number.isNaN(time) ? 0 : time;
}
