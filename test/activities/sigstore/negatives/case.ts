import assert from 'node:assert/strict';
import type { SignatureContent } from '../../../../activities/sigstore/evidence/content.ts';
import type { ExpectedImage } from '../../../../activities/sigstore/judgement.ts';
import type { Requirement, Wanted } from '../../../../activities/sigstore/requirement/requirement.ts';
import { exactly } from '../../../../activities/sigstore/requirement/text-pattern.ts';
import { judge } from '../../../../activities/sigstore/signature.ts';
import type { ReasonCode } from '../../../../workflows/verdict/reason.ts';
import { cosignPayload, cosignStatement } from '../../../support/signer.ts';
import type { Certificate } from '../../../support/virtual-sigstore/ca.ts';
import {
  type BodyBend,
  type BundleDocument,
  type BundleVersion,
  bundleOf,
  envelopeLayer,
  type LegacyAnnotations,
  type LegacyParts,
  logInV1,
  logInV2,
  signBlob,
  signEnvelope,
  simpleSigningLayer,
  stampOf,
} from '../../../support/virtual-sigstore/evidence.ts';
import { createKeyPair, type KeyPair } from '../../../support/virtual-sigstore/key-pair.ts';
import type { EntryKind, Signed, Signer } from '../../../support/virtual-sigstore/log-body.ts';
import {
  createVirtualSigstore,
  type LeafPlan,
  WORKFLOW_ISSUER,
  WORKFLOW_SUBJECT,
} from '../../../support/virtual-sigstore/sigstore.ts';
import type { TlogEntry } from '../../../support/virtual-sigstore/tlog-entry.ts';
import { type TrustPlan, trustMaterial } from '../../../support/virtual-sigstore/trusted-root.ts';
import { DIGEST, goodKey, REPOSITORY } from '../verdict-of.ts';

/** The time of signing; judged a day later, when the certificate is long over. */
export const SIGNED_AT = new Date('2026-06-01T12:00:00Z');
export const JUDGED_AT = new Date('2026-06-02T12:00:00Z');

export const sigstore = createVirtualSigstore(SIGNED_AT);
/** Another Sigstore that nobody trusts. */
export const stranger = createVirtualSigstore(SIGNED_AT);
export const releaseKey = createKeyPair();
export const otherKey = createKeyPair();

/** A kind of evidence that holds, and what is asked of it. */
export interface Base {
  readonly name: string;
  readonly signer: 'key' | 'certificate';
  readonly format: SignatureContent['format'];
  readonly version?: BundleVersion;
  /** Entry kinds; those of version 0.0.2 other than in-toto's are logged in the v2 log. */
  readonly logs: readonly EntryKind[];
  readonly stamps: number;
  /** The bundle holds the issuer of the certificate too. */
  readonly chain?: true;
  readonly wanted?: Wanted;
  readonly require?: Change;
  /** A day after signing, unless it says so. */
  readonly judgedAt?: Date;
  /** What differs in this base's entries. */
  readonly entries?: (usual: readonly TlogEntry[]) => readonly TlogEntry[];
  /** A simple signing payload unless it is a statement of this predicate type. */
  readonly predicateType?: string;
}

export type Change = (requirement: Requirement) => Requirement;

/** One bent thing; the stages come in the order in which evidence is made. */
export interface Bend {
  readonly leaf?: LeafPlan;
  /** Puts another certificate into the bundle and the log than the one that signs. */
  readonly certificate?: (usual: Certificate) => Certificate;
  /** Bytes or an object that is written as JSON: what is signed instead. */
  readonly payload?: (usual: Record<string, unknown>) => object;
  readonly payloadType?: string;
  readonly signWith?: KeyPair;
  /** After signing, before it is logged and stamped: both are over the bent signature. */
  readonly signed?: (usual: Signed) => Signed;
  /** What is logged and stamped instead of the signature. */
  readonly logged?: (usual: Signed) => Signed;
  readonly body?: BodyBend;
  readonly signedAt?: Date;
  readonly stampedAt?: Date;
  readonly entries?: (usual: readonly TlogEntry[], signed: Signed) => readonly TlogEntry[];
  readonly stamps?: (usual: readonly string[], signed: Signed) => readonly string[];
  readonly bundle?: (document: BundleDocument) => unknown;
  readonly annotations?: (usual: LegacyAnnotations) => LegacyAnnotations;
  /** The whole bundle or layer as text, at the very end. */
  readonly bytes?: (text: string) => string | Uint8Array;
  readonly trust?: (plan: TrustPlan) => void;
  readonly require?: Change;
  readonly expected?: Partial<ExpectedImage>;
  readonly judgedAt?: Date;
}

export interface Row {
  readonly what: string;
  readonly base: Base;
  readonly code: ReasonCode;
  readonly bend: Bend;
}

/** Rows over one base: what is bent, and the code that it must give. */
export function rowsOf(
  base: Base,
  rows: readonly (readonly [what: string, code: ReasonCode, bend: Bend])[],
): readonly Row[] {
  return rows.map(([what, code, bend]) => ({ what, base, code, bend }));
}

/** The judgement of a base with one thing bent: `valid`, or its code and sentence. */
export function judgementOf(base: Base, bend: Bend = {}): string {
  const content = contentOf(base, bend);
  const { requirement, expected } = asked(base, bend);
  const judgement = judge(content, requirement, expected, { now: judgedAt(base, bend) });
  return judgement.valid ? 'valid' : `${judgement.code}: ${judgement.sentence}`;
}

/** When a base is judged. */
export function judgedAt(base: Base, bend: Bend = {}): Date {
  return bend.judgedAt ?? base.judgedAt ?? JUDGED_AT;
}

/** What a base is asked to prove. */
export function asked(
  base: Base,
  bend: Bend = {},
): { readonly requirement: Requirement; readonly expected: ExpectedImage } {
  const plan = trustPlan(bend);
  const usual: Requirement = {
    signer:
      base.signer === 'key'
        ? { kind: 'key', key: goodKey(releaseKey.publicPem) }
        : { kind: 'keyless', identities: [IDENTITY], claims: [], certificateTimestamps: 1 },
    log: base.logs.length === 0 ? undefined : { entries: base.logs.length, cosignatures: 0, witnesses: [] },
    timestamps: base.stamps,
    observers: 0,
    trust: trustMaterial(plan),
    wanted: base.wanted ?? { kind: 'signature' },
  };
  const own = base.require?.(usual) ?? usual;
  return {
    requirement: bend.require?.(own) ?? own,
    expected: { digest: DIGEST, repository: REPOSITORY, ...bend.expected },
  };
}

/** What a base is judged by. */
export function trustPlan(bend: Bend = {}): TrustPlan {
  const plan = sigstore.trustPlan();
  bend.trust?.(plan);
  return plan;
}

export const IDENTITY = { issuer: exactly(WORKFLOW_ISSUER), subject: exactly(WORKFLOW_SUBJECT) };

/** Makes the evidence of a base, bent on the way. */
export function contentOf(base: Base, bend: Bend = {}): SignatureContent {
  const signed = sign(base, bend);
  const logged = bend.logged?.(signed) ?? signed;
  const made = base.logs.map((kind) => log(kind, logged, bend));
  const usualEntries = base.entries?.(made) ?? made;
  const entries = changed(usualEntries, bend.entries?.(usualEntries, signed));
  const usualStamps = Array.from({ length: base.stamps }, () =>
    stampOf(sigstore.tsa, logged, bend.stampedAt ?? SIGNED_AT),
  );
  const stamps = changed(usualStamps, bend.stamps?.(usualStamps, signed));
  if (base.format === 'bundle') {
    const usual = bundleOf(signed, { ...versionOf(base), entries, timestamps: stamps });
    return bundled(bend, base.chain === true ? withIssuer(usual) : usual);
  }
  const [entry] = entries;
  const [timestamp] = stamps;
  // cosign 2 writes the chain of a certificate beside it.
  const chain = base.signer === 'certificate' ? { chain: sigstore.intermediate.pem + sigstore.root.pem } : {};
  const parts = {
    ...chain,
    ...(entry === undefined ? {} : { entry }),
    ...(timestamp === undefined ? {} : { timestamp }),
  };
  return layered(base, bend, signed, parts);
}

function withIssuer(usual: BundleDocument): BundleDocument {
  const document = structuredClone(usual);
  const rawBytes = sigstore.intermediate.der.toString('base64');
  document.verificationMaterial.x509CertificateChain?.certificates.push({ rawBytes });
  return document;
}

function versionOf({ version }: Base) {
  return version === undefined ? {} : { version };
}

function bundled(bend: Bend, usual: BundleDocument): SignatureContent {
  const document = structuredClone(usual);
  const answered = bend.bundle?.(document);
  // A bend changes the document, or answers another one.
  const bent = typeof answered === 'object' && answered !== null ? answered : document;
  const text = JSON.stringify(bend.bundle === undefined ? usual : changed<object>(usual, bent));
  return { format: 'bundle', bundle: Buffer.from(changed<string | Uint8Array>(text, bend.bytes?.(text))) };
}

function layered(base: Base, bend: Bend, signed: Signed, parts: LegacyParts): SignatureContent {
  const layer = base.format === 'envelope' ? envelopeLayer(signed, parts) : simpleSigningLayer(signed, parts);
  const usual: LegacyAnnotations = { ...layer.annotations };
  const annotations = changed(usual, bend.annotations?.(usual));
  const text = Buffer.from(layer.format === 'envelope' ? layer.envelope : layer.payload).toString();
  const bent = Buffer.from(changed<string | Uint8Array>(text, bend.bytes?.(text)));
  return layer.format === 'envelope'
    ? { format: 'envelope', envelope: bent, annotations }
    : { format: 'simple-signing', payload: bent, annotations };
}

/** The bent one, if there is one; a bend that changes nothing is a mistake in its row. */
function changed<T>(usual: T, bent: T | undefined): T {
  if (bent === undefined) return usual;
  assert.notDeepEqual(bent, usual, 'expected the bend to change something');
  return bent;
}

function sign(base: Base, bend: Bend): Signed {
  const signer = signerOf(base, bend);
  const shown: Signer =
    signer.kind === 'key'
      ? signer
      : { kind: 'certificate', certificate: bend.certificate?.(signer.certificate) ?? signer.certificate };
  const signing: Signer = bend.signWith === undefined ? signer : { kind: 'key', key: bend.signWith };
  const usual: Record<string, unknown> =
    base.format === 'simple-signing'
      ? cosignPayload(DIGEST, REPOSITORY)
      : {
          ...cosignStatement(DIGEST),
          ...(base.predicateType === undefined ? {} : { predicateType: base.predicateType }),
        };
  const payload = bend.payload?.(usual) ?? usual;
  const bytes = payload instanceof Uint8Array ? payload : Buffer.from(JSON.stringify(payload));
  const signed =
    base.format === 'simple-signing' ? signBlob(signing, bytes) : signEnvelope(signing, bytes, bend.payloadType);
  const made = { ...signed, signer: shown };
  return bend.signed?.(made) ?? made;
}

function signerOf(base: Base, bend: Bend): Signer {
  return base.signer === 'key'
    ? { kind: 'key', key: releaseKey }
    : { kind: 'certificate', certificate: sigstore.issueLeaf(bend.leaf) };
}

function log(kind: EntryKind, signed: Signed, bend: Bend): TlogEntry {
  const time = bend.signedAt ?? SIGNED_AT;
  return isV2(kind)
    ? logInV2(sigstore.rekorV2, kind, signed, time, bend.body)
    : logInV1(sigstore.rekorV1, kind, signed, time, bend.body);
}

export function isV2(kind: EntryKind): boolean {
  return kind === 'hashedrekord 0.0.2' || kind === 'dsse 0.0.2';
}

/** The bytes with one bit of one byte changed; counted from the end where negative. */
export function flip(bytes: Uint8Array, at = -1): Buffer {
  const copy = Buffer.from(bytes);
  const index = at < 0 ? copy.length + at : at;
  const byte = copy[index];
  assert.ok(byte !== undefined, `expected a byte at ${at} of ${copy.length}`);
  copy[index] = byte ^ 1;
  return copy;
}

/** The same for base64. */
export function flip64(text: string, at = -1): string {
  return flip(Buffer.from(text, 'base64'), at).toString('base64');
}
