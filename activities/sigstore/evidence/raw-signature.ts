import { constants, verify } from 'node:crypto';
import { type Refusal, refuse } from '../judgement.ts';
import type { SignatureScheme, VerificationKey } from '../key/key.ts';

/**
 * Tells whether a signature over exactly these bytes holds under a key: ECDSA as DER (FIPS 186-5; OpenSSL 3 refuses any
 * but the one encoding), RSA PKCS#1 v1.5 (RFC 8017 section 8.2), RSA-PSS with MGF1 of the same hash (section 8.1;
 * only for keys that are for nothing else), Ed25519 pure (RFC 8032; its pre-hashed variant is not in `node:crypto`),
 * ML-DSA pure (FIPS 204). Never throws.
 */
export function holds(signature: Uint8Array, signed: Uint8Array, key: VerificationKey): boolean {
  return key.schemes.some((scheme) => holdsUnder(scheme, signature, signed, key));
}

/** Why a signature that names no other key does not hold under this one, as far as that can be told. */
export function refuseBroken(key: VerificationKey): Refusal {
  const causes = ['another key made it', 'it was changed'];
  if (key.algorithm === 'Ed25519') {
    causes.push("it is Ed25519ph, which cosign makes and can't verify (sign with an ECDSA or RSA key)");
  }
  return refuse(
    'SIGNATURE_INVALID',
    `the signature does not hold under the key sha256:${key.keyId}: ${causes.join(', or ')}`,
  );
}

function holdsUnder(scheme: SignatureScheme, signature: Uint8Array, signed: Uint8Array, key: VerificationKey): boolean {
  try {
    switch (scheme.kind) {
      case 'ecdsa':
        return verify(scheme.hash, signed, { key: key.publicKey, dsaEncoding: 'der' }, signature);
      case 'rsa-pkcs1':
        return verify(scheme.hash, signed, { key: key.publicKey, padding: constants.RSA_PKCS1_PADDING }, signature);
      case 'rsa-pss':
        return verify(scheme.hash, signed, { key: key.publicKey, padding: constants.RSA_PKCS1_PSS_PADDING }, signature);
      case 'pure':
        return verify(null, signed, key.publicKey, signature);
    }
  } catch {
    return false; // what OpenSSL can't parse is no signature
  }
}
