import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import type { LayerAnnotations, SignatureContent } from '../../../activities/sigstore/evidence/content.ts';
import type { Proof } from '../../../activities/sigstore/judgement.ts';
import { parsePublicKey } from '../../../activities/sigstore/key/key.ts';
import type { Requirement } from '../../../activities/sigstore/requirement/requirement.ts';
import { exactly } from '../../../activities/sigstore/requirement/text-pattern.ts';
import { judge } from '../../../activities/sigstore/signature.ts';
import { toTrustRoot } from '../../../activities/trust/trust-root.ts';
import { readTrustedRootJson } from '../../../activities/trust/trusted-root/trusted-root-json.ts';
import { parseDigest } from '../../../workflows/format/digest.ts';
import { isRecord } from '../../../workflows/format/record.ts';
import { WORKFLOW_ISSUER, WORKFLOW_SUBJECT } from '../../support/virtual-sigstore/sigstore.ts';
import { type CorpusEvidence, corpus } from '../corpus.ts';
import type { Input } from '../input.ts';
import { assertInert, type Outcome, refused, type Target } from '../target.ts';

/** Whole evidence in each of its formats, judged as a verification does. */
export const bundleTarget = evidenceTarget('bundle');
export const simpleSigningTarget = evidenceTarget('simple-signing');
export const envelopeTarget = evidenceTarget('envelope');

/** Long after the certificates, whose time has to be proven. */
const JUDGED_AT = new Date(Date.parse(corpus.signedAt) + 24 * 60 * 60 * 1000);

const digest = parseDigest(corpus.digest);
assert.ok(digest !== undefined);
const expected = { digest, repository: corpus.repository };

/** What the unbent seeds of one format prove. */
interface Proven {
  readonly payloads: ReadonlySet<string>;
  readonly identities: ReadonlySet<string>;
  readonly statements: ReadonlySet<string>;
  /** One line for each thing that an entry was proven to be. */
  readonly entries: ReadonlySet<string>;
}

function evidenceTarget(format: CorpusEvidence['format']): Target {
  const seeds = corpus.evidence.filter((one) => one.format === format);
  let known: Proven | undefined;
  return {
    name: format,
    seeds: seeds.map(({ name, parts }) => ({ seed: name, parts: decoded(parts) })),
    run(input) {
      known ??= provenBy(seeds);
      return judged(input, format, known);
    },
  };
}

function judged(input: Input, format: CorpusEvidence['format'], known: Proven): Outcome {
  const seed = corpus.evidence.find(({ name }) => name === input.seed);
  assert.ok(seed !== undefined, `expected the name of a seed, found ${input.seed}`);
  const content = contentOf(format, input);
  const judgement = judge(content, requirementOf(seed), expected, { now: JUDGED_AT });
  if (!judgement.valid) return refused(judgement);
  assertInert(judgement.identity);
  assert.ok(known.payloads.has(payloadOf(content)), 'a payload that nobody signed was accepted');
  assert.ok(known.identities.has(judgement.identity), `nobody is ${judgement.identity}`);
  assert.ok(known.statements.has(statementLine(judgement)), 'a statement that nobody made was accepted');
  for (const line of entryLines(judgement)) assert.ok(known.entries.has(line), `no log has the entry ${line}`);
  assert.ok(judgement.entries.length >= seed.entries, 'fewer entries than are wanted');
  return 'accepted';
}

function provenBy(seeds: readonly CorpusEvidence[]): Proven {
  const proofs = seeds.map((seed): { readonly content: SignatureContent; readonly proof: Proof } => {
    const content = contentOf(seed.format, { seed: seed.name, parts: decoded(seed.parts) });
    const proof = judge(content, requirementOf(seed), expected, { now: JUDGED_AT });
    assert.ok(proof.valid, `${seed.name}: ${proof.valid ? '' : proof.sentence}`);
    return { content, proof };
  });
  return {
    payloads: new Set(proofs.map(({ content }) => payloadOf(content))),
    identities: new Set(proofs.map(({ proof }) => proof.identity)),
    statements: new Set(proofs.map(({ proof }) => statementLine(proof))),
    entries: new Set(proofs.flatMap(({ proof }) => entryLines(proof))),
  };
}

function contentOf(format: CorpusEvidence['format'], { parts }: Input): SignatureContent {
  const { payload = Buffer.alloc(0), envelope = Buffer.alloc(0), ...others } = parts;
  const annotations: LayerAnnotations = Object.fromEntries(
    Object.entries(others).map(([name, bytes]) => [name, bytes.toString()]),
  );
  switch (format) {
    case 'bundle':
      return { format, bundle: others['bundle'] ?? Buffer.alloc(0) };
    case 'simple-signing':
      return { format, payload, annotations };
    case 'envelope':
      return { format, envelope, annotations };
  }
}

/** What was signed, read in the plainest way. */
function payloadOf(content: SignatureContent): string {
  if (content.format === 'simple-signing') return Buffer.from(content.payload).toString('base64');
  const document: unknown = JSON.parse(
    Buffer.from(content.format === 'bundle' ? content.bundle : content.envelope).toString(),
  );
  const envelope =
    isRecord(document) && content.format === 'bundle'
      ? (document['dsseEnvelope'] ?? document['dsse_envelope'])
      : document;
  assert.ok(isRecord(envelope));
  return `${String(envelope['payloadType'])} ${Buffer.from(String(envelope['payload']), 'base64').toString('base64')}`;
}

function statementLine({ statement }: Proof): string {
  return JSON.stringify(statement ?? null);
}

function entryLines({ entries }: Proof): readonly string[] {
  return entries.flatMap(({ logId, canonicalizedBody, integratedTime, inclusion }) => {
    const entry = `${logId} ${Buffer.from(canonicalizedBody).toString('base64')}`;
    return [
      entry,
      ...(integratedTime === undefined ? [] : [`${entry} at ${integratedTime}`]),
      ...(inclusion === undefined
        ? []
        : [
            `${entry} in ${inclusion.index} of ${inclusion.treeSize} ${Buffer.from(inclusion.rootHash).toString('hex')}`,
          ]),
    ];
  });
}

const read = readTrustedRootJson('virtual', Buffer.from(JSON.stringify(corpus.trustedRoot)), 'refuse');
assert.ok(read.ok && read.document.source.kind === 'keys');
/** The trust root of the corpus. */
export const trustRoot = toTrustRoot('virtual', read.document.source.root);

const key = parsePublicKey(corpus.publicKey);
assert.ok(key.ok);
/** The key of the corpus. */
export const signingKey = key.key;

const witnesses = corpus.witnesses.map(({ name, publicKey }) => ({ name, publicKey: createPublicKey(publicKey) }));

function requirementOf({ signer, entries, cosignatures, stamps, wanted }: CorpusEvidence): Requirement {
  return {
    signer:
      signer === 'key'
        ? { kind: 'key', key: signingKey }
        : {
            kind: 'keyless',
            identities: [{ issuer: exactly(WORKFLOW_ISSUER), subject: exactly(WORKFLOW_SUBJECT) }],
            claims: [],
            certificateTimestamps: 1,
          },
    log: entries === 0 ? undefined : { entries, cosignatures, witnesses },
    timestamps: stamps,
    observers: 0,
    trust: trustRoot.material,
    wanted,
  };
}

function decoded(parts: CorpusEvidence['parts']): Input['parts'] {
  return Object.fromEntries(Object.entries(parts).map(([name, base64]) => [name, Buffer.from(base64, 'base64')]));
}
