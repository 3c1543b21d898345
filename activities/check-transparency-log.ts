import type { LogOutcome, VerificationRequest } from '../workflows/activities.ts';
import { checkLogs } from './authority/check-logs.ts';
import { checkedSubject } from './authority/checked-subject.ts';
import type { Dependencies } from './dependencies.ts';
import { learn } from './fleet-knowledge.ts';

/**
 * What transparency logs say of the evidence that one authority accepts, in the way its policy chose: `offline` by the
 * proofs in the evidence, without a request; `consistency` also by the log as it is now; `lookup` by an entry that is
 * looked up where the evidence carries none. Throws POLICY_CHANGED, the TRUST_ROOT_, REGISTRY_ and LOG_ codes.
 */
export async function checkTransparencyLog(
  dependencies: Dependencies,
  request: VerificationRequest,
  signal: AbortSignal,
): Promise<LogOutcome> {
  learn(dependencies, request.statement);
  const subject = await checkedSubject(dependencies, request, signal);
  return await checkLogs(dependencies, subject, request.signatures, signal);
}
