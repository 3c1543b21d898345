import { ApplicationFailure } from '@temporalio/common';
import { EvidenceError } from './evidence-error.ts';

/**
 * The one shape in which an inability crosses Temporal: an ApplicationFailure whose type is a reason code and whose
 * message is one sentence. Whether it is retried, and when, is decided where the error was made. What is not an
 * EvidenceError is a bug: INTERNAL, not retried, because it would only happen again.
 */
export function toFailure(error: unknown): ApplicationFailure {
  if (error instanceof EvidenceError) {
    return ApplicationFailure.create({
      type: error.code,
      message: error.message,
      nonRetryable: !error.retryable,
      ...(error.retryAfterMs === undefined ? {} : { nextRetryDelay: error.retryAfterMs }),
    });
  }
  if (error instanceof ApplicationFailure) return error;
  const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return ApplicationFailure.create({
    type: 'INTERNAL',
    message: `a bug in the portcullis worker: ${what}`,
    nonRetryable: true,
  });
}
