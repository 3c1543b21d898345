import { createHash } from 'node:crypto';
import { isRecord } from '../../workflows/format/record.ts';
import type { EntryQuestion } from '../sigstore/log/looked-up-entry.ts';

/**
 * The entries that a signer may have logged for a signature, as Rekor v1 takes them (rekor `pkg/types`). The log makes
 * them canonical and looks for that very leaf, so that the answer does not hang on its search index, which is
 * incomplete by its own account.
 */
export function proposedEntries({ artefactHash, signature, verifier, envelope }: EntryQuestion): readonly unknown[] {
  const key = base64(verifier);
  const hashed = {
    apiVersion: '0.0.1',
    kind: 'hashedrekord',
    spec: {
      data: { hash: { algorithm: 'sha256', value: artefactHash } },
      signature: { content: signature, publicKey: { content: key } },
    },
  };
  return envelope === undefined ? [hashed] : envelopeEntries(envelope, key);
}

/** cosign logged attestations as `intoto` 0.0.2, and as `dsse` since v2.1. */
function envelopeEntries(envelope: string, key: string): readonly unknown[] {
  const dsse = {
    apiVersion: '0.0.1',
    kind: 'dsse',
    spec: { proposedContent: { envelope, verifiers: [key] } },
  };
  const parsed = parseEnvelope(envelope);
  if (parsed === undefined) return [dsse];
  const { payload, payloadType, signatures } = parsed;
  const intoto = {
    apiVersion: '0.0.2',
    kind: 'intoto',
    spec: {
      content: {
        envelope: {
          payloadType,
          // Base64 of what is base64 already (rekor `pkg/types/intoto/v0.0.2`).
          payload: base64(payload),
          signatures: signatures.map((sig) => ({ sig: base64(sig), publicKey: key })),
        },
        hash: { algorithm: 'sha256', value: createHash('sha256').update(envelope).digest('hex') },
      },
    },
  };
  return [dsse, intoto];
}

interface Envelope {
  readonly payload: string;
  readonly payloadType: string;
  readonly signatures: readonly string[];
}

function parseEnvelope(envelope: string): Envelope | undefined {
  try {
    const value: unknown = JSON.parse(envelope);
    if (!isRecord(value) || !Array.isArray(value['signatures'])) return undefined;
    const { payload, payloadType } = value;
    const signatures = value['signatures'].map((signature: unknown) =>
      isRecord(signature) ? signature['sig'] : undefined,
    );
    if (typeof payload !== 'string' || typeof payloadType !== 'string') return undefined;
    return signatures.every((sig) => typeof sig === 'string') ? { payload, payloadType, signatures } : undefined;
  } catch {
    return undefined;
  }
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
