import { createHash } from 'node:crypto';
import type { HashAlgorithm, VerificationKey } from '../key/key.ts';
import { holds } from './raw-signature.ts';

/** What a signature is over. */
export interface Signed {
  /** Tells whether a signature over it holds under a key. Never throws. */
  holds(signature: Uint8Array, key: VerificationKey): boolean;
  /** Tells whether a digest is one of it, by SHA-256, SHA-384 or SHA-512: a log writes the one that the signer took. */
  hasDigest(digest: Uint8Array): boolean;
}

const HASH_OF_LENGTH: ReadonlyMap<number, HashAlgorithm> = new Map([
  [32, 'sha256'],
  [48, 'sha384'],
  [64, 'sha512'],
]);

/** Bytes that are at hand. */
export function bytesAsSigned(bytes: Uint8Array): Signed {
  return {
    holds: (signature, key) => holds(signature, bytes, key),
    hasDigest: (digest) => isDigestOf(digest, bytes),
  };
}

/** Tells whether a digest, by the hash that has its length, is the one of these bytes. */
export function isDigestOf(digest: Uint8Array, bytes: Uint8Array): boolean {
  const hash = HASH_OF_LENGTH.get(digest.length);
  return hash !== undefined && createHash(hash).update(bytes).digest().equals(digest);
}
