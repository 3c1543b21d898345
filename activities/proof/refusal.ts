import type { VerdictClaim } from '../../workflows/activities.ts';
import { evaluate } from '../../workflows/policy/evaluate.ts';
import type { ReasonCode } from '../../workflows/verdict/reason.ts';
import type { Verdict } from '../../workflows/verdict/verdict.ts';
import { appliedRevision, policySet } from '../authority/applied-policy.ts';
import { resolutionOf } from '../authority/resolution.ts';
import type { Dependencies } from '../dependencies.ts';
import { unproven } from './allow.ts';

/** What the policy alone says, without any evidence. */
const BY_POLICY: ReadonlySet<ReasonCode> = new Set(['REVOKED', 'NO_POLICY', 'NO_MATCHING_POLICY']);

/**
 * The reasons of a refusal as this worker signs them: its own where the policy alone decides, and those of the claim
 * where they tell about evidence, which is not judged once more: whoever may start workflows may refuse anyway. Throws
 * CLAIM_UNPROVEN for a reason of the first kind that this worker does not find.
 */
export function proveRefusal(dependencies: Dependencies, claim: VerdictClaim): Verdict['reasons'] {
  const [{ code }] = claim.reasons;
  if (claim.outcome !== 'deny' || appliedRevision(dependencies) !== claim.policyRevision) return claim.reasons;
  const resolution = resolutionOf(dependencies, policySet(dependencies, claim.policyRevision), claim);
  const nothing = { signatures: { signatures: [], unreadable: [] }, outcomes: [], unable: [] };
  const own = evaluate({ input: claim, resolution, ...nothing });
  if (BY_POLICY.has(own.reasons[0].code)) return own.reasons;
  if (BY_POLICY.has(code)) throw unproven(claim, `${code} is not what this worker finds`);
  return claim.reasons;
}
