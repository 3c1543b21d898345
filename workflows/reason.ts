/** What a verdict says: the evidence says yes, the evidence says no, or it could not be found out. */
export type Outcome = 'allow' | 'deny' | 'inconclusive';

/**
 * Every reason that portcullis can give, and the outcome it belongs to. The list is closed: a code is an interface
 * (README of this folder documents each, and a test holds the two together).
 */
export const REASON_OUTCOME = {
  SIGNATURE_VERIFIED: 'allow',

  NO_POLICY: 'deny',
  NO_MATCHING_POLICY: 'deny',
  UNSIGNED: 'deny',
  WRONG_KEY: 'deny',
  SIGNATURE_INVALID: 'deny',
  SUBJECT_MISMATCH: 'deny',
  REPOSITORY_MISMATCH: 'deny',
  EVIDENCE_MALFORMED: 'deny',
  EVIDENCE_TOO_LARGE: 'deny',
  EVIDENCE_UNSUPPORTED: 'deny',
  REQUEST_INVALID: 'deny',

  POLICY_INVALID: 'inconclusive',
  POLICY_UNKNOWN: 'inconclusive',
  POLICY_CHANGED: 'inconclusive',
  KEY_UNREADABLE: 'inconclusive',
  REGISTRY_UNREACHABLE: 'inconclusive',
  REGISTRY_TIMEOUT: 'inconclusive',
  REGISTRY_THROTTLED: 'inconclusive',
  REGISTRY_UNAUTHORIZED: 'inconclusive',
  REGISTRY_ERROR: 'inconclusive',
  REGISTRY_MISBEHAVED: 'inconclusive',
  TEMPORAL_UNREACHABLE: 'inconclusive',
  WORKER_UNAVAILABLE: 'inconclusive',
  STILL_VERIFYING: 'inconclusive',
  WORKFLOW_FAILED: 'inconclusive',
  CLAIM_UNPROVEN: 'inconclusive',
  VERDICT_UNSIGNED: 'inconclusive',
  VERDICT_FORGED: 'inconclusive',
  VERDICT_MISMATCH: 'inconclusive',
  VERDICT_EXPIRED: 'inconclusive',
  SHIM_STOPPING: 'inconclusive',
  INTERNAL: 'inconclusive',
} as const satisfies Record<string, Outcome>;

/** A closed reason code. */
export type ReasonCode = keyof typeof REASON_OUTCOME;

/** One reason: the code for machines, one sentence for people (no trailing full stop, no secret, one line). */
export interface Reason {
  readonly code: ReasonCode;
  readonly sentence: string;
}

/** Tells whether a string from outside is one of our codes. */
export function isReasonCode(text: string): text is ReasonCode {
  return Object.hasOwn(REASON_OUTCOME, text);
}
