import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EvidenceError } from '../../../activities/evidence-error.ts';
import {
  entryQuestionInThread,
  type JudgingCase,
  judgeInThread,
  signedMaterialInThread,
} from '../../../activities/judging/judge-pool.ts';
import type { ThreadJudgement } from '../../../activities/judging/judging-message.ts';
import { JudgingThread } from '../../../activities/judging/judging-thread.ts';
import { fromRequirementMessage, toRequirementMessage } from '../../../activities/judging/requirement-message.ts';
import { MAX_LIGHT_EVIDENCE_BYTES } from '../../../activities/limits.ts';
import { signedMaterial } from '../../../activities/sigstore/evidence/signed-material.ts';
import { entryQuestion } from '../../../activities/sigstore/log/entry-question.ts';
import type { Requirement } from '../../../activities/sigstore/requirement/requirement.ts';
import { compilePattern } from '../../../activities/sigstore/requirement/text-pattern.ts';
import { judge } from '../../../activities/sigstore/signature.ts';
import { cosignStatement, createSigningKey, encodeJson, signBundle } from '../../support/signer.ts';
import { ATTACHED_ROWS } from '../sigstore/negatives/attached.ts';
import { BASES } from '../sigstore/negatives/bases.ts';
import { BUNDLE_ROWS } from '../sigstore/negatives/bundle.ts';
import { asked, type Base, type Bend, contentOf, judgedAt, type Row } from '../sigstore/negatives/case.ts';
import { CERTIFICATE_ROWS } from '../sigstore/negatives/certificate.ts';
import { CLAIM_ROWS, IDENTITY_ROWS } from '../sigstore/negatives/identity.ts';
import { LEGACY_ROWS } from '../sigstore/negatives/legacy.ts';
import { LOG_V1_ROWS } from '../sigstore/negatives/log-v1.ts';
import { LOG_V2_ROWS } from '../sigstore/negatives/log-v2.ts';
import { SCT_ROWS } from '../sigstore/negatives/sct.ts';
import { TIMESTAMP_ROWS } from '../sigstore/negatives/timestamp.ts';
import { byKey, DIGEST, goodKey, NOW, REPOSITORY } from '../sigstore/verdict-of.ts';

const share = { repository: REPOSITORY, image: DIGEST };
const signal = AbortSignal.timeout(120_000);
const TABLES: readonly (readonly Row[])[] = [
  ...[ATTACHED_ROWS, BUNDLE_ROWS, CERTIFICATE_ROWS, CLAIM_ROWS, IDENTITY_ROWS, LEGACY_ROWS],
  ...[LOG_V1_ROWS, LOG_V2_ROWS, SCT_ROWS, TIMESTAMP_ROWS],
];

function caseOf(base: Base, bend: Bend = {}): JudgingCase {
  const { requirement, expected } = asked(base, bend);
  const context = { now: judgedAt(base, bend) };
  return { content: contentOf(base, bend), requirement, expected, context, statement: true };
}

/** The same by the function that the thread runs, for comparison. */
function judgedHere({ content, requirement, expected, context }: JudgingCase): unknown {
  const judgement = judge(content, requirement, expected, context);
  if (!judgement.valid || judgement.statement === undefined) return plain(judgement);
  const { predicateType, predicate, document } = judgement.statement;
  const statement = { predicateType, predicate: Array.isArray(predicate) ? [] : {}, json: JSON.stringify(document) };
  return plain({ ...judgement, statement });
}

/** Bytes are sent as plain ones, whatever they were. */
function plain(judgement: object | ThreadJudgement): unknown {
  return JSON.parse(
    JSON.stringify(judgement, (_, value: unknown) => {
      if (typeof value === 'bigint') return String(value);
      return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value;
    }).replaceAll(/\{"type":"Buffer","data":(\[[\d,]*\])\}/g, (_, bytes: string) =>
      JSON.stringify(Buffer.from(JSON.parse(bytes) as number[]).toString('base64')),
    ),
  );
}

describe('evidence is judged in a thread as it is anywhere', () => {
  it('what holds, with its entries and its statement', async () => {
    for (const base of Object.values<Base>(BASES)) {
      const one = caseOf(base);
      const judgement = await judgeInThread(share, one, signal);
      assert.equal(judgement.valid, true, base.name);
      assert.deepEqual(plain(judgement), judgedHere(one), base.name);
    }
  });

  it('what is bent, with its code and sentence', async () => {
    for (const { base, what, bend } of TABLES.flat()) {
      const one = caseOf(base, bend);
      assert.deepEqual(plain(await judgeInThread(share, one, signal)), judgedHere(one), `${base.name}: ${what}`);
    }
  });

  it('and so are the questions for logs and for a KMS', async () => {
    for (const base of Object.values<Base>(BASES)) {
      const { content, requirement } = caseOf(base);
      const question = await entryQuestionInThread(share, content, requirement.signer, signal);
      assert.deepEqual(question, entryQuestion(content, requirement.signer), base.name);
      const material = await signedMaterialInThread(share, content, signal);
      assert.deepEqual(plain(material ?? {}), plain(signedMaterial(content) ?? {}), base.name);
    }
  });

  it('by a requirement that arrives as it was sent, patterns and certificates included', () => {
    const issuer = compilePattern('https://(a|b)\\.example');
    assert.ok(issuer.ok);
    const { requirement } = asked(BASES.keyless, {});
    const { signer } = requirement;
    assert.ok(signer.kind === 'keyless');
    const [first] = signer.identities;
    const identities = [{ issuer: issuer.pattern, subject: first?.subject ?? assert.fail() }];
    const sent: Requirement = { ...requirement, signer: { ...signer, identities } };
    const message = structuredClone(toRequirementMessage(sent));
    const received = fromRequirementMessage(message);
    assert.deepEqual(
      received.trust.certificateAuthorities.map(({ certChain }) => certChain.map((one) => one.root.toDER())),
      sent.trust.certificateAuthorities.map(({ certChain }) => certChain.map((one) => one.root.toDER())),
    );
    assert.deepEqual({ ...received, trust: undefined }, { ...sent, trust: undefined });
    assert.deepEqual(
      received.trust.tlogs.map(({ logID, validFor }) => [logID, validFor]),
      sent.trust.tlogs.map(({ logID, validFor }) => [logID, validFor]),
    );
  });
});

const key = createSigningKey('ECDSA P-256');

/** An attestation by a trusted key with a predicate of so many components. */
function attestation(components: number): JudgingCase {
  const sbom = Array.from({ length: components }, (_, i) => ({
    name: `component-${i}`,
    version: '1.2.3',
    licence: 'MIT',
  }));
  const statement = { ...cosignStatement(DIGEST), predicateType: 'https://spdx.dev/Document', predicate: { sbom } };
  const requirement = {
    ...byKey(goodKey(key.publicPem)),
    wanted: { kind: 'attestation', predicateTypes: ['https://spdx.dev/Document'] },
  } as const;
  const content = { format: 'bundle', bundle: encodeJson(signBundle(key, statement)) } as const;
  const expected = { digest: DIGEST, repository: REPOSITORY };
  return { content, requirement, expected, context: { now: NOW }, statement: false };
}

describe('the main thread', () => {
  it('parses nothing of the evidence, not even a statement of some MiB, and gets it only when it is wanted', async (t) => {
    const large = attestation(90_000);
    assert.ok(large.content.format === 'bundle' && large.content.bundle.length > 5_000_000);
    const parse = t.mock.method(JSON, 'parse');
    const quiet = await judgeInThread(share, large, signal);
    const whole = await judgeInThread(share, { ...large, statement: true }, signal);
    assert.equal(parse.mock.callCount(), 0);
    parse.mock.restore();
    assert.ok(quiet.valid && whole.valid);
    assert.deepEqual(quiet.statement, { predicateType: 'https://spdx.dev/Document', predicate: {}, json: undefined });
    assert.equal(JSON.parse(whole.statement?.json ?? '').predicate.sbom.length, 90_000);
  });

  it('lets small evidence pass what is large and waits: each has threads of its own', async () => {
    const large = attestation(90_000);
    const order: string[] = [];
    const slow = Array.from({ length: 4 }, async (_, i) => {
      await judgeInThread({ repository: `r${i}`, image: 'large' }, large, signal);
      order.push('large');
    });
    const small = attestation(1);
    assert.ok(small.content.format === 'bundle' && small.content.bundle.length < MAX_LIGHT_EVIDENCE_BYTES);
    for (let i = 0; i < 3; i++) {
      await judgeInThread({ repository: 'other', image: 'small' }, small, signal);
      order.push('small');
    }
    await Promise.all(slow);
    assert.ok(order.lastIndexOf('small') < order.lastIndexOf('large'), order.join());
  });

  it('leaves the queue with EVIDENCE_UNJUDGED, to be retried, when the attempt has no time left', async () => {
    const abort = new AbortController();
    const large = attestation(90_000);
    const first = judgeInThread(share, large, signal);
    const others = Array.from({ length: 5 }, () => judgeInThread(share, large, abort.signal));
    abort.abort();
    for (const end of await Promise.allSettled(others)) {
      assert.ok(end.status === 'rejected' && end.reason instanceof EvidenceError);
      assert.deepEqual([end.reason.code, end.reason.retryable], ['EVIDENCE_UNJUDGED', true]);
    }
    assert.equal((await first).valid, true);
    assert.equal((await judgeInThread(share, attestation(1), signal)).valid, true);
  });
});

describe('a thread that judges', () => {
  it('is ended in the middle of evidence that takes longer than it may', async () => {
    const thread = new JudgingThread(1);
    const { content, requirement, expected, context } = attestation(90_000);
    const message = toRequirementMessage(requirement);
    const end = await thread.ask({ kind: 'judge', content, requirement: message, expected, context, statement: false });
    assert.equal(end.kind, 'out-of-time');
    assert.ok(end.processorMs > 1);
    assert.equal(thread.alive, false);
    const again = await thread.ask({ kind: 'signed-material', content });
    assert.equal(again.kind, 'failed');
  });

  it('that fails in the middle of evidence says so, and so does one that is gone', async () => {
    const thread = new JudgingThread(10_000);
    const { content, requirement, expected, context } = caseOf(BASES.keyless);
    const message = toRequirementMessage(requirement);
    assert.ok(message.signer.kind === 'keyless');
    const claims = [{ claim: 'githubWorkflowTrigger', value: { kind: 'pattern', text: '(' } }] as const;
    const broken = { ...message, signer: { ...message.signer, claims } };
    const question = { kind: 'judge', content, requirement: broken, expected, context, statement: false } as const;
    assert.equal((await thread.ask(question)).kind, 'crashed');
    assert.equal(thread.alive, false);
    assert.equal((await thread.ask(question)).kind, 'failed');
  });
});
