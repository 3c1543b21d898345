import { HashAlgorithm } from '@sigstore/protobuf-specs';
import type { ProtoField, ProtoMessage } from './proto-json.ts';

/** protobuf-specs `sigstore_common.proto`: `X509Certificate`. */
export const CERTIFICATE: ProtoMessage = { rawBytes: { kind: 'bytes' } };

/** `X509CertificateChain`. */
export const CERTIFICATE_CHAIN: ProtoMessage = { certificates: messages(CERTIFICATE) };

/** `LogId`. */
export const LOG_ID: ProtoMessage = { keyId: { kind: 'bytes' } };

/** `HashAlgorithm`. */
export const HASH_ALGORITHM = { values: HashAlgorithm } as const;

const INCLUSION_PROOF: ProtoMessage = {
  logIndex: { kind: 'int64' },
  rootHash: { kind: 'bytes' },
  treeSize: { kind: 'int64' },
  hashes: { kind: 'bytes', repeated: true },
  checkpoint: message({ envelope: { kind: 'string' } }),
};

/** `sigstore_rekor.proto`: `TransparencyLogEntry`. */
export const LOG_ENTRY: ProtoMessage = {
  logIndex: { kind: 'int64' },
  logId: message(LOG_ID),
  kindVersion: message({ kind: { kind: 'string' }, version: { kind: 'string' } }),
  integratedTime: { kind: 'int64' },
  inclusionPromise: message({ signedEntryTimestamp: { kind: 'bytes' } }),
  inclusionProof: message(INCLUSION_PROOF),
  canonicalizedBody: { kind: 'bytes' },
};

const VERIFICATION_MATERIAL: ProtoMessage = {
  publicKey: message({ hint: { kind: 'string' } }),
  x509CertificateChain: message(CERTIFICATE_CHAIN),
  certificate: message(CERTIFICATE),
  tlogEntries: messages(LOG_ENTRY),
  timestampVerificationData: message({ rfc3161Timestamps: messages({ signedTimestamp: { kind: 'bytes' } }) }),
};

/** `envelope.proto`: `Envelope`, whose fields are not spelled as the others are. */
const ENVELOPE: ProtoMessage = {
  payload: { kind: 'bytes' },
  payloadType: { kind: 'string', original: 'payloadType' },
  signatures: messages({ sig: { kind: 'bytes' }, keyid: { kind: 'string' } }),
};

const MESSAGE_SIGNATURE: ProtoMessage = {
  messageDigest: message({ algorithm: { kind: HASH_ALGORITHM }, digest: { kind: 'bytes' } }),
  signature: { kind: 'bytes' },
};

/** `sigstore_bundle.proto`: `Bundle`. */
export const BUNDLE: ProtoMessage = {
  mediaType: { kind: 'string' },
  verificationMaterial: message(VERIFICATION_MATERIAL),
  messageSignature: message(MESSAGE_SIGNATURE),
  dsseEnvelope: message(ENVELOPE),
};

/** A field that holds one message. */
export function message(content: ProtoMessage): ProtoField {
  return { kind: { message: content } };
}

/** A field that holds a list of messages. */
export function messages(content: ProtoMessage): ProtoField {
  return { kind: { message: content }, repeated: true };
}
