import type { SigningAlgorithmSpec } from '@aws-sdk/client-kms';
import type { SignatureScheme } from '../../sigstore/key/key.ts';

/** A way of signing that AWS KMS offers and signatures are judged by here. */
export interface AwsAlgorithm {
  readonly name: SigningAlgorithmSpec;
  readonly scheme: SignatureScheme;
}

const RSA: readonly AwsAlgorithm[] = (['sha256', 'sha384', 'sha512'] as const).flatMap((hash) => {
  const size = hash === 'sha256' ? '256' : hash === 'sha384' ? '384' : '512';
  return [
    { name: `RSASSA_PKCS1_V1_5_SHA_${size}`, scheme: { kind: 'rsa-pkcs1', hash } },
    { name: `RSASSA_PSS_SHA_${size}`, scheme: { kind: 'rsa-pss', hash } },
  ] as const;
});
const ML_DSA: readonly AwsAlgorithm[] = [{ name: 'ML_DSA_SHAKE_256', scheme: { kind: 'pure' } }];

/**
 * The key specs that are judged, each with what its public key has to be and the algorithms that are believed (AWS KMS
 * developer guide, "Key spec reference"): a curve only with its own hash, Ed25519 only pure. Left out are P256K1 and SM2.
 */
const SPECS: ReadonlyMap<string, { readonly is: string; readonly algorithms: readonly AwsAlgorithm[] }> = new Map([
  ['RSA_2048', { is: 'RSA 2048', algorithms: RSA }],
  ['RSA_3072', { is: 'RSA 3072', algorithms: RSA }],
  ['RSA_4096', { is: 'RSA 4096', algorithms: RSA }],
  ['ECC_NIST_P256', ecc('P-256', 'ECDSA_SHA_256', 'sha256')],
  ['ECC_NIST_P384', ecc('P-384', 'ECDSA_SHA_384', 'sha384')],
  ['ECC_NIST_P521', ecc('P-521', 'ECDSA_SHA_512', 'sha512')],
  ['ECC_NIST_EDWARDS25519', { is: 'Ed25519', algorithms: [{ name: 'ED25519_SHA_512', scheme: { kind: 'pure' } }] }],
  ['ML_DSA_44', { is: 'ML-DSA-44', algorithms: ML_DSA }],
  ['ML_DSA_65', { is: 'ML-DSA-65', algorithms: ML_DSA }],
  ['ML_DSA_87', { is: 'ML-DSA-87', algorithms: ML_DSA }],
]);

function ecc(curve: string, name: SigningAlgorithmSpec, hash: 'sha256' | 'sha384' | 'sha512') {
  return { is: `ECDSA ${curve}`, algorithms: [{ name, scheme: { kind: 'ecdsa', hash } }] } as const;
}

/** What a key spec is, in the words of `VerificationKey.algorithm`, and which of the listed algorithms are believed. */
export function algorithmsOf(
  spec: string,
  listed: readonly string[],
): { readonly is: string; readonly algorithms: readonly AwsAlgorithm[] } | undefined {
  const known = SPECS.get(spec);
  return known && { is: known.is, algorithms: known.algorithms.filter(({ name }) => listed.includes(name)) };
}

/** The specs that are judged, for sentences. */
export const AWS_KEY_SPECS: readonly string[] = [...SPECS.keys()];
