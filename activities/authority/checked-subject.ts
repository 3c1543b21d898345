import type { VerificationRequest } from '../../workflows/activities.ts';
import type { Dependencies } from '../dependencies.ts';
import { EvidenceError } from '../evidence-error.ts';
import { findAuthority, policySet } from './applied-policy.ts';
import { type EvidenceSubject, subjectOf } from './judge-evidence.ts';

/** The authority of a request, still with the key or trust root that was checked. Throws POLICY_CHANGED and what {@link subjectOf} throws. */
export async function checkedSubject(
  dependencies: Dependencies,
  request: VerificationRequest,
  signal: AbortSignal,
): Promise<EvidenceSubject> {
  const set = policySet(dependencies, request.policyRevision);
  const subject = await subjectOf(dependencies, set, findAuthority(dependencies, request), request, signal);
  const { check } = subject.keys;
  if (check.usable && check.keyId === request.keyId) return subject;
  const found = check.usable ? `sha256:${check.keyId}` : `${check.code} (${check.sentence})`;
  const sentence = `expected key sha256:${request.keyId} of ${request.policy}/${request.authority}, found ${found}; pull again`;
  throw new EvidenceError('POLICY_CHANGED', sentence, { retryable: false });
}
