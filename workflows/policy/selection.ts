import type { LogMode, MatchingAuthority, PolicyResolution, SignatureSource, StaticAnswer } from '../activities.ts';
import { type Glob, globMatches } from './glob.ts';

/** The part of a policy that says which images it is about and who may vouch for them. */
export interface ImagePolicy {
  readonly name: string;
  readonly images: readonly Glob[];
  readonly mode: 'enforce' | 'warn';
  readonly authorities: readonly ImageAuthority[];
}

/** The part of an authority's rule that tells which steps a verification takes. */
export interface ImageAuthority {
  readonly name: string;
  readonly signer:
    | { readonly kind: 'key' | 'keyless' }
    | { readonly kind: 'kms'; readonly reference: { readonly uri: string } }
    | ({ readonly kind: 'static' } & StaticRule);
  readonly log: { readonly mode: LogMode } | undefined;
  readonly sources: readonly SignatureSource[];
  readonly coversIndexChildren: boolean;
}

interface StaticRule {
  readonly action: StaticAnswer['action'];
  readonly message: string | undefined;
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
      mode: policy.mode,
      authorities: policy.authorities.map((authority) => toMatching(policy.name, authority)),
    })),
  };
}

function toMatching(policy: string, authority: ImageAuthority): MatchingAuthority {
  const reference = { policy, authority: authority.name };
  const { signer, log, coversIndexChildren } = authority;
  if (signer.kind === 'static') {
    const { action, message } = signer;
    return { ...reference, static: { action, ...(message === undefined ? {} : { message }) }, sources: [] };
  }
  const places = authority.sources.length > 0 ? authority.sources : [{}];
  const sources = places.map((source) => (coversIndexChildren ? { ...source, coversIndexChildren } : source));
  const key = signer.kind === 'kms' ? { key: signer.reference.uri } : {};
  return { ...reference, ...key, ...(log === undefined ? {} : { log: log.mode }), sources };
}
