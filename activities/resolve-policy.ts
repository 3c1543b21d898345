import type { PolicyRequest, PolicyResolution } from '../workflows/activities.ts';
import { policySet } from './authority/applied-policy.ts';
import { resolutionOf } from './authority/resolution.ts';
import type { Dependencies } from './dependencies.ts';

/** Which policies of the asked revision match the name. Throws POLICY_INVALID, POLICY_CHANGED. */
export function resolvePolicy(dependencies: Dependencies, request: PolicyRequest): PolicyResolution {
  return resolutionOf(dependencies, policySet(dependencies, request.policyRevision), request);
}
