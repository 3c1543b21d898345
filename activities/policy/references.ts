import { PUBLIC_GOOD } from '../trust/trust-root.ts';
import type { AuthorityDocument } from './cluster-image-policy/authority.ts';
import type { PullSecretReference } from './cluster-image-policy/source-rule.ts';
import type { TrustRootReference } from './cluster-image-policy/trust-root-reference.ts';
import { trustPath } from './directory.ts';
import type { Material } from './material.ts';

/** The keys and certificates of an authority. */
export function materialsOf(authority: AuthorityDocument): readonly Material[] {
  const { signer } = authority;
  if (signer.kind === 'static' || !('time' in authority)) return [];
  const own = ownMaterial(signer);
  return [own, authority.time.log.publicKey].filter((one) => one !== undefined);
}

function ownMaterial(signer: Exclude<AuthorityDocument['signer'], { kind: 'static' }>): Material | undefined {
  switch (signer.kind) {
    case 'key':
      return signer.key;
    case 'kms':
      return undefined;
    case 'keyless':
      return signer.certificateAuthority;
  }
}

/** The trust roots that an authority names, each place once; public-good needs no document. */
export function trustRootReferencesOf(authority: AuthorityDocument): readonly TrustRootReference[] {
  if (!('time' in authority)) return [];
  const { signer, time } = authority;
  const all = [signer.kind === 'keyless' ? signer.trustRoot : undefined, time.log.trustRoot, time.timestamps];
  const named = all.filter((one) => one?.field !== undefined && one.name !== PUBLIC_GOOD);
  return [...new Set(named)].filter((one) => one !== undefined);
}

export function pullSecretsOf(authority: AuthorityDocument): readonly PullSecretReference[] {
  return 'sources' in authority ? authority.sources.flatMap((source) => source.pullSecrets) : [];
}

/** The files that authorities refer to; a trust root is a file where no document has its name. */
export function filesOf(authorities: readonly AuthorityDocument[], documented: ReadonlySet<string>): readonly string[] {
  const materials = authorities.flatMap(materialsOf).map(({ source }) => source);
  const paths = [
    ...materials.flatMap((source) => (source.kind === 'file' ? [source.path] : [])),
    ...authorities.flatMap(pullSecretsOf).map(({ path }) => path),
    ...authorities
      .flatMap(trustRootReferencesOf)
      .flatMap(({ name }) => (documented.has(name) ? [] : [trustPath(name)])),
  ];
  return [...new Set(paths)].toSorted();
}
