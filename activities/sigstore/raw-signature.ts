import { constants, verify } from 'node:crypto';
import type { SignatureScheme, VerificationKey } from './key.ts';

/**
 * Tells whether a signature over exactly these bytes holds under a key: ECDSA as DER (FIPS 186-5; OpenSSL 3 refuses any
 * but the one encoding), RSA PKCS#1 v1.5 (RFC 8017 section 8.2; PSS is not tried, cosign@3 never writes it for a key
 * from a file), Ed25519 pure (RFC 8032; its pre-hashed variant is not in `node:crypto`). Never throws.
 */
export function holds(signature: Uint8Array, signed: Uint8Array, key: VerificationKey): boolean {
  return key.schemes.some((scheme) => holdsUnder(scheme, signature, signed, key));
}

function holdsUnder(scheme: SignatureScheme, signature: Uint8Array, signed: Uint8Array, key: VerificationKey): boolean {
  try {
    switch (scheme.kind) {
      case 'ecdsa':
        return verify(scheme.hash, signed, { key: key.publicKey, dsaEncoding: 'der' }, signature);
      case 'rsa-pkcs1':
        return verify(scheme.hash, signed, { key: key.publicKey, padding: constants.RSA_PKCS1_PADDING }, signature);
      case 'ed25519':
        return verify(null, signed, key.publicKey, signature);
    }
  } catch {
    return false; // what OpenSSL can't parse is no signature
  }
}
