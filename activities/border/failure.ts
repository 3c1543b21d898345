import { log } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { plainTextWithin } from '../../workflows/format/plain-text.ts';
import { EvidenceError } from '../evidence-error.ts';
import { MAX_SENTENCE_LENGTH } from '../limits.ts';

/**
 * The one shape in which an inability crosses Temporal: an ApplicationFailure whose type is a reason code and whose
 * message is one sentence. Whether it is retried, and when, is decided where the error was made. What is not an
 * EvidenceError is a bug: INTERNAL, not retried, because it would only happen again; its text goes to the worker's log,
 * because nobody knows what it quotes.
 */
export function toFailure(error: unknown): ApplicationFailure {
  if (error instanceof EvidenceError) {
    const sentence = plainTextWithin(error.message, MAX_SENTENCE_LENGTH);
    return failure(error.code, sentence, error.retryable, error.retryAfterMs);
  }
  const kind = error instanceof Error ? error.constructor.name : typeof error;
  log.error('a bug', { bug: error instanceof Error ? error.stack : String(error) });
  return failure('INTERNAL', `a bug in the portcullis worker (${kind}); its log tells more`, false, undefined);
}

function failure(
  type: EvidenceError['code'],
  message: string,
  retryable: boolean,
  nextRetryDelay: number | undefined,
): ApplicationFailure {
  const delay = nextRetryDelay === undefined ? {} : { nextRetryDelay };
  const made = ApplicationFailure.create({ type, message, nonRetryable: !retryable, ...delay });
  // It would show this function and the worker's paths to everybody who may read the history.
  made.stack = '';
  return made;
}
