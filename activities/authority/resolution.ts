import type { PolicyRequest, PolicyResolution } from '../../workflows/activities.ts';
import { selectPolicies } from '../../workflows/policy/selection.ts';
import type { Dependencies } from '../dependencies.ts';
import type { PolicySet } from '../policy/policy-set.ts';

/** Which policies of a set match a name. A revoked digest matches nothing, and nothing else is asked about it. */
export function resolutionOf(
  { revocations }: Pick<Dependencies, 'revocations'>,
  set: PolicySet,
  { name, digest }: Pick<PolicyRequest, 'name' | 'digest'>,
): PolicyResolution {
  if (revocations.revoked().has(digest)) return { loaded: set.policies.length, matching: [], revoked: true };
  return selectPolicies(set.policies, name);
}
