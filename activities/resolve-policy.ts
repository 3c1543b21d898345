import type { PolicyRequest, PolicyResolution } from '../workflows/activities.ts';
import { selectPolicies } from '../workflows/policy/selection.ts';
import { policySet } from './applied-policy.ts';
import type { Dependencies } from './dependencies.ts';

/** Which policies of the asked revision match the name. Throws POLICY_INVALID, POLICY_CHANGED. */
export function resolvePolicy(dependencies: Dependencies, request: PolicyRequest): PolicyResolution {
  return selectPolicies(policySet(dependencies, request.policyRevision).policies, request.name);
}
