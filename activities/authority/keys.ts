import { createHash } from 'node:crypto';
import type { KeyCheck } from '../../workflows/activities.ts';
import type { Dependencies } from '../dependencies.ts';
import { EvidenceError } from '../evidence-error.ts';
import type { CheckedKey } from '../kms/checked/managed-keys.ts';
import type { Authority, ManagedSigner } from '../policy/policy-set.ts';
import { trustRootsOf } from '../policy/trust-root-names.ts';
import type { VerificationKey } from '../sigstore/key/key.ts';

/** What an authority's signatures may be made with, as it is now. */
export interface AuthorityKeys {
  /** What it is known by, for people and for whoever asks again. */
  readonly check: KeyCheck;
  /** One of them is enough. Empty for certificates, and for a key that is no use. */
  readonly keys: readonly VerificationKey[];
  /** Where the key lives in a KMS. */
  readonly managed: CheckedKey | undefined;
}

type Asked = Pick<Dependencies, 'trust' | 'keys'>;

/**
 * The key of an authority, and that the trust roots which it names may be used. A key from a file has no state beyond
 * being in the policy; one in a KMS is asked for as freshly as the policy wants. Throws the TRUST_ROOT_ and KMS_ codes,
 * KEY_UNAVAILABLE and KEY_STATE_STALE.
 */
export async function authorityKeys(
  { trust, keys }: Asked,
  authority: Authority,
  signal: AbortSignal,
): Promise<AuthorityKeys> {
  const roots = trustRootsOf(authority).map((name) => trust.find(name));
  const { signer } = authority;
  switch (signer.kind) {
    case 'key': {
      const { keyId, algorithm } = signer.key;
      return { check: { usable: true, keyId, detail: algorithm }, keys: [signer.key], managed: undefined };
    }
    case 'kms':
      return ofManaged(signer, await keys.check(signer.reference, signer.freshness, signal));
    case 'keyless': {
      const [root] = signer.trustRoot === undefined ? [] : roots;
      // A certificate authority that stands in the policy itself is part of the policy revision.
      const own = { keyId: '0'.repeat(64), detail: 'certificates of the authority in the policy' };
      const named = root && { keyId: root.revision, detail: `certificates of trust root ${root.name}` };
      return { check: { usable: true, ...(named ?? own) }, keys: [], managed: undefined };
    }
    case 'static':
      throw new EvidenceError('INTERNAL', `the static authority ${authority.name} has no key`, { retryable: false });
  }
}

function ofManaged({ hashAlgorithm }: ManagedSigner, managed: CheckedKey): AuthorityKeys {
  const { reference, description, checkedAt } = managed;
  const { state, resource } = description;
  if (state.kind === 'unusable') {
    // Not the owner's word about the key, but the service's about itself: it may pass.
    if (state.code === 'KEY_UNAVAILABLE') throw new EvidenceError(state.code, state.sentence, { retryable: true });
    return { check: { usable: false, code: state.code, sentence: state.sentence }, keys: [], managed };
  }
  const keys = description.keys.map((key) => pinned(key, hashAlgorithm)).filter(({ schemes }) => schemes.length > 0);
  const [first] = keys;
  if (first === undefined) {
    const sentence = `no key of ${reference.uri} signs with ${hashAlgorithm ?? 'a hash that is judged here'}; correct hashAlgorithm`;
    return { check: { usable: false, code: 'KEY_UNSUITABLE', sentence }, keys: [], managed };
  }
  const kinds = [...new Set(keys.map(({ algorithm }) => algorithm))].join(', ');
  const detail = `${kinds}, ${resource}, enabled, checked at ${new Date(checkedAt).toISOString()}`;
  return { check: { usable: true, keyId: idOf(keys), detail }, keys, managed };
}

function pinned(key: VerificationKey, hash: ManagedSigner['hashAlgorithm']): VerificationKey {
  if (hash === undefined) return key;
  return { ...key, schemes: key.schemes.filter((scheme) => !('hash' in scheme) || scheme.hash === hash) };
}

/** A key in a KMS may have several versions that are good. */
function idOf(keys: readonly VerificationKey[]): string {
  const ids = keys.map(({ keyId }) => keyId).toSorted();
  const [only, ...others] = ids;
  if (only !== undefined && others.length === 0) return only;
  return createHash('sha256').update(ids.join('\n')).digest('hex');
}
