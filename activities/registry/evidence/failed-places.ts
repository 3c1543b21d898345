import type { SignatureSet } from '../../../workflows/activities.ts';
import { unavailableReason } from '../../../workflows/unavailable-places.ts';
import { EvidenceError } from '../../evidence-error.ts';
import { MAX_FAILED_PLACES } from '../listing-limits.ts';

/** The failures of several places as one: worth another try when one of them is, for evidence may be there. */
export function joinFailures(failures: readonly EvidenceError[]): EvidenceError | undefined {
  const [first, ...rest] = failures.toSorted(byRetryable);
  if (first === undefined || rest.length === 0) return first;
  const { code, sentence } = unavailableReason(placesOf(failures)) ?? { code: first.code, sentence: first.message };
  const { retryable, retryAfterMs } = first;
  return new EvidenceError(code, sentence, {
    ...{ retryable, cause: first },
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

/** The same as an answer beside the evidence of other places. */
export function placesOf(failures: readonly EvidenceError[]): NonNullable<SignatureSet['unavailable']> {
  const places = failures.toSorted(byRetryable);
  return places
    .slice(0, MAX_FAILED_PLACES)
    .map(({ code, message, retryable }) => ({ code, sentence: message, retryable }));
}

function byRetryable(a: EvidenceError, b: EvidenceError): number {
  return Number(b.retryable) - Number(a.retryable);
}
