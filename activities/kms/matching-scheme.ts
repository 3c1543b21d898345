import { holds } from '../sigstore/evidence/raw-signature.ts';
import type { SignatureScheme, VerificationKey } from '../sigstore/key/key.ts';

/**
 * The scheme by which a signature was made, to be named to a service that verifies one scheme at a time: the one under
 * which it holds here, else the key's usual one, so that a broken signature is asked for too and leaves its trace.
 */
export function matchingScheme(
  key: VerificationKey,
  signed: Uint8Array,
  signature: Uint8Array,
): SignatureScheme | undefined {
  return key.schemes.find((scheme) => holds(signature, signed, { ...key, schemes: [scheme] })) ?? key.schemes[0];
}
