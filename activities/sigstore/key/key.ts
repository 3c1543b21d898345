import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { decodeBase64 } from '../../text/base64.ts';
import { quote } from '../../text/quote.ts';

const HASHES = ['sha256', 'sha384', 'sha512'] as const;
export type HashAlgorithm = (typeof HASHES)[number];

/** A public key that signatures are judged by. Made only by {@link parsePublicKey} and {@link describeKey}. */
export interface VerificationKey {
  /** Hex SHA-256 of the DER SubjectPublicKeyInfo. */
  readonly keyId: string;
  /** For people: `ECDSA P-256`, `RSA 2048`, `RSA-PSS 2048`, `Ed25519`, `ML-DSA-65`. */
  readonly algorithm: string;
  readonly publicKey: KeyObject;
  /** The ways a signature by this key may be made; it is enough that one holds. */
  readonly schemes: readonly SignatureScheme[];
}

/** `pure` is Ed25519 (RFC 8032) or ML-DSA (FIPS 204) over the message itself, which take no hash from outside. */
export type SignatureScheme =
  | { readonly kind: 'ecdsa'; readonly hash: HashAlgorithm }
  | { readonly kind: 'rsa-pkcs1'; readonly hash: HashAlgorithm }
  | { readonly kind: 'rsa-pss'; readonly hash: HashAlgorithm }
  | { readonly kind: 'pure' };

export type KeyResult =
  | { readonly ok: true; readonly key: VerificationKey }
  | { readonly ok: false; readonly problem: string };

/** An RSA 8192 key is 1.5 KB of PEM; the rest is room for white space. */
const MAX_PEM_LENGTH = 16 * 1024;
const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 8192;
const BLOCK = /^-----BEGIN ([A-Z0-9 ]{1,40})-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END \1-----$/;

/**
 * Parses one PEM public key as cosign@3 reads a key file: one block, `PUBLIC KEY` (SPKI) or `RSA PUBLIC KEY` (PKCS#1).
 * The DER has to be the usual one (named curve, whole point, nothing after it), so that one key has one id. `hash` is a ClusterImagePolicy's
 * `key.hashAlgorithm`: as in policy-controller it pins the hash of ECDSA and RSA signatures and means nothing for
 * Ed25519. Without it RSA is SHA-256, and ECDSA what fits the curve, then SHA-256, which older signers used for every
 * curve. PSS is for keys that say so themselves (id-RSASSA-PSS). `problem` completes "the key is not usable: ", and never holds key material.
 */
export function parsePublicKey(pem: string, hash?: HashAlgorithm): KeyResult {
  if (pem.length > MAX_PEM_LENGTH) {
    return problem(`expected one PEM public key of at most ${MAX_PEM_LENGTH} characters, found ${pem.length}`);
  }
  const blocks = pem.match(/-----BEGIN /g)?.length ?? 0;
  if (/-----BEGIN [A-Z0-9 ]*PRIVATE KEY/.test(pem)) {
    return problem('it holds a private key: replace it by the public key, and consider the private key leaked');
  }
  if (blocks !== 1) return problem(`expected exactly one PEM block, found ${blocks}`);
  const [, label, body] = BLOCK.exec(pem.trim()) ?? [];
  if (label === undefined || body === undefined) {
    return problem('expected a PEM block and nothing around it, found other text, or a block that is cut off');
  }
  const type = label === 'PUBLIC KEY' ? 'spki' : label === 'RSA PUBLIC KEY' ? 'pkcs1' : undefined;
  if (type === undefined) return problem(`expected a PEM block "PUBLIC KEY", found ${quote(label)}`);
  const publicKey = importDer(decodeBase64(body.replaceAll(/[\r\n]/g, '')), type);
  if (publicKey === undefined) return problem(`the PEM block ${quote(label)} holds no public key, or more than that`);
  return describeKey(publicKey, hash);
}

function importDer(der: Buffer | undefined, type: 'spki' | 'pkcs1'): KeyObject | undefined {
  if (der === undefined) return undefined;
  try {
    const read = createPublicKey({ key: der, format: 'der', type });
    // Once more from SPKI: a key that Node 24 read from PKCS#1 can't be exported as PKCS#1.
    const key = createPublicKey({ key: read.export({ type: 'spki', format: 'der' }), format: 'der', type: 'spki' });
    // OpenSSL ignores what follows the key; what it writes back does not have it.
    return key.export({ type, format: 'der' }).equals(der) ? key : undefined;
  } catch {
    return undefined;
  }
}

type Kind = Pick<VerificationKey, 'algorithm' | 'schemes'>;

/** The ways in which a key signs, for a key that was read from elsewhere, such as a certificate. */
export function describeKey(publicKey: KeyObject, hash?: HashAlgorithm): KeyResult {
  const kind = kindOf(publicKey, hash);
  if (typeof kind === 'string') return problem(kind);
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  return { ok: true, key: { keyId: createHash('sha256').update(spki).digest('hex'), publicKey, ...kind } };
}

/** What the key is, or the problem with it. */
function kindOf(publicKey: KeyObject, hash: HashAlgorithm | undefined): Kind | string {
  switch (publicKey.asymmetricKeyType) {
    case 'ec':
      return ecKind(publicKey, hash);
    case 'rsa':
      return rsaKind(publicKey, hash);
    case 'rsa-pss':
      return pssKind(publicKey, hash);
    case 'ed25519':
      return { algorithm: 'Ed25519', schemes: [{ kind: 'pure' }] };
    case 'ml-dsa-44':
    case 'ml-dsa-65':
    case 'ml-dsa-87':
      return { algorithm: publicKey.asymmetricKeyType.toUpperCase(), schemes: [{ kind: 'pure' }] };
    default:
      return `expected ECDSA, RSA, Ed25519 or ML-DSA, found ${publicKey.asymmetricKeyType ?? 'another kind of key'}`;
  }
}

/** The curves of FIPS 186-5, each with its hash and the length of an SPKI that names it and holds a whole point. */
const CURVES: ReadonlyMap<string, { readonly name: string; readonly hash: HashAlgorithm; readonly spki: number }> =
  new Map([
    ['prime256v1', { name: 'P-256', hash: 'sha256', spki: 91 }],
    ['secp384r1', { name: 'P-384', hash: 'sha384', spki: 120 }],
    ['secp521r1', { name: 'P-521', hash: 'sha512', spki: 158 }],
  ]);

function ecKind(publicKey: KeyObject, pinned: HashAlgorithm | undefined): Kind | string {
  const named = publicKey.asymmetricKeyDetails?.namedCurve ?? 'an unnamed curve';
  const curve = CURVES.get(named);
  if (curve === undefined) return `expected the curve P-256, P-384 or P-521, found ${quote(named)}`;
  if (publicKey.export({ type: 'spki', format: 'der' }).length !== curve.spki) {
    return 'expected a named curve and an uncompressed point, found another encoding: convert it with "openssl ec -pubin -param_enc named_curve -conv_form uncompressed"';
  }
  const hashes = new Set(pinned === undefined ? [curve.hash, 'sha256' as const] : [pinned]);
  return { algorithm: `ECDSA ${curve.name}`, schemes: [...hashes].map((hash) => ({ kind: 'ecdsa', hash })) };
}

function rsaKind(publicKey: KeyObject, pinned: HashAlgorithm | undefined): Kind | string {
  const problem = rsaProblem(publicKey);
  if (problem !== undefined) return problem;
  const { modulusLength = 0 } = publicKey.asymmetricKeyDetails ?? {};
  return { algorithm: `RSA ${modulusLength}`, schemes: [{ kind: 'rsa-pkcs1', hash: pinned ?? 'sha256' }] };
}

/** A key that is only for PSS may name its one hash (RFC 4055 section 3.1). */
function pssKind(publicKey: KeyObject, pinned: HashAlgorithm | undefined): Kind | string {
  const problem = rsaProblem(publicKey);
  if (problem !== undefined) return problem;
  const { modulusLength = 0, hashAlgorithm } = publicKey.asymmetricKeyDetails ?? {};
  const own = HASHES.find((hash) => hash === hashAlgorithm);
  if (hashAlgorithm !== undefined && own === undefined) {
    return `expected an RSA-PSS key for SHA-256, SHA-384 or SHA-512, found ${quote(hashAlgorithm)}`;
  }
  return { algorithm: `RSA-PSS ${modulusLength}`, schemes: [{ kind: 'rsa-pss', hash: pinned ?? own ?? 'sha256' }] };
}

function rsaProblem(publicKey: KeyObject): string | undefined {
  const { modulusLength = 0, publicExponent } = publicKey.asymmetricKeyDetails ?? {};
  if (modulusLength < MIN_RSA_BITS || modulusLength > MAX_RSA_BITS) {
    return `expected RSA of ${MIN_RSA_BITS} to ${MAX_RSA_BITS} bits, found ${modulusLength}`;
  }
  if (publicExponent !== 65537n) return `expected the RSA exponent 65537, found ${publicExponent}`;
  return undefined;
}

function problem(text: string): KeyResult {
  return { ok: false, problem: text };
}
