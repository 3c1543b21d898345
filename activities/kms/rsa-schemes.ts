import type { HashAlgorithm, SignatureScheme } from '../sigstore/key/key.ts';

/**
 * For services that let each signer choose padding and hash, and do not say later which it was: all that are taken, the
 * usual one first. PSS signers here use any length of salt.
 */
export function rsaSchemes(usual: HashAlgorithm): readonly SignatureScheme[] {
  const hashes = [...new Set([usual, 'sha256', 'sha384', 'sha512'] as const)];
  return [
    ...hashes.map((hash) => ({ kind: 'rsa-pkcs1', hash }) as const),
    ...hashes.map((hash) => ({ kind: 'rsa-pss', hash }) as const),
  ];
}
