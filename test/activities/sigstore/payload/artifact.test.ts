import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import {
  type Artifact,
  type ArtifactContext,
  judgeArtifact,
} from '../../../../activities/sigstore/payload/artifact.ts';
import { judge } from '../../../../activities/sigstore/signature.ts';
import { parseDigest } from '../../../../workflows/format/digest.ts';
import { cosignStatement } from '../../../support/signer.ts';
import {
  type BundleDocument,
  bundleOf,
  logInV1,
  signBlob,
  signEnvelope,
} from '../../../support/virtual-sigstore/evidence.ts';
import { createKeyPair } from '../../../support/virtual-sigstore/key-pair.ts';
import { BASES } from '../negatives/bases.ts';
import { asked, JUDGED_AT, SIGNED_AT, sigstore } from '../negatives/case.ts';

const FILE = Buffer.from('a file\n');
const digestOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const WHOLE: Artifact = { digest: digestOf(FILE), bytes: FILE };
const KNOWN: Artifact = { digest: digestOf(FILE) };

function blobBundle(kind: 'ECDSA P-256' | 'ECDSA P-384' = 'ECDSA P-256'): BundleDocument {
  const certificate = sigstore.issueLeaf({ key: createKeyPair(kind) });
  const signed = signBlob({ kind: 'certificate', certificate }, FILE);
  return bundleOf(signed, { entries: [logInV1(sigstore.rekorV1, 'hashedrekord 0.0.1', signed, SIGNED_AT)] });
}

function verdict(document: object, artifact: Artifact, context: Partial<ArtifactContext> = {}): string {
  const bytes = Buffer.from(JSON.stringify(document));
  const judgement = judgeArtifact(bytes, asked(BASES.keyless).requirement, artifact, { now: JUDGED_AT, ...context });
  return judgement.valid ? 'valid' : judgement.code;
}

describe('a signature over a file', () => {
  it('holds with the file, by its own hash and by a longer one', () => {
    assert.equal(verdict(blobBundle(), WHOLE), 'valid');
    assert.equal(verdict(blobBundle('ECDSA P-384'), WHOLE), 'valid');
  });

  it('is refused for another file, whatever digest the bundle claims', () => {
    const other = Buffer.from('another file\n');
    const bent = blobBundle();
    assert.equal(verdict(bent, { digest: digestOf(other), bytes: other }), 'SUBJECT_MISMATCH');
    const digest = createHash('sha256').update(other).digest('base64');
    bent.messageSignature = {
      signature: '',
      ...bent.messageSignature,
      messageDigest: { algorithm: 'SHA2_256', digest },
    };
    assert.equal(verdict(bent, { digest: digestOf(other), bytes: other }), 'SIGNATURE_INVALID');
    assert.equal(verdict(bent, WHOLE), 'SUBJECT_MISMATCH');
  });

  it('has nothing behind the padding of its digest, and a digest of a known kind', () => {
    const withDigest = (messageDigest: unknown): string => {
      const bent = blobBundle();
      return verdict({ ...bent, messageSignature: { ...bent.messageSignature, messageDigest } }, WHOLE);
    };
    const digest = Buffer.from(WHOLE.digest, 'hex').toString('base64');
    assert.equal(withDigest({ algorithm: 'SHA2_256', digest }), 'valid');
    assert.equal(withDigest({ algorithm: 1, digest: digest.replace('=', '') }), 'valid');
    assert.equal(withDigest({ algorithm: 1, digest: `${digest}\n` }), 'valid');
    for (const text of [`${digest}AAAA`, `${digest}=`, `${digest}.`, digest.slice(0, -4), 7]) {
      assert.match(withDigest({ algorithm: 'SHA2_256', digest: text }), /^(?:EVIDENCE_MALFORMED|SUBJECT_MISMATCH)$/);
    }
    assert.equal(withDigest({ algorithm: 'SHA2_256', digest: `${digest}AAAA` }), 'EVIDENCE_MALFORMED');
    assert.equal(withDigest({ algorithm: 'SHA9', digest }), 'EVIDENCE_UNSUPPORTED');
    assert.equal(withDigest({ algorithm: 'sha2_256', digest }), 'EVIDENCE_MALFORMED');
    assert.equal(withDigest(null), 'EVIDENCE_MALFORMED');
  });

  it('is judged by the digest alone only by somebody who can', () => {
    assert.equal(verdict(blobBundle(), KNOWN), 'EVIDENCE_UNSUPPORTED');
    const asked: string[] = [];
    const holdsOverDigest = (digest: Buffer) => asked.push(digest.toString('hex')) > 0;
    assert.equal(verdict(blobBundle(), KNOWN, { holdsOverDigest }), 'valid');
    assert.deepEqual(asked, [KNOWN.digest]);
    assert.equal(verdict(blobBundle(), KNOWN, { holdsOverDigest: () => false }), 'SIGNATURE_INVALID');
    assert.equal(verdict(blobBundle('ECDSA P-384'), KNOWN, { holdsOverDigest }), 'EVIDENCE_UNSUPPORTED');
  });

  it('is no signature of an image', () => {
    const digest = parseDigest(`sha256:${KNOWN.digest}`);
    assert.ok(digest !== undefined);
    const content = { format: 'bundle', bundle: Buffer.from(JSON.stringify(blobBundle())) } as const;
    const { requirement, expected } = asked(BASES.keyless);
    const judgement = judge(content, requirement, { ...expected, digest }, { now: JUDGED_AT });
    assert.equal(judgement.valid ? 'valid' : judgement.code, 'EVIDENCE_UNSUPPORTED');
  });
});

describe('a statement about a file', () => {
  function statementBundle(sha256: string, predicateType: string): BundleDocument {
    const digest = parseDigest(`sha256:${sha256}`);
    assert.ok(digest !== undefined);
    const certificate = sigstore.issueLeaf();
    const signed = signEnvelope({ kind: 'certificate', certificate }, { ...cosignStatement(digest), predicateType });
    return bundleOf(signed, { entries: [logInV1(sigstore.rekorV1, 'dsse 0.0.1', signed, SIGNED_AT)] });
  }

  it('holds by the digest alone, whatever its type', () => {
    assert.equal(verdict(statementBundle(KNOWN.digest, 'https://slsa.dev/provenance/v1'), KNOWN), 'valid');
    assert.equal(verdict(statementBundle(KNOWN.digest, 'https://sigstore.dev/cosign/sign/v1'), WHOLE), 'valid');
  });

  it('is refused when it is about another file', () => {
    assert.equal(
      verdict(statementBundle('b2'.repeat(32), 'https://slsa.dev/provenance/v1'), KNOWN),
      'SUBJECT_MISMATCH',
    );
  });
});

it('garbage in the place of a bundle is refused, and does not throw', () => {
  for (const text of ['', '{}', 'null', '{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}']) {
    const judgement = judgeArtifact(Buffer.from(text), asked(BASES.keyless).requirement, WHOLE, { now: JUDGED_AT });
    assert.equal(judgement.valid ? 'valid' : judgement.code, 'EVIDENCE_MALFORMED', text);
  }
});
