import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { type Digest, digestHex } from '../../workflows/format/digest.ts';
import { preAuthEncoding } from '../../workflows/format/dsse.ts';

export const KEY_KINDS = ['ECDSA P-256', 'ECDSA P-384', 'ECDSA P-521', 'RSA 2048', 'RSA 3072', 'Ed25519'] as const;
export type KeyKind = (typeof KEY_KINDS)[number];

/** A key pair that signs as cosign does with a key of its kind. */
export interface SigningKey {
  readonly kind: KeyKind;
  readonly privateKey: KeyObject;
  readonly publicPem: string;
  /** Hex SHA-256 of the SPKI. */
  readonly keyId: string;
  /** Over the hash that fits the key, or over the given one. */
  sign(bytes: Uint8Array, hash?: string): Buffer;
}

/** Makes a fresh key pair. */
export function createSigningKey(kind: KeyKind): SigningKey {
  const { privateKey, publicKey } = generatePair(kind);
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  return {
    kind,
    privateKey,
    publicPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    keyId: createHash('sha256').update(spki).digest('hex'),
    sign: (bytes, hash = USUAL_HASH[kind]) => sign(kind === 'Ed25519' ? null : hash, bytes, privateKey),
  };
}

const USUAL_HASH: Readonly<Record<KeyKind, string>> = {
  'ECDSA P-256': 'sha256',
  'ECDSA P-384': 'sha384',
  'ECDSA P-521': 'sha512',
  'RSA 2048': 'sha256',
  'RSA 3072': 'sha256',
  Ed25519: '',
};

function generatePair(kind: KeyKind): { readonly privateKey: KeyObject; readonly publicKey: KeyObject } {
  switch (kind) {
    case 'ECDSA P-256':
    case 'ECDSA P-384':
    case 'ECDSA P-521':
      return generateKeyPairSync('ec', { namedCurve: kind.slice('ECDSA '.length) });
    case 'RSA 2048':
    case 'RSA 3072':
      return generateKeyPairSync('rsa', { modulusLength: Number(kind.slice('RSA '.length)) });
    case 'Ed25519':
      return generateKeyPairSync('ed25519');
  }
}

export const STATEMENT_PAYLOAD_TYPE = 'application/vnd.in-toto+json';

/** The statement that `cosign sign` of cosign 3 writes; a test may bend any part of it. */
export function cosignStatement(digest: Digest) {
  return {
    _type: 'https://in-toto.io/Statement/v1' as unknown,
    subject: [{ digest: { sha256: digestHex(digest) } }] as unknown,
    predicateType: 'https://sigstore.dev/cosign/sign/v1' as unknown,
    predicate: {} as unknown,
  };
}

export interface EnvelopeOptions {
  readonly payloadType?: string;
  readonly hash?: string;
}

/** A Sigstore bundle as JSON; every part may be bent before {@link encodeJson} writes it. */
export type BundleDocument = ReturnType<typeof signBundle>;

/** Signs a payload (bytes, or an object that is written as JSON) into a bundle as cosign 3 writes it for a key. */
export function signBundle(key: SigningKey, payload: object, options: EnvelopeOptions = {}) {
  const bytes = payload instanceof Uint8Array ? payload : encodeJson(payload);
  const payloadType = options.payloadType ?? STATEMENT_PAYLOAD_TYPE;
  const sig = key.sign(preAuthEncoding(payloadType, bytes), options.hash).toString('base64');
  return {
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: {
      publicKey: { hint: Buffer.from(key.keyId, 'hex').toString('base64') },
    } as Record<string, unknown>,
    dsseEnvelope: { payload: Buffer.from(bytes).toString('base64'), payloadType, signatures: [{ sig }] },
  };
}

/** The bundle of `cosign sign --key` (cosign 3) for a digest. */
export function cosignBundle(key: SigningKey, digest: Digest): Uint8Array {
  return encodeJson(signBundle(key, cosignStatement(digest)));
}

/** The payload that cosign 2 signs; a test may bend any part of it. */
export function cosignPayload(digest: Digest, reference: string) {
  return {
    critical: {
      identity: { 'docker-reference': reference },
      image: { 'docker-manifest-digest': digest },
      type: 'cosign container image signature',
    } as Record<string, unknown>,
    optional: null as unknown,
  };
}

export interface SimpleSigning {
  readonly format: 'simple-signing';
  readonly payload: Uint8Array;
  /** Base64, as in the layer's annotation. */
  readonly signature: string;
}

/** Signs a payload (bytes, or an object that is written as JSON) as cosign 2 does. */
export function signSimple(key: SigningKey, payload: object, hash?: string): SimpleSigning {
  const bytes = payload instanceof Uint8Array ? payload : encodeJson(payload);
  return { format: 'simple-signing', payload: bytes, signature: key.sign(bytes, hash).toString('base64') };
}

/** UTF-8 JSON without white space. */
export function encodeJson(value: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
