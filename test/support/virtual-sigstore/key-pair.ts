import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { createSigningKey, type KeyKind, type SigningKey } from '../signer.ts';
import { der, oid, sequence, TAG } from './der.ts';

/** A signing key with its public half in the forms that certificates and trust roots need. */
export interface KeyPair extends SigningKey {
  readonly publicKey: KeyObject;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Buffer;
}

export function createKeyPair(kind: KeyKind = 'ECDSA P-256'): KeyPair {
  return withPublicHalf(createSigningKey(kind));
}

/** The same key with its public half at hand. */
export function withPublicHalf(key: SigningKey): KeyPair {
  const publicKey = createPublicKey(key.privateKey);
  return { ...key, publicKey, spki: publicKey.export({ type: 'spki', format: 'der' }) };
}

/** The AlgorithmIdentifier of what `key.sign` makes. */
export function signatureAlgorithm(kind: KeyKind): Buffer {
  switch (kind) {
    case 'ECDSA P-256':
      return sequence(oid('1.2.840.10045.4.3.2'));
    case 'ECDSA P-384':
      return sequence(oid('1.2.840.10045.4.3.3'));
    case 'ECDSA P-521':
      return sequence(oid('1.2.840.10045.4.3.4'));
    case 'RSA 2048':
    case 'RSA 3072':
      return sequence(oid('1.2.840.113549.1.1.11'), der(TAG.null));
    case 'Ed25519':
      return sequence(oid('1.3.101.112'));
  }
}

/** The name of the key's algorithm in Sigstore's registry (protobuf-specs `PublicKeyDetails`). */
export function keyDetails(kind: KeyKind): string {
  switch (kind) {
    case 'ECDSA P-256':
      return 'PKIX_ECDSA_P256_SHA_256';
    case 'ECDSA P-384':
      return 'PKIX_ECDSA_P384_SHA_384';
    case 'ECDSA P-521':
      return 'PKIX_ECDSA_P521_SHA_512';
    case 'RSA 2048':
      return 'PKIX_RSA_PKCS1V15_2048_SHA256';
    case 'RSA 3072':
      return 'PKIX_RSA_PKCS1V15_3072_SHA256';
    case 'Ed25519':
      return 'PKIX_ED25519';
  }
}

export function sha256(...parts: readonly (Uint8Array | string)[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}
