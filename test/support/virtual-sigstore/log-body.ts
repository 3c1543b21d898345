import { createHash } from 'node:crypto';
import { preAuthEncoding } from '../../../workflows/format/dsse.ts';
import type { KeyKind } from '../signer.ts';
import type { Certificate } from './ca.ts';
import { toPem } from './der.ts';
import { type KeyPair, keyDetails, sha256 } from './key-pair.ts';

/** Who a log entry says signed. */
export type Signer =
  | { readonly kind: 'key'; readonly key: KeyPair }
  | { readonly kind: 'certificate'; readonly certificate: Certificate };

/** A DSSE envelope before its JSON. */
export interface Envelope {
  readonly payloadType: string;
  readonly payload: Uint8Array;
}

/** A signature as logs are told of it. */
export interface Signed {
  readonly signer: Signer;
  readonly signature: Buffer;
  /** The bytes that were signed: a blob, or an envelope (whose signature is over its pre-authentication encoding). */
  readonly content:
    | { readonly kind: 'blob'; readonly bytes: Uint8Array }
    | { readonly kind: 'envelope'; readonly envelope: Envelope };
}

/** The entry kinds, as bodies name them. `v1` is a log with the Rekor API, `v2` one of tiles. */
export type EntryKind =
  | 'hashedrekord 0.0.1'
  | 'dsse 0.0.1'
  | 'intoto 0.0.1'
  | 'intoto 0.0.2'
  | 'hashedrekord 0.0.2'
  | 'dsse 0.0.2';

/** The body that Rekor makes of a signature; a plain object, so that a test can bend it before it is logged. */
export function logBody(kind: EntryKind, signed: Signed): Record<string, unknown> {
  const [name = '', version = ''] = kind.split(' ');
  return { apiVersion: version, kind: name, spec: specOf(kind, signed) };
}

/** What is hashed and signed: the blob, or the envelope's pre-authentication encoding. */
export function signedBytes({ content }: Pick<Signed, 'content'>): Uint8Array {
  return content.kind === 'blob'
    ? content.bytes
    : preAuthEncoding(content.envelope.payloadType, content.envelope.payload);
}

/** PEM of the signer's certificate or public key. */
export function verifierPem(signer: Signer): string {
  return signer.kind === 'key' ? toPem(signer.key.spki, 'PUBLIC KEY') : signer.certificate.pem;
}

export function signingKey(signer: Signer): KeyPair {
  return signer.kind === 'key' ? signer.key : signer.certificate.key;
}

/** The envelope's JSON, with the one signature, as cosign 2 uploads and stores it. */
export function envelopeJson({
  envelope,
  signature,
  keyid = '',
}: {
  envelope: Envelope;
  signature: Uint8Array;
  keyid?: string;
}): string {
  return JSON.stringify({
    payloadType: envelope.payloadType,
    payload: Buffer.from(envelope.payload).toString('base64'),
    signatures: [{ keyid, sig: Buffer.from(signature).toString('base64') }],
  });
}

/** Hash of a key kind: the one that fits its size, as cosign 3 signs. */
export function hashOf(kind: KeyKind): { readonly node: string; readonly proto: string } {
  switch (kind) {
    case 'ECDSA P-384':
      return { node: 'sha384', proto: 'SHA2_384' };
    case 'ECDSA P-521':
    case 'Ed25519':
      return { node: 'sha512', proto: 'SHA2_512' };
    case 'ECDSA P-256':
    case 'RSA 2048':
    case 'RSA 3072':
      return { node: 'sha256', proto: 'SHA2_256' };
  }
}

function specOf(kind: EntryKind, signed: Signed): Record<string, unknown> {
  const pem = Buffer.from(verifierPem(signed.signer)).toString('base64');
  const sig = signed.signature.toString('base64');
  const hash = hashOf(signingKey(signed.signer).kind);
  const digest = createHash(hash.node).update(signedBytes(signed)).digest();
  switch (kind) {
    case 'hashedrekord 0.0.1':
      return {
        data: { hash: { algorithm: hash.node, value: digest.toString('hex') } },
        signature: { content: sig, publicKey: { content: pem } },
      };
    case 'dsse 0.0.1':
      return { ...envelopeHashes(signed, 'envelopeHash'), signatures: [{ signature: sig, verifier: pem }] };
    case 'intoto 0.0.1':
      return { content: envelopeHashes(signed, 'hash'), publicKey: pem };
    case 'intoto 0.0.2': {
      // The schema calls `sig` base64 and the envelope's is base64 already: it is encoded twice.
      const signatures = [{ publicKey: pem, sig: Buffer.from(sig).toString('base64') }];
      const envelope = { payloadType: envelopeOf(signed).payloadType, signatures };
      return { content: { envelope, ...envelopeHashes(signed, 'hash') } };
    }
    case 'hashedrekord 0.0.2': {
      const data = { algorithm: hash.proto, digest: digest.toString('base64') };
      return { hashedRekordV002: { data, signature: { content: sig, verifier: verifierV2(signed.signer) } } };
    }
    case 'dsse 0.0.2': {
      const payloadHash = { algorithm: 'SHA2_256', digest: sha256(envelopeOf(signed).payload).toString('base64') };
      return { dsseV002: { payloadHash, signatures: [{ content: sig, verifier: verifierV2(signed.signer) }] } };
    }
  }
}

function envelopeHashes(signed: Signed, name: 'envelopeHash' | 'hash'): Record<string, unknown> {
  const envelope = envelopeOf(signed);
  const whole = sha256(envelopeJson({ envelope, signature: signed.signature }));
  return { [name]: hashValue(whole), payloadHash: hashValue(sha256(envelope.payload)) };
}

function hashValue(digest: Buffer): Record<string, string> {
  return { algorithm: 'sha256', value: digest.toString('hex') };
}

function verifierV2(signer: Signer): Record<string, unknown> {
  const details = keyDetails(signingKey(signer).kind);
  return signer.kind === 'key'
    ? { keyDetails: details, publicKey: { rawBytes: signer.key.spki.toString('base64') } }
    : { keyDetails: details, x509Certificate: { rawBytes: signer.certificate.der.toString('base64') } };
}

function envelopeOf({ content }: Signed): Envelope {
  if (content.kind === 'envelope') return content.envelope;
  throw new Error('expected an envelope: this kind of entry is about envelopes only');
}
