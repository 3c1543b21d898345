import { Context } from '@temporalio/activity';
import { ATTEMPT_RESERVE_MS } from '../../workflows/verdict/deadlines.ts';
import { EvidenceError } from '../evidence-error.ts';
import { NOT_SERVED_ATTEMPTS } from '../registry/listing-limits.ts';

/**
 * The signal of the attempt that begins now: it fires when Temporal cancels the activity, and shortly before Temporal
 * would cut it off, so that the attempt can still say what it was waiting for.
 */
export function attemptSignal(): AbortSignal {
  const { cancellationSignal, info } = Context.current();
  const time = AbortSignal.timeout(Math.max(1, info.startToCloseTimeoutMs - ATTEMPT_RESERVE_MS));
  return AbortSignal.any([cancellationSignal, time]);
}

/** Half of the attempt's time, in ms: what one place may take, so that time is left for the evidence of the others. */
export function placeMs(): number {
  return Math.max(1, (Context.current().info.startToCloseTimeoutMs - ATTEMPT_RESERVE_MS) / 2);
}

/** The same failure, and no other try for evidence that many tries have not brought: it is gone, and not on its way. */
export function orLasting<T>(error: T): T | EvidenceError {
  if (!(error instanceof EvidenceError) || error.code !== 'EVIDENCE_NOT_SERVED') return error;
  const { isLocal, attempt } = Context.current().info;
  if (isLocal || attempt < NOT_SERVED_ATTEMPTS) return error;
  return new EvidenceError(error.code, error.message, { retryable: false, cause: error });
}
