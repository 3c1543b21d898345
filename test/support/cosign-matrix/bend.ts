import type { LayerAnnotations, SignatureContent } from '../../../activities/sigstore/evidence/content.ts';
import type { BundleDocument, rekorBundle } from '../virtual-sigstore/evidence.ts';
import type { TlogEntry } from '../virtual-sigstore/tlog-entry.ts';

/** The log entry of a legacy annotation, before its JSON. */
export type RekorBundle = ReturnType<typeof rekorBundle>;

type LegacyContent = Exclude<SignatureContent, { readonly format: 'bundle' }>;

interface Envelope {
  payload: string;
  signatures: { sig: string }[];
}

/** Changes the signature; base64 in and out. */
export function withSignature(content: SignatureContent, edit: (signature: string) => string): SignatureContent {
  const editFirst = ({ signatures }: Envelope) => {
    for (const signature of signatures.slice(0, 1)) signature.sig = edit(signature.sig);
  };
  switch (content.format) {
    case 'bundle':
      return editBundle(content, ({ dsseEnvelope }) => dsseEnvelope && editFirst(dsseEnvelope));
    case 'simple-signing':
      return annotated(content, { ...content.annotations, signature: edit(content.annotations.signature ?? '') });
    case 'envelope':
      return { ...content, envelope: editJson<Envelope>(content.envelope, editFirst) };
  }
}

/** The signature in base64. */
export function signatureIn(content: SignatureContent): string {
  let found = '';
  withSignature(content, (signature) => {
    found = signature;
    return signature;
  });
  return found;
}

/** Changes the text that was signed. */
export function withPayload(content: SignatureContent, edit: (text: string) => string): SignatureContent {
  const editEnvelope = (envelope: Envelope) => {
    envelope.payload = Buffer.from(edit(Buffer.from(envelope.payload, 'base64').toString())).toString('base64');
  };
  switch (content.format) {
    case 'bundle':
      return editBundle(content, ({ dsseEnvelope }) => dsseEnvelope && editEnvelope(dsseEnvelope));
    case 'simple-signing':
      return { ...content, payload: Buffer.from(edit(Buffer.from(content.payload).toString())) };
    case 'envelope':
      return { ...content, envelope: editJson<Envelope>(content.envelope, editEnvelope) };
  }
}

/** How a log entry is changed in each of its two forms; `undefined` takes it away. */
export interface EntryEdit {
  readonly bundle: (entry: TlogEntry) => TlogEntry | undefined;
  readonly legacy: (entry: RekorBundle) => RekorBundle | undefined;
}

/** Changes the log entry. */
export function withEntry(content: SignatureContent, edit: EntryEdit): SignatureContent {
  if (content.format === 'bundle') {
    return editBundle(content, ({ verificationMaterial }) => {
      const entries = verificationMaterial.tlogEntries ?? [];
      verificationMaterial.tlogEntries = entries.map(edit.bundle).filter((entry) => entry !== undefined);
    });
  }
  const { bundle, ...others } = content.annotations;
  // Written by cosign a moment ago.
  const entry = bundle === undefined ? undefined : edit.legacy(JSON.parse(bundle) as RekorBundle);
  return annotated(content, { ...others, ...(entry !== undefined && { bundle: JSON.stringify(entry) }) });
}

/** Changes the signed timestamp, base64; `undefined` takes it away. */
export function withTimestamp(content: SignatureContent, timestamp: string | undefined): SignatureContent {
  if (content.format === 'bundle') {
    const stamps = timestamp === undefined ? [] : [{ signedTimestamp: timestamp }];
    return editBundle(content, ({ verificationMaterial }) => {
      verificationMaterial.timestampVerificationData = { rfc3161Timestamps: stamps };
    });
  }
  const { timestamp: _, ...others } = content.annotations;
  const stamped = timestamp === undefined ? {} : { timestamp: JSON.stringify({ SignedRFC3161Timestamp: timestamp }) };
  return annotated(content, { ...others, ...stamped });
}

/** The signed timestamp in base64. */
export function timestampIn(content: SignatureContent): string | undefined {
  if (content.format === 'bundle') {
    const { timestampVerificationData } = readJson<BundleDocument>(content.bundle).verificationMaterial;
    return timestampVerificationData?.rfc3161Timestamps[0]?.signedTimestamp;
  }
  const { timestamp } = content.annotations;
  return timestamp === undefined
    ? undefined
    : (JSON.parse(timestamp) as { SignedRFC3161Timestamp: string }).SignedRFC3161Timestamp; // written by cosign
}

/** The log entry in the form that it has; `undefined` where there is none. */
export function entryIn(content: SignatureContent): TlogEntry | RekorBundle | undefined {
  if (content.format === 'bundle')
    return readJson<BundleDocument>(content.bundle).verificationMaterial.tlogEntries?.[0];
  const { bundle } = content.annotations;
  return bundle === undefined ? undefined : (JSON.parse(bundle) as RekorBundle); // written by cosign
}

/** Turns one bit of the last byte, in base64. */
export function flipped(base64: string): string {
  const bytes = Buffer.from(base64, 'base64');
  bytes.writeUInt8((bytes.at(-1) ?? 0) ^ 1, bytes.byteLength - 1);
  return bytes.toString('base64');
}

function editBundle(
  content: SignatureContent & { readonly format: 'bundle' },
  edit: (document: BundleDocument) => void,
): SignatureContent {
  return { ...content, bundle: editJson<BundleDocument>(content.bundle, edit) };
}

function annotated<T extends LegacyContent>(content: T, annotations: LayerAnnotations): T {
  return { ...content, annotations };
}

function editJson<T>(bytes: Uint8Array, edit: (value: T) => void): Uint8Array {
  const value = readJson<T>(bytes);
  edit(value);
  return Buffer.from(JSON.stringify(value));
}

/** Only what cosign wrote a moment ago is read here: another shape fails the case that is not bent. */
function readJson<T>(bytes: Uint8Array): T {
  return JSON.parse(Buffer.from(bytes).toString()) as T;
}
