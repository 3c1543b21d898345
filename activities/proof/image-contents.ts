import type { PolicyRequest } from '../../workflows/activities.ts';
import type { Digest } from '../../workflows/format/digest.ts';
import { repositoryOf } from '../../workflows/format/name.ts';
import { selectPolicies } from '../../workflows/policy/selection.ts';
import type { Reason } from '../../workflows/verdict/reason.ts';
import { imageName } from '../authority/image-name.ts';
import { registryOf } from '../authority/judge-evidence.ts';
import type { Dependencies } from '../dependencies.ts';
import { EvidenceError } from '../evidence-error.ts';
import type { PolicySet } from '../policy/policy-set.ts';
import type { Registry } from '../registry/registry.ts';
import { findRevokedIndexes, readImageContents } from '../revocation/index-contents.ts';
import { revokedImage } from '../revocation/revoked.ts';

/** What an image lets a node run besides its own digest. */
export type ImageContents =
  | { readonly kind: 'known'; readonly digests: readonly Digest[] }
  /** The registry does not say, or a verdict cannot name it all; nothing is revoked. */
  | { readonly kind: 'unknown' }
  /** Something of it is revoked; or something is revoked, and what the image contains cannot be read or named. */
  | { readonly kind: 'refused'; readonly reason: Reason };

/** Finds out what an image contains, and whether any of it is revoked. Throws the REGISTRY_ codes that may pass while anything is revoked. */
export async function contentsOf(
  dependencies: Dependencies,
  set: PolicySet,
  { name, digest }: Pick<PolicyRequest, 'name' | 'digest'>,
  signal: AbortSignal,
): Promise<ImageContents> {
  const { revocations } = dependencies;
  const place = imageName(name);
  const readers = readersOf(dependencies, set, name);
  try {
    const digests = await readImageContents(revocations, { place, digest, readers }, signal);
    await findRevokedIndexes(revocations, dependencies.absences, { place, readers }, signal);
    const reason = revokedImage(revocations, digest, digests);
    dependencies.places.note(repositoryOf(place), name);
    return reason === undefined ? { kind: 'known', digests } : { kind: 'refused', reason };
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    if (revocations.revoked().size === 0) return { kind: 'unknown' };
    if (error.retryable) throw error;
    return { kind: 'refused', reason: { code: error.code, sentence: error.message } };
  }
}

/** The worker's own reader, and where that has no access those with the pull secrets that policies name for this name. */
export function readersOf(
  dependencies: Pick<Dependencies, 'registry' | 'registryWith'>,
  set: PolicySet,
  name: string,
): readonly Registry[] {
  const authorities = selectPolicies(set.policies, name).matching.flatMap((policy) => policy.authorities);
  const own = authorities
    .flatMap(({ sources }) => sources)
    .filter(({ repository, pullSecrets = [] }) => repository === undefined && pullSecrets.length > 0);
  return [dependencies.registry, ...own.map((source) => registryOf(dependencies, set, source))];
}
