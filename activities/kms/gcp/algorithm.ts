import type { HashAlgorithm, SignatureScheme } from '../../sigstore/key/key.ts';

/** What the algorithm of a key version stands for: the key as `describeKey` calls it, and the one way it signs. */
export interface GcpAlgorithm {
  readonly keyKind: string;
  readonly scheme: SignatureScheme;
}

const EC: Readonly<Record<string, GcpAlgorithm>> = {
  EC_SIGN_P256_SHA256: { keyKind: 'ECDSA P-256', scheme: { kind: 'ecdsa', hash: 'sha256' } },
  EC_SIGN_P384_SHA384: { keyKind: 'ECDSA P-384', scheme: { kind: 'ecdsa', hash: 'sha384' } },
  EC_SIGN_ED25519: { keyKind: 'Ed25519', scheme: { kind: 'pure' } },
};
const HASHES: Readonly<Record<string, HashAlgorithm>> = { SHA256: 'sha256', SHA512: 'sha512' };
const RSA = /^RSA_SIGN_(PKCS1|PSS)_(2048|3072|4096)_(SHA256|SHA512)$/;

/**
 * Reads `CryptoKeyVersionAlgorithm`. `undefined` for what is not for signing, and for what is not judged here:
 * secp256k1, PKCS#1 without a hash in it (`RSA_SIGN_RAW_`), and the post-quantum ones, whose keys are no SPKI.
 */
export function gcpAlgorithm(name: string): GcpAlgorithm | undefined {
  if (Object.hasOwn(EC, name)) return EC[name];
  const [, padding, bits, hashName] = RSA.exec(name) ?? [];
  const hash = HASHES[hashName ?? ''];
  if (hash === undefined) return undefined;
  return { keyKind: `RSA ${bits}`, scheme: { kind: padding === 'PSS' ? 'rsa-pss' : 'rsa-pkcs1', hash } };
}
