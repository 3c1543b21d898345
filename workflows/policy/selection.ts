import type { PolicyResolution } from '../activities.ts';
import { type Glob, globMatches } from './glob.ts';

/** The part of a policy that says which images it is about and who may vouch for them. */
export interface ImagePolicy {
  readonly name: string;
  readonly images: readonly Glob[];
  readonly authorities: readonly { readonly name: string }[];
}

/**
 * Selects the policies that apply to a name: each one of which any glob matches (policy-controller
 * `GetMatchingPolicies`). All of them have to be satisfied, so a broad one can't be overridden by a narrow one.
 */
export function selectPolicies(policies: readonly ImagePolicy[], name: string): PolicyResolution {
  const matching = policies.filter((policy) => policy.images.some((glob) => globMatches(glob, name)));
  return {
    loaded: policies.length,
    matching: matching.map((policy) => ({
      name: policy.name,
      authorities: policy.authorities.map((authority) => ({ policy: policy.name, authority: authority.name })),
    })),
  };
}
