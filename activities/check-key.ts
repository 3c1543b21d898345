import type { KeyCheck, KeyRequest } from '../workflows/activities.ts';
import { findAuthority } from './applied-policy.ts';
import type { Dependencies } from './dependencies.ts';
import { EvidenceError } from './evidence-error.ts';
import type { Authority } from './policy/policy-set.ts';
import { trustRootsOf } from './policy/trust-root-names.ts';
import type { TrustStore } from './trust/trust-root.ts';

/**
 * That what one authority trusts may be used now: its key, and the trust roots that it names. Throws POLICY_INVALID,
 * POLICY_CHANGED and the TRUST_ROOT_ codes.
 */
export function checkKey(dependencies: Dependencies, request: KeyRequest): KeyCheck {
  return keyOf(findAuthority(dependencies, request), dependencies.trust);
}

/** What an authority is known by. A key from a file has no state beyond being in the policy. Throws the TRUST_ROOT_ codes. */
export function keyOf(authority: Authority, trust: TrustStore): KeyCheck {
  const roots = trustRootsOf(authority).map((name) => trust.find(name));
  const { signer } = authority;
  switch (signer.kind) {
    case 'key':
      return { keyId: signer.key.keyId, algorithm: signer.key.algorithm };
    case 'keyless': {
      const [root] = roots;
      if (root !== undefined) return { keyId: root.revision, algorithm: `certificates of trust root ${root.name}` };
      // A certificate authority that stands in the policy itself is part of the policy revision.
      return { keyId: '0'.repeat(64), algorithm: 'certificates of the authority in the policy' };
    }
    case 'static':
      throw new EvidenceError('INTERNAL', `the static authority ${authority.name} has no key`, { retryable: false });
  }
}
