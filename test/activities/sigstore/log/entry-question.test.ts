import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { describe, it } from 'node:test';
import { describeContent } from '../../../../activities/sigstore/description.ts';
import type { SignatureContent } from '../../../../activities/sigstore/evidence/content.ts';
import { entryQuestion } from '../../../../activities/sigstore/log/entry-question.ts';
import { readFoundEntries } from '../../../../activities/sigstore/log/found-entry.ts';
import { preAuthEncoding } from '../../../../workflows/format/dsse.ts';
import { BASES } from '../negatives/bases.ts';
import { asked, type Base, contentOf, releaseKey } from '../negatives/case.ts';

const signerOf = (base: Base) => asked(base).requirement.signer;
const GARBAGE: readonly SignatureContent[] = [
  { format: 'bundle', bundle: Buffer.from('{}') },
  { format: 'simple-signing', payload: Buffer.from('x'), annotations: {} },
  { format: 'envelope', envelope: Buffer.from('x'), annotations: { certificate: 'x' } },
];

describe('what to ask a log about evidence without an entry', () => {
  it('asks by the certificate that stands beside the signature', () => {
    const content = contentOf(BASES.legacyStamped);
    assert.ok(content.format === 'simple-signing');
    const question = entryQuestion(content);
    assert.equal(question?.artefactHash, createHash('sha256').update(content.payload).digest('hex'));
    assert.equal(question.signature, content.annotations.signature);
    assert.equal(
      new X509Certificate(question.verifier).toString(),
      new X509Certificate(content.annotations.certificate ?? '').toString(),
    );
    assert.equal(question.envelope, undefined);
  });

  it('asks by the key of the requirement, and not at all without it', () => {
    const content = contentOf(BASES.legacyKeyed);
    assert.equal(entryQuestion(content, signerOf(BASES.legacyKeyed))?.verifier, releaseKey.publicPem);
    assert.equal(entryQuestion(content, signerOf(BASES.legacy)), undefined);
    assert.equal(entryQuestion(content), undefined);
  });

  it('asks about an envelope by its JSON, as it is stored where it is stored alone', () => {
    const attached = contentOf({ ...BASES.attached, logs: [] });
    assert.ok(attached.format === 'envelope');
    assert.equal(entryQuestion(attached)?.envelope, Buffer.from(attached.envelope).toString());
    const question = entryQuestion(contentOf(BASES.keyed), signerOf(BASES.keyed));
    const envelope = JSON.parse(question?.envelope ?? '') as {
      payload: string;
      payloadType: string;
      signatures: unknown;
    };
    const signed = preAuthEncoding(envelope.payloadType, Buffer.from(envelope.payload, 'base64'));
    assert.equal(question?.artefactHash, createHash('sha256').update(signed).digest('hex'));
    assert.deepEqual(envelope.signatures, [{ sig: question?.signature }]);
  });

  it('asks nothing about evidence that has an entry, or that is none', () => {
    for (const base of [BASES.keyless, BASES.legacy, BASES.attached])
      assert.equal(entryQuestion(contentOf(base)), undefined);
    for (const content of GARBAGE) assert.equal(entryQuestion(content, signerOf(BASES.keyed)), undefined);
  });
});

describe('what a look-up found', () => {
  it('is left out when it is no entry of a log, or does not say of which log or kind', () => {
    const content = contentOf(BASES.keyless);
    assert.ok(content.format === 'bundle');
    const { verificationMaterial } = JSON.parse(Buffer.from(content.bundle).toString()) as {
      verificationMaterial: { tlogEntries: readonly Record<string, unknown>[] };
    };
    const [entry = {}] = verificationMaterial.tlogEntries;
    const { logId: _, ...withoutLog } = entry;
    const { kindVersion: __, ...withoutKind } = entry;
    assert.equal(readFoundEntries([entry]).length, 1);
    for (const bent of [withoutLog, withoutKind, {}, { ...entry, logIndex: {} }]) {
      assert.deepEqual(readFoundEntries([bent]), [], Object.keys(bent).join());
    }
  });
});

describe('what evidence says about itself', () => {
  it('is its format, and the type of an attestation', () => {
    const predicateType = 'https://slsa.dev/provenance/v1';
    assert.deepEqual(describeContent(contentOf(BASES.attestation)), { format: 'bundle', predicateType });
    assert.deepEqual(describeContent(contentOf(BASES.attached)), { format: 'envelope', predicateType });
    assert.deepEqual(describeContent(contentOf(BASES.keyless)), { format: 'bundle', predicateType: undefined });
    const format = 'simple-signing';
    assert.deepEqual(describeContent(contentOf(BASES.legacy)), { format, predicateType: undefined });
  });

  it('is its format alone where it can’t be read', () => {
    for (const content of GARBAGE) {
      assert.deepEqual(describeContent(content), { format: content.format, predicateType: undefined });
    }
  });
});
