import type { Rejection, SignatureReference } from '../../workflows/activities.ts';
import { isSamePlace } from '../../workflows/policy/evaluate.ts';
import type { Authority } from '../policy/policy-set.ts';

/** The evidence that an authority looks at: of a form that counts, and from a place that its policy names. */
export function countedEvidence(
  rule: Authority,
  references: readonly SignatureReference[],
): readonly SignatureReference[] {
  return inPlaces(rule, references).filter((reference) => whyPassedOver(rule, reference) === undefined);
}

/** What lies in those places and does not count, so that it is not taken for absent. */
export function passedOverEvidence(rule: Authority, references: readonly SignatureReference[]): readonly Rejection[] {
  return inPlaces(rule, references).flatMap((reference) => {
    const sentence = whyPassedOver(rule, reference);
    return sentence === undefined ? [] : [{ blob: reference.blob, code: 'EVIDENCE_UNSUPPORTED', sentence }];
  });
}

function inPlaces({ sources }: Authority, references: readonly SignatureReference[]): readonly SignatureReference[] {
  const places = sources.length > 0 ? sources : [{}];
  return references.filter(({ source }) => places.some((place) => isSamePlace(place, source)));
}

function whyPassedOver(
  { formats, coversIndexChildren }: Authority,
  { format, index }: SignatureReference,
): string | undefined {
  const form = format === 'bundle' ? 'bundle' : 'legacy';
  if (!formats.includes(form)) return `its form is ${form}, and signatureFormat of the policy is ${formats.join(', ')}`;
  if (index === undefined || coversIndexChildren) return undefined;
  return `it is about the index ${index}, and the authority accepts evidence about the image alone`;
}
