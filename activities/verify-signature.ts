import type { AuthorityOutcome, VerificationRequest } from '../workflows/activities.ts';
import { checkedSubject } from './authority/checked-subject.ts';
import { judgeAuthority } from './authority/judge-authority.ts';
import type { Dependencies } from './dependencies.ts';

/**
 * Judges the fetched signatures by one authority. Throws POLICY_CHANGED when it is no longer the key or trust root that
 * was checked, the REGISTRY_ codes, and the LOG_ codes where the policy has log entries looked up.
 */
export async function verifySignature(
  dependencies: Dependencies,
  request: VerificationRequest,
  signal: AbortSignal,
): Promise<AuthorityOutcome> {
  const subject = await checkedSubject(dependencies, request, signal);
  return await judgeAuthority(dependencies, subject, request.signatures, signal);
}
