import type { PolicyRequest, PolicyResolution } from '../workflows/activities.ts';
import { matchingPolicies, policySet } from './applied-policy.ts';
import type { Dependencies } from './dependencies.ts';

/** Which policies of the asked revision match the name. Throws POLICY_INVALID, POLICY_CHANGED. */
export async function resolvePolicy(dependencies: Dependencies, request: PolicyRequest): Promise<PolicyResolution> {
  const set = policySet(dependencies, request.policyRevision);
  const matching = matchingPolicies(set, request.name);
  return {
    loaded: set.policies.length,
    matching: matching.map((policy) => ({
      name: policy.name,
      authorities: policy.authorities.map((authority) => ({ policy: policy.name, authority: authority.name })),
    })),
  };
}
