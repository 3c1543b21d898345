import type { Rejection } from '../activities.ts';
import type { Reason, ReasonCode } from '../verdict/reason.ts';

/**
 * From the most telling to the least. A log that lies comes first, then evidence that was revoked. Then a signature that does verify and is for
 * something else: somebody moved it, or signed the wrong thing. Then what the right signer did not bring, and what is
 * broken. Another signer's signature is everyday (images are signed by several parties), and what can't be read says least.
 */
const TELLING: readonly ReasonCode[] = [
  'LOG_INCONSISTENT',
  'REVOKED',
  'SUBJECT_MISMATCH',
  'REPOSITORY_MISMATCH',
  'REFERENCE_MISMATCH',
  'KEY_PENDING_DELETION',
  'KEY_DISABLED',
  'KEY_NOT_FOUND',
  'KEY_UNSUITABLE',
  'KEY_CHANGED',
  'CONDITION_FAILED',
  'LOG_UNWITNESSED',
  'LOG_ENTRY_MISMATCH',
  'LOG_PROOF_INVALID',
  'LOG_KEY_EXPIRED',
  'LOG_UNKNOWN',
  'LOG_ENTRY_MISSING',
  'TIMESTAMP_INVALID',
  'TIMESTAMP_UNTRUSTED',
  'TIMESTAMP_MISSING',
  'WRONG_CLAIM',
  'CERTIFICATE_EXPIRED',
  'CERTIFICATE_UNLOGGED',
  'CERTIFICATE_UNSUITABLE',
  'SIGNATURE_INVALID',
  'WRONG_IDENTITY',
  'CERTIFICATE_UNTRUSTED',
  'WRONG_KEY',
  'ATTESTATION_OUTDATED',
  'ATTESTATION_MISSING',
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
