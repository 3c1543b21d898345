import type { UnavailablePlace } from './activities.ts';
import type { Reason } from './verdict/reason.ts';

/** Places that could not be looked at as one reason: the first one, then the others, each with its code. */
export function unavailableReason(places: readonly UnavailablePlace[]): Reason | undefined {
  const [first, ...rest] = places;
  if (first === undefined) return undefined;
  const others = rest.map(({ code, sentence }) => `${code}: ${sentence}`);
  return { code: first.code, sentence: [first.sentence, ...others].join('; also ') };
}
