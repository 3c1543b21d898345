import { createHash } from 'node:crypto';
import { preAuthEncoding } from '../../../workflows/format/dsse.ts';
import type { SignatureContent } from '../evidence/content.ts';
import { type Evidence, readEvidence } from '../evidence/evidence.ts';
import type { SignerRequirement } from '../requirement/requirement.ts';
import type { EntryQuestion } from './looked-up-entry.ts';

/**
 * What to ask a log about evidence that carries no entry; `undefined` for evidence that carries one, and for what can't be
 * read. A signature without a certificate names no key, so it is asked for by the key of the requirement, and not at all
 * without it. Never throws.
 */
export function entryQuestion(content: SignatureContent, signer?: SignerRequirement): EntryQuestion | undefined {
  try {
    const evidence = readEvidence(content);
    return evidence.ok && evidence.value.entries.length === 0 ? questionOf(evidence.value, signer) : undefined;
  } catch {
    return undefined;
  }
}

function questionOf(evidence: Evidence, signer: SignerRequirement | undefined): EntryQuestion | undefined {
  const verifier = verifierOf(evidence, signer);
  if (verifier === undefined) return undefined;
  const { payload } = evidence;
  const signature = evidence.signature.toString('base64');
  switch (payload.kind) {
    case 'artifact':
      return undefined;
    case 'simple-signing':
      return { artefactHash: sha256(payload.bytes), signature, verifier };
    case 'envelope': {
      const artefactHash = sha256(preAuthEncoding(payload.type, payload.bytes));
      return { artefactHash, signature, verifier, envelope: envelopeText(payload, signature) };
    }
  }
}

/** As it is stored where it is stored alone; otherwise as cosign writes it before it logs it. */
function envelopeText(
  { stored, type, bytes }: Extract<Evidence['payload'], { kind: 'envelope' }>,
  sig: string,
): string {
  if (stored !== undefined) return Buffer.from(stored).toString();
  const payload = Buffer.from(bytes).toString('base64');
  return JSON.stringify({ payloadType: type, payload, signatures: [{ sig }] });
}

function verifierOf({ signer: own }: Evidence, signer: SignerRequirement | undefined): string | undefined {
  if (signer?.kind === 'key') return signer.key.publicKey.export({ type: 'spki', format: 'pem' }).toString();
  return own.kind === 'certificate' ? certificatePem(own.der) : undefined;
}

function certificatePem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
