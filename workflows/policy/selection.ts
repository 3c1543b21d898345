import type {
  LogMode,
  MatchingAuthority,
  MatchingPolicy,
  NearMatch,
  PolicyResolution,
  SignatureSource,
  StaticAnswer,
} from '../activities.ts';
import { type ImageName, parseName } from '../format/name.ts';
import { loopbackOf, neighboursOf } from '../format/registry-host.ts';
import { type Glob, globMatches, globMatchesTagged, parseGlob } from './glob.ts';

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
  readonly newestAttestation: boolean;
}

interface StaticRule {
  readonly action: StaticAnswer['action'];
  readonly message: string | undefined;
}

/** Near policies that a refusal lists; more would say nothing more. */
const MAX_NEAR = 5;

/**
 * Selects the policies that apply to a name: each one of which any glob matches (policy-controller
 * `GetMatchingPolicies`). All of them have to be satisfied, so a broad one can't be overridden by a narrow one. A name can't
 * be spelt so that a policy is avoided: beside one that matches the name itself, those that {@link applying} finds near
 * apply as well. Near policies alone allow nothing.
 */
export function selectPolicies(policies: readonly ImagePolicy[], name: string): PolicyResolution {
  const applied = applying(policies, name);
  const loaded = policies.length;
  if (applied.some(({ near }) => near === undefined)) {
    return { loaded, matching: applied.map(({ of, near }) => ({ ...toMatchingPolicy(of), ...(near && { near }) })) };
  }
  const near = applied.flatMap(({ of, near: why }) => (why === undefined ? [] : [{ policy: of.name, ...why }]));
  return { loaded, matching: [], ...(near.length > 0 && { near: near.slice(0, MAX_NEAR) }) };
}

/** One that is about a name; `near` is set where it does not match the name itself. */
interface Applying<T> {
  readonly of: T;
  readonly near?: NearMatch;
}

/**
 * Those that are about a name, or may be: by a glob that names tags where the name has none (the CRI drops a tag beside
 * a digest), or by another name of the host. Near ones count only beside one that matches the name itself.
 */
export function applying<T extends { readonly images: readonly Glob[] }>(
  all: readonly T[],
  text: string,
): readonly Applying<T>[] {
  const name = parseName(text);
  if (name === undefined) return [];
  const neighbours = neighboursOf(name.registry).map((registry) => ({ ...name, registry }));
  return all.flatMap((of) => {
    if (of.images.some((glob) => globMatches(glob, name))) return [{ of }];
    const near = nearMatch(of.images, name, neighbours);
    return near === undefined ? [] : [{ of, near }];
  });
}

function nearMatch(globs: readonly Glob[], name: ImageName, neighbours: readonly ImageName[]): NearMatch | undefined {
  const tagged = globs.find((glob) => globMatchesTagged(glob, name));
  if (tagged !== undefined) return { by: 'tag', glob: tagged };
  const matches = (glob: Glob, one: ImageName) => globMatches(glob, one) || globMatchesTagged(glob, one);
  const loopback = loopbackOf(name.registry);
  const onLoopback = loopback === undefined ? [] : [{ ...name, registry: loopback }];
  const neighbouring = globs.find(
    (glob) =>
      neighbours.some((one) => matches(glob, one)) ||
      onLoopback.some((one) => loopbackGlob(glob).some((own) => matches(own, one))),
  );
  return neighbouring === undefined ? undefined : { by: 'host', glob: neighbouring };
}

/** A glob about any address of loopback as one about `localhost`: there are too many names to try them all. */
function loopbackGlob(glob: Glob): readonly Glob[] {
  const [first = '', ...rest] = glob.split('/');
  const registry = loopbackOf(first);
  return registry === undefined ? [] : [parseGlob([registry, ...rest].join('/'))].filter((one) => one !== undefined);
}

function toMatchingPolicy({ name, mode, authorities }: ImagePolicy): MatchingPolicy {
  return { name, mode, authorities: authorities.map((authority) => toMatching(name, authority)) };
}

function toMatching(policy: string, authority: ImageAuthority): MatchingAuthority {
  const reference = { policy, authority: authority.name };
  const { signer, log, coversIndexChildren, newestAttestation } = authority;
  if (signer.kind === 'static') {
    const { action, message } = signer;
    return { ...reference, static: { action, ...(message === undefined ? {} : { message }) }, sources: [] };
  }
  const places = authority.sources.length > 0 ? authority.sources : [{}];
  const sources = places.map((source) => ({
    ...source,
    ...(coversIndexChildren ? { coversIndexChildren } : {}),
    ...(newestAttestation ? { everyPart: newestAttestation } : {}),
  }));
  const key = signer.kind === 'kms' ? { key: signer.reference.uri } : {};
  return { ...reference, ...key, ...(log === undefined ? {} : { log: log.mode }), sources };
}
