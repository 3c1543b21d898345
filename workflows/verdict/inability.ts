import { ActivityFailure, ApplicationFailure, isCancellation, TimeoutFailure } from '@temporalio/workflow';
import { isReasonCode, type Reason, type ReasonCode } from './reason.ts';

/** A check that could not be carried out, and whether trying again may help. */
export interface Inability extends Reason {
  readonly retryable: boolean;
}

/**
 * Reads why an activity failed. Fast (local) activities fail with the bare ApplicationFailure, durable ones and all
 * time-outs wrap it in an ActivityFailure (SDK 1.24). Rethrows what is not the failure of an activity: a
 * cancellation, or a bug.
 */
export function inabilityOf(error: unknown, onTimeout: ReasonCode): Inability {
  if (isCancellation(error)) throw error;
  const failure = error instanceof ActivityFailure ? error.cause : error;
  if (failure instanceof TimeoutFailure) {
    const last = failure.cause instanceof ApplicationFailure ? ofApplication(failure.cause) : undefined;
    return { ...(last ?? { code: onTimeout, sentence: 'no answer in time' }), retryable: true };
  }
  if (failure instanceof ApplicationFailure) return ofApplication(failure);
  throw error;
}

function ofApplication(failure: ApplicationFailure): Inability {
  const code =
    failure.type !== null && failure.type !== undefined && isReasonCode(failure.type) ? failure.type : 'INTERNAL';
  return { code, sentence: failure.message, retryable: !failure.nonRetryable };
}
