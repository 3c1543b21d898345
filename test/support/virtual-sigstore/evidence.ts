import { createHash } from 'node:crypto';
import type { SignatureContent } from '../../../activities/sigstore/evidence/content.ts';
import { encodeJson } from '../signer.ts';
import { sha256 } from './key-pair.ts';
import {
  type EntryKind,
  type Envelope,
  envelopeJson,
  hashOf,
  logBody,
  type Signed,
  type Signer,
  signedBytes,
  signingKey,
  verifierPem,
} from './log-body.ts';
import type { RekorV1 } from './rekor-v1.ts';
import type { RekorV2 } from './rekor-v2.ts';
import type { TlogEntry } from './tlog-entry.ts';
import type { Tsa } from './tsa.ts';

export const BUNDLE_TYPES = {
  '0.1': 'application/vnd.dev.sigstore.bundle+json;version=0.1',
  '0.2': 'application/vnd.dev.sigstore.bundle+json;version=0.2',
  '0.3': 'application/vnd.dev.sigstore.bundle.v0.3+json',
} as const;
export type BundleVersion = keyof typeof BUNDLE_TYPES;

/** A Sigstore bundle as JSON; every part may be bent before {@link bundleContent} writes it. */
export interface BundleDocument {
  mediaType: string;
  verificationMaterial: {
    publicKey?: { hint: string };
    certificate?: { rawBytes: string };
    x509CertificateChain?: { certificates: { rawBytes: string }[] };
    tlogEntries?: TlogEntry[];
    timestampVerificationData?: { rfc3161Timestamps: { signedTimestamp: string }[] };
  };
  dsseEnvelope?: { payload: string; payloadType: string; signatures: { sig: string; keyid?: string }[] };
  messageSignature?: { messageDigest: { algorithm: string; digest: string }; signature: string };
}

/** The annotations of a legacy layer, by the names that {@link SignatureContent} has for them. */
export interface LegacyAnnotations {
  signature?: string;
  certificate?: string;
  chain?: string;
  bundle?: string;
  timestamp?: string;
}

/** Signs a blob (a simple signing payload): what a legacy `.sig` layer holds. */
export function signBlob(signer: Signer, bytes: Uint8Array, hash?: string): Signed {
  return { signer, signature: signingKey(signer).sign(bytes, hash), content: { kind: 'blob', bytes } };
}

/** Signs an envelope; an object is written as JSON. */
export function signEnvelope(signer: Signer, payload: object, payloadType = 'application/vnd.in-toto+json'): Signed {
  const bytes = payload instanceof Uint8Array ? payload : encodeJson(payload);
  const content = { kind: 'envelope', envelope: { payloadType, payload: bytes } } as const;
  return { signer, signature: signingKey(signer).sign(signedBytes({ content })), content };
}

/** Logs a signature in a v1 log; `bend` changes the body before it is logged, so that all proofs are over the bent one. */
export function logInV1(log: RekorV1, kind: EntryKind, signed: Signed, time: Date, bend: BodyBend = same): TlogEntry {
  return log.entry(log.append(bend(logBody(kind, signed)), time));
}

/** Logs a signature in a v2 log. */
export function logInV2(log: RekorV2, kind: EntryKind, signed: Signed, time: Date, bend: BodyBend = same): TlogEntry {
  return log.entry(log.append(bend(logBody(kind, signed))), time);
}

export type BodyBend = (body: Record<string, unknown>) => object;
const same: BodyBend = (body) => body;

/** A timestamp over a signature, as bundles carry it. */
export function stampOf(tsa: Tsa, signed: Signed, time: Date): string {
  return tsa.stamp(signed.signature, time).toString('base64');
}

export interface BundleParts {
  readonly version?: BundleVersion;
  readonly entries?: readonly TlogEntry[];
  /** Base64, as {@link stampOf} makes them. */
  readonly timestamps?: readonly string[];
}

/** The bundle of a signature. */
export function bundleOf(
  signed: Signed,
  { version = '0.3', entries = [], timestamps = [] }: BundleParts = {},
): BundleDocument {
  return {
    mediaType: BUNDLE_TYPES[version],
    verificationMaterial: {
      ...signerMaterial(signed.signer, version),
      // A copy, so that what a test bends is bent in this bundle only.
      ...(entries.length === 0 ? {} : { tlogEntries: structuredClone([...entries]) }),
      ...(timestamps.length === 0
        ? {}
        : {
            timestampVerificationData: {
              rfc3161Timestamps: timestamps.map((signedTimestamp) => ({ signedTimestamp })),
            },
          }),
    },
    ...contentOf(signed),
  };
}

export function bundleContent(document: object): SignatureContent {
  return { format: 'bundle', bundle: encodeJson(document) };
}

/** A layer of cosign's `.sig` tag. */
export function simpleSigningLayer(
  signed: Signed,
  parts: LegacyParts = {},
): SignatureContent & { readonly format: 'simple-signing' } {
  const signature = signed.signature.toString('base64');
  return {
    format: 'simple-signing',
    payload: signedBytes(signed),
    annotations: { signature, ...legacyAnnotations(signed, parts) },
  };
}

/** A layer of cosign's `.att` tag: an envelope; its `signature` annotation is empty. */
export function envelopeLayer(
  signed: Signed,
  parts: LegacyParts = {},
): SignatureContent & { readonly format: 'envelope' } {
  const envelope = Buffer.from(envelopeJson({ envelope: envelopeOf(signed), signature: signed.signature }));
  return { format: 'envelope', envelope, annotations: { signature: '', ...legacyAnnotations(signed, parts) } };
}

export interface LegacyParts {
  readonly entry?: TlogEntry;
  /** PEM of the intermediates. */
  readonly chain?: string;
  readonly timestamp?: string;
}

/** What cosign 2 writes beside a payload: certificate, chain, Rekor bundle, timestamp. */
export function legacyAnnotations({ signer }: Signed, { entry, chain, timestamp }: LegacyParts): LegacyAnnotations {
  return {
    ...(signer.kind === 'certificate' ? { certificate: verifierPem(signer) } : {}),
    ...(chain === undefined ? {} : { chain }),
    ...(entry === undefined ? {} : { bundle: JSON.stringify(rekorBundle(entry)) }),
    ...(timestamp === undefined ? {} : { timestamp: JSON.stringify({ SignedRFC3161Timestamp: timestamp }) }),
  };
}

/** The `dev.sigstore.cosign/bundle` annotation before its JSON. */
export function rekorBundle(entry: TlogEntry) {
  return {
    SignedEntryTimestamp: entry.inclusionPromise?.signedEntryTimestamp ?? '',
    Payload: {
      body: entry.canonicalizedBody,
      integratedTime: Number(entry.integratedTime ?? 0),
      logIndex: Number(entry.logIndex ?? 0),
      logID: Buffer.from(entry.logId.keyId, 'base64').toString('hex'),
    },
  };
}

function signerMaterial(signer: Signer, version: BundleVersion): BundleDocument['verificationMaterial'] {
  if (signer.kind === 'key') return { publicKey: { hint: sha256(signer.key.spki).toString('base64') } };
  const certificate = { rawBytes: signer.certificate.der.toString('base64') };
  return version === '0.3' ? { certificate } : { x509CertificateChain: { certificates: [certificate] } };
}

function contentOf(signed: Signed): Pick<BundleDocument, 'dsseEnvelope' | 'messageSignature'> {
  const signature = signed.signature.toString('base64');
  if (signed.content.kind === 'envelope') {
    const { payload, payloadType } = signed.content.envelope;
    return {
      dsseEnvelope: { payload: Buffer.from(payload).toString('base64'), payloadType, signatures: [{ sig: signature }] },
    };
  }
  const hash = hashOf(signingKey(signed.signer).kind);
  const digest = createHash(hash.node).update(signed.content.bytes).digest('base64');
  return { messageSignature: { messageDigest: { algorithm: hash.proto, digest }, signature } };
}

function envelopeOf({ content }: Signed): Envelope {
  if (content.kind === 'envelope') return content.envelope;
  throw new Error('expected a signed envelope');
}
