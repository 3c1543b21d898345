import type { Bundle, TransparencyLogEntry } from '@sigstore/bundle';
import { preAuthEncoding } from '../../../workflows/format/dsse.ts';
import { failed, type Refusal, refuse, type Step } from '../judgement.ts';
import { readBundle, refuseBlob } from './bundle.ts';
import type { SignatureContent } from './content.ts';
import { convertEnvelope, convertSimpleSigning } from './legacy.ts';
import { bytesAsSigned, type Signed } from './signed.ts';

/** One piece of evidence in the one shape that the checks read, whatever format it came in. Nothing in it is believed yet. */
export interface Evidence {
  readonly signer: EvidenceSigner;
  readonly signature: Buffer;
  readonly signed: Signed;
  readonly payload: Payload;
  readonly entries: readonly TransparencyLogEntry[];
  /** RFC 3161 time-stamp responses in DER. */
  readonly timestamps: readonly Buffer[];
}

/** What the evidence says about its signer. */
export type EvidenceSigner =
  /** The hint is free text, which decides nothing. */
  | { readonly kind: 'key'; readonly hint: string }
  /** `binding`: whether the format is for certificates alone, or carries one beside a signature that a key may judge. */
  | { readonly kind: 'certificate'; readonly der: Buffer; readonly binding: boolean };

/** What was signed. */
export type Payload =
  | { readonly kind: 'simple-signing'; readonly bytes: Uint8Array }
  | {
      readonly kind: 'envelope';
      readonly type: string;
      readonly bytes: Uint8Array;
      /** The envelope as it is stored, where it is stored alone: old log entries and timestamps are over these bytes. */
      readonly stored: Uint8Array | undefined;
    }
  /** A file, of which the caller knows the digest. */
  | { readonly kind: 'artifact' };

/** Reads what was fetched for an image; bounded and strict, as {@link readBundle} describes. */
export function readEvidence(content: SignatureContent): Step<Evidence> {
  switch (content.format) {
    case 'bundle': {
      const bundle = readBundle(content.bundle, 'envelope');
      return bundle.ok ? fromEnvelopeBundle(bundle.value, undefined) : bundle;
    }
    case 'simple-signing': {
      const bundle = convertSimpleSigning(content.payload, content.annotations);
      return bundle.ok ? fromSimpleSigning(bundle.value, content.payload) : bundle;
    }
    case 'envelope': {
      const bundle = convertEnvelope(content.envelope, content.annotations);
      return bundle.ok ? fromEnvelopeBundle(bundle.value, content.envelope) : bundle;
    }
  }
}

/** The evidence of a bundle over an envelope. A bundle over a blob is EVIDENCE_UNSUPPORTED for an image. */
export function fromEnvelopeBundle(bundle: Bundle, stored: Uint8Array | undefined): Step<Evidence> {
  if (bundle.content.$case !== 'dsseEnvelope') return failed(refuseBlob());
  const { payload, payloadType, signatures } = bundle.content.dsseEnvelope;
  const [first] = signatures;
  if (first === undefined) return failed(unsigned());
  const signed = bytesAsSigned(preAuthEncoding(payloadType, payload));
  const content = { kind: 'envelope', type: payloadType, bytes: payload, stored } as const;
  return {
    ok: true,
    value: { ...materialOf(bundle, stored === undefined), signature: first.sig, signed, payload: content },
  };
}

function fromSimpleSigning(bundle: Bundle, payload: Uint8Array): Step<Evidence> {
  if (bundle.content.$case !== 'messageSignature') return failed(unsigned());
  const { signature } = bundle.content.messageSignature;
  const content = { kind: 'simple-signing', bytes: payload } as const;
  return {
    ok: true,
    value: { ...materialOf(bundle, false), signature, signed: bytesAsSigned(payload), payload: content },
  };
}

/** What stands beside the signature. Of a chain only the leaf counts: intermediates come from the trust root. */
export function materialOf(
  { verificationMaterial }: Bundle,
  binding: boolean,
): Pick<Evidence, 'signer' | 'entries' | 'timestamps'> {
  const { content, tlogEntries, timestampVerificationData } = verificationMaterial;
  return {
    signer: signerOf(content, binding),
    entries: tlogEntries,
    timestamps: timestampVerificationData?.rfc3161Timestamps.map((one) => one.signedTimestamp) ?? [],
  };
}

function signerOf(content: Bundle['verificationMaterial']['content'], binding: boolean): EvidenceSigner {
  switch (content.$case) {
    case 'publicKey':
      return { kind: 'key', hint: content.publicKey.hint };
    case 'certificate':
      return { kind: 'certificate', der: content.certificate.rawBytes, binding };
    case 'x509CertificateChain': {
      const [leaf] = content.x509CertificateChain.certificates;
      return { kind: 'certificate', der: leaf?.rawBytes ?? Buffer.alloc(0), binding };
    }
  }
}

function unsigned(): Refusal {
  return refuse('EVIDENCE_MALFORMED', 'the evidence holds no signature');
}
