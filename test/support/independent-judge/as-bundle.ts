import { createHash, X509Certificate } from 'node:crypto';
import type { LayerAnnotations, SignatureContent } from '../../../activities/sigstore/evidence/content.ts';
import { isRecord } from '../../../workflows/format/record.ts';

/** A bundle, and the bytes that it is over when it holds no envelope. */
export interface AsBundle {
  readonly bundle: Uint8Array;
  readonly artifact?: Buffer;
}

/**
 * Evidence as a bundle, which is all that `sigstore` reads: a bundle as it is, a `.sig` or `.att` layer with its annotations
 * put where a bundle 0.1 has them. Nothing is checked or mended on the way.
 */
export function asBundle(content: SignatureContent): AsBundle {
  switch (content.format) {
    case 'bundle':
      return { bundle: content.bundle };
    case 'envelope': {
      const dsseEnvelope: unknown = JSON.parse(Buffer.from(content.envelope).toString());
      return { bundle: written(content.annotations, { dsseEnvelope }) };
    }
    case 'simple-signing': {
      const artifact = Buffer.from(content.payload);
      const digest = createHash('sha256').update(artifact).digest('base64');
      const messageSignature = {
        messageDigest: { algorithm: 'SHA2_256', digest },
        signature: content.annotations.signature,
      };
      return { bundle: written(content.annotations, { messageSignature }), artifact };
    }
  }
}

function written({ certificate, bundle, timestamp }: LayerAnnotations, content: object): Uint8Array {
  const rawBytes = certificate === undefined ? '' : new X509Certificate(certificate).raw.toString('base64');
  const stamps = timestamp === undefined || timestamp === '' ? [] : [stampOf(timestamp)];
  const verificationMaterial = {
    x509CertificateChain: { certificates: [{ rawBytes }] },
    tlogEntries: bundle === undefined || bundle === '' ? [] : [entryOf(bundle)],
    timestampVerificationData: { rfc3161Timestamps: stamps },
  };
  const mediaType = 'application/vnd.dev.sigstore.bundle+json;version=0.1';
  return Buffer.from(JSON.stringify({ mediaType, verificationMaterial, ...content }));
}

/** Rekor's answer as cosign 2 keeps it. */
function entryOf(annotation: string): object {
  const { SignedEntryTimestamp: signedEntryTimestamp, Payload: payload } = record(JSON.parse(annotation));
  const { body, integratedTime, logIndex, logID } = record(payload);
  const { kind, apiVersion } = record(JSON.parse(Buffer.from(String(body), 'base64').toString()));
  return {
    logIndex: String(logIndex),
    logId: { keyId: Buffer.from(String(logID), 'hex').toString('base64') },
    kindVersion: { kind, version: apiVersion },
    integratedTime: String(integratedTime),
    inclusionPromise: { signedEntryTimestamp },
    canonicalizedBody: body,
  };
}

function stampOf(annotation: string): object {
  return { signedTimestamp: record(JSON.parse(annotation))['SignedRFC3161Timestamp'] };
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  if (!isRecord(value)) throw new Error('expected an object');
  return value;
}
