/** What a verdict says: the evidence says yes, the evidence says no, or it could not be found out. */
export type Outcome = 'allow' | 'deny' | 'inconclusive';

const OUTCOMES: readonly unknown[] = ['allow', 'deny', 'inconclusive'] satisfies Outcome[];

/** Tells whether something from outside is an outcome. */
export function isOutcome(value: unknown): value is Outcome {
  return OUTCOMES.includes(value);
}

/**
 * Every reason that portcullis can give, and the outcome it belongs to. The list is closed: a code is an interface
 * (README of this folder documents each, and a test holds the two together).
 */
export const REASON_OUTCOME = {
  SIGNATURE_VERIFIED: 'allow',
  ATTESTATION_VERIFIED: 'allow',
  STATIC_PASS: 'allow',
  POLICY_WARNS: 'allow',
  DIGEST_LISTED: 'allow',
  CANARY_PASSED: 'allow',

  NO_POLICY: 'deny',
  NO_MATCHING_POLICY: 'deny',
  UNSIGNED: 'deny',
  STATIC_FAIL: 'deny',
  WRONG_KEY: 'deny',
  KEY_CHANGED: 'deny',
  KEY_DISABLED: 'deny',
  KEY_PENDING_DELETION: 'deny',
  KEY_UNSUITABLE: 'deny',
  KEY_NOT_FOUND: 'deny',
  WRONG_IDENTITY: 'deny',
  WRONG_CLAIM: 'deny',
  CERTIFICATE_UNTRUSTED: 'deny',
  CERTIFICATE_UNSUITABLE: 'deny',
  CERTIFICATE_EXPIRED: 'deny',
  CERTIFICATE_UNLOGGED: 'deny',
  LOG_ENTRY_MISSING: 'deny',
  LOG_ENTRY_MISMATCH: 'deny',
  LOG_PROOF_INVALID: 'deny',
  LOG_UNKNOWN: 'deny',
  LOG_KEY_EXPIRED: 'deny',
  LOG_UNWITNESSED: 'deny',
  LOG_INCONSISTENT: 'deny',
  TIMESTAMP_MISSING: 'deny',
  TIMESTAMP_INVALID: 'deny',
  TIMESTAMP_UNTRUSTED: 'deny',
  ATTESTATION_MISSING: 'deny',
  CONDITION_FAILED: 'deny',
  ATTESTATION_OUTDATED: 'deny',
  SIGNATURE_INVALID: 'deny',
  SUBJECT_MISMATCH: 'deny',
  REPOSITORY_MISMATCH: 'deny',
  REFERENCE_MISMATCH: 'deny',
  EVIDENCE_MALFORMED: 'deny',
  EVIDENCE_TOO_LARGE: 'deny',
  EVIDENCE_UNSUPPORTED: 'deny',
  REVOKED: 'deny',
  CANARY_REFUSED: 'deny',
  IMAGE_NOT_FOUND: 'deny',
  REQUEST_INVALID: 'deny',

  POLICY_INVALID: 'inconclusive',
  POLICY_UNKNOWN: 'inconclusive',
  POLICY_CHANGED: 'inconclusive',
  KEY_UNREADABLE: 'inconclusive',
  KEY_UNAVAILABLE: 'inconclusive',
  KEY_STATE_STALE: 'inconclusive',
  KMS_UNREACHABLE: 'inconclusive',
  KMS_TIMEOUT: 'inconclusive',
  KMS_THROTTLED: 'inconclusive',
  KMS_ACCESS_DENIED: 'inconclusive',
  KMS_CREDENTIALS: 'inconclusive',
  KMS_ERROR: 'inconclusive',
  KMS_MISBEHAVED: 'inconclusive',
  TRUST_ROOT_UNAVAILABLE: 'inconclusive',
  TRUST_ROOT_EXPIRED: 'inconclusive',
  LOG_UNREACHABLE: 'inconclusive',
  LOG_TIMEOUT: 'inconclusive',
  LOG_THROTTLED: 'inconclusive',
  LOG_ERROR: 'inconclusive',
  LOG_MISBEHAVED: 'inconclusive',
  LOG_ROLLED_BACK: 'inconclusive',
  LOG_MEMORY_UNREADABLE: 'inconclusive',
  REGISTRY_UNREACHABLE: 'inconclusive',
  REGISTRY_TIMEOUT: 'inconclusive',
  REGISTRY_THROTTLED: 'inconclusive',
  REGISTRY_UNAUTHORIZED: 'inconclusive',
  REGISTRY_ERROR: 'inconclusive',
  REGISTRY_MISBEHAVED: 'inconclusive',
  REGISTRY_INTERNAL_ADDRESS: 'inconclusive',
  EVIDENCE_UNJUDGED: 'inconclusive',
  EVIDENCE_NOT_SERVED: 'inconclusive',
  TEMPORAL_UNREACHABLE: 'inconclusive',
  TEMPORAL_REFUSED: 'inconclusive',
  STATE_UNREADABLE: 'inconclusive',
  WORKER_UNAVAILABLE: 'inconclusive',
  STILL_VERIFYING: 'inconclusive',
  WORKFLOW_FAILED: 'inconclusive',
  CLAIM_UNPROVEN: 'inconclusive',
  VERDICT_UNSIGNED: 'inconclusive',
  VERDICT_FORGED: 'inconclusive',
  VERDICT_MISMATCH: 'inconclusive',
  VERDICT_EXPIRED: 'inconclusive',
  SHIM_BUSY: 'inconclusive',
  CLOCK_MOVED: 'inconclusive',
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
