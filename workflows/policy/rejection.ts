import type { AuthorityOutcome } from '../activities.ts';
import type { Reason, ReasonCode } from '../reason.ts';

/** One signature that an authority did not accept. */
export type Rejection = Extract<AuthorityOutcome, { satisfied: false }>['rejected'][number];

/**
 * From the most telling to the least. A signature that does verify and is for something else comes first: somebody
 * moved it, or signed the wrong thing. A broken one by the right key is next. Another key's signature is everyday
 * (images are signed by several parties), and what can't be read says least.
 */
const TELLING: readonly ReasonCode[] = [
  'SUBJECT_MISMATCH',
  'REPOSITORY_MISMATCH',
  'SIGNATURE_INVALID',
  'WRONG_KEY',
  'EVIDENCE_MALFORMED',
  'EVIDENCE_TOO_LARGE',
  'EVIDENCE_UNSUPPORTED',
];

/** Orders reasons, the most telling first; the same reasons give the same order, however they arrived. */
export function byTelling(a: Reason, b: Reason): number {
  return rank(a.code) - rank(b.code) || compareText(a.code, b.code) || compareText(a.sentence, b.sentence);
}

/** The most telling one of some rejections. */
export function mostTelling(rejections: readonly Rejection[]): Rejection | undefined {
  return rejections.toSorted((a, b) => byTelling(a, b) || compareText(a.blob, b.blob))[0];
}

/** Orders text by code units: the same on every machine, unlike a locale's order. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function rank(code: ReasonCode): number {
  const at = TELLING.indexOf(code);
  return at < 0 ? TELLING.length : at;
}
