import { parseRfc3339 } from '../../workflows/format/rfc3339.ts';
import { CLOCK_SKEW_MS } from '../../workflows/verdict/deadlines.ts';
import type { Reason } from '../../workflows/verdict/reason.ts';
import { readState } from '../host/read-state.ts';
import { openKeptFile } from './kept-file.ts';

/**
 * The highest time that workers signed and this node accepted, kept over restarts. A clock that is behind it was moved
 * back, and would bring verdicts back to life that have ended; one that was moved forward ends them, which is safe.
 */
export interface ClockGuard {
  /** A time (Unix ms) out of something signed that was accepted, when it was not from the future. */
  witness(signedMs: number): void;
  /** CLOCK_MOVED when it can't be as early as this. */
  check(nowMs: number): Reason | undefined;
  /** Why the file that is there could not be read at the start: the highest time is not known then. */
  readonly unreadable: string | undefined;
  /** Why the file could not be written the last time. */
  unkept(): string | undefined;
}

/** How often the file is written at most, in ms. */
const WRITE_EVERY_MS = 10_000;

/** One time with milliseconds and a line end. */
const MAX_BYTES = 64;

/**
 * `path` is the guard's file; without one it begins anew with each start. `before` is a time (Unix ms) that this node
 * accepted before, whatever its clock says now.
 */
export function openClockGuard(path: string | undefined, before = 0): ClockGuard {
  const file = path === undefined ? undefined : openKeptFile(path, MAX_BYTES);
  const read = path === undefined ? { time: 0 } : readTime(path);
  let highest = Math.max(read.time, before);
  let unkept = file?.reserve();
  let writtenAt = Number.NEGATIVE_INFINITY;
  return {
    witness(signedMs) {
      if (!(signedMs > highest) || signedMs > Date.now() + CLOCK_SKEW_MS) return;
      highest = signedMs;
      if (file === undefined || performance.now() - writtenAt < WRITE_EVERY_MS) return;
      writtenAt = performance.now();
      unkept = file.write(`${new Date(highest).toISOString()}\n`);
    },
    check: (nowMs) => movedClock(highest, nowMs),
    unreadable: read.problem,
    unkept: () => unkept,
  };
}

/** CLOCK_MOVED when a clock is behind a time that was accepted (both Unix ms). */
export function movedClock(highestMs: number, nowMs: number): Reason | undefined {
  if (nowMs >= highestMs - CLOCK_SKEW_MS) return undefined;
  const times = `expected the clock of this node at ${new Date(highestMs).toISOString()} or later, found ${new Date(nowMs).toISOString()}`;
  return { code: 'CLOCK_MOVED', sentence: `${times}; set it right (timedatectl), then pull again` };
}

/** The time in a guard's file, 0 where there is none yet, or why it can't be read. */
export function readTime(path: string): { readonly time: number; readonly problem?: string } {
  const read = openKeptFile(path, MAX_BYTES).read();
  if (read.kind === 'none') return { time: 0 };
  const time = parseRfc3339((read.kind === 'text' ? read.text : bareText(path)).trim());
  if (time !== undefined) return { time };
  return { time: 0, problem: read.kind === 'unreadable' ? read.problem : `expected a time in ${path}` };
}

/** As versions wrote it that took no space for it. */
function bareText(path: string): string {
  const read = readState(path, MAX_BYTES);
  return read.kind === 'content' ? read.bytes.toString() : '';
}
