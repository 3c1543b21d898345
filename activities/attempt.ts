import { Context } from '@temporalio/activity';
import { ATTEMPT_RESERVE_MS } from '../workflows/deadlines.ts';

/**
 * The signal of the running attempt: it fires when Temporal cancels the activity, and shortly before Temporal would
 * cut it off, so that the attempt can still say what it was waiting for.
 */
export function attemptSignal(): AbortSignal {
  const context = Context.current();
  const time = context.info.startToCloseTimeoutMs;
  return AbortSignal.any([context.cancellationSignal, AbortSignal.timeout(Math.max(1, time - ATTEMPT_RESERVE_MS))]);
}
