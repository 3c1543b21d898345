import { MAX_LIGHT_EVIDENCE_BYTES, MAX_SIGNATURES } from '../../limits.ts';
import { MAX_PART_BYTES } from '../listing-limits.ts';
import type { FoundSignature } from './signature-artefact.ts';
import { evidenceKind } from './signature-places.ts';
import { inTurns } from './turns.ts';

/**
 * Every place and kind has its turn, and within attestations every predicate type. What is large comes last, the smaller
 * first: a signature never waits for it, and an attestation for nothing that says to be larger than itself.
 */
export function inJudgingOrder(found: readonly FoundSignature[]): readonly FoundSignature[] {
  const turns = inTurns(
    found,
    ({ reference: { index = '', place, format }, predicateType }) =>
      `${index} ${place} ${format} ${evidenceKind(predicateType)}`,
    ({ predicateType }) => predicateType,
  );
  const isLarge = ({ size }: FoundSignature) => size > MAX_LIGHT_EVIDENCE_BYTES;
  const large = turns.filter(isLarge).toSorted((a, b) => a.size - b.size);
  return [...turns.filter((one) => !isLarge(one)), ...large];
}

/** How many of them are one part: by their number, and by the bytes that they are said to have; at least one. */
export function partOf(ordered: readonly FoundSignature[]): number {
  let bytes = 0;
  let count = 0;
  for (const { size } of ordered.slice(0, MAX_SIGNATURES)) {
    bytes += size;
    if (bytes > MAX_PART_BYTES && count > 0) break;
    count++;
  }
  return count;
}
