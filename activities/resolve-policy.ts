import type { PolicyRequest, PolicyResolution } from '../workflows/activities.ts';
import { selectPolicies } from '../workflows/policy/selection.ts';
import { policySet } from './authority/applied-policy.ts';
import type { Dependencies } from './dependencies.ts';
import type { PolicySet } from './policy/policy-set.ts';

/** Which policies of the asked revision match the name. Throws POLICY_INVALID, POLICY_CHANGED. */
export function resolvePolicy(dependencies: Dependencies, request: PolicyRequest): PolicyResolution {
  return resolutionOf(dependencies, policySet(dependencies, request.policyRevision), request);
}

/** The same for a set that is at hand. A revoked digest matches nothing: nobody is asked about it any more. */
export function resolutionOf(
  { revocations }: Pick<Dependencies, 'revocations'>,
  set: PolicySet,
  { name, digest }: Pick<PolicyRequest, 'name' | 'digest'>,
): PolicyResolution {
  if (revocations.revoked().has(digest)) return { loaded: set.policies.length, matching: [], revoked: true };
  return selectPolicies(set.policies, name);
}
