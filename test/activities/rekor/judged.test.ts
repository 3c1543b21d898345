import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { createLiveLogs } from '../../../activities/rekor/live-logs.ts';
import type { ProvenEntry } from '../../../activities/sigstore/judgement.ts';
import type { Requirement } from '../../../activities/sigstore/requirement/requirement.ts';
import { exactly } from '../../../activities/sigstore/requirement/text-pattern.ts';
import {
  entryQuestion,
  type JudgeContext,
  judge,
  type SignatureContent,
} from '../../../activities/sigstore/signature.ts';
import { type TransparencyLog, type TrustRoot, toTrustRoot } from '../../../activities/trust/trust-root.ts';
import { cosignPayload, cosignStatement } from '../../support/signer.ts';
import {
  bundleContent,
  bundleOf,
  logInV1,
  logInV2,
  signBlob,
  signEnvelope,
  simpleSigningLayer,
  stampOf,
} from '../../support/virtual-sigstore/evidence.ts';
import { type ServedSigstore, serveSigstore } from '../../support/virtual-sigstore/http.ts';
import type { Signer } from '../../support/virtual-sigstore/log-body.ts';
import { WORKFLOW_ISSUER, WORKFLOW_SUBJECT } from '../../support/virtual-sigstore/sigstore.ts';
import { trustedRootJson } from '../../support/virtual-sigstore/trusted-root.ts';
import { DIGEST, REPOSITORY } from '../sigstore/verdict-of.ts';

const payload = Buffer.from(JSON.stringify(cosignPayload(DIGEST, REPOSITORY)));
const patience = () => AbortSignal.timeout(20_000);

describe('an entry that a judgement proved', () => {
  it('is confirmed by the log that the trust root names, of either version, with one request', async () => {
    await using served = await serveSigstore();
    const { sigstore } = served;
    const { now, rekorV1, rekorV2, tsa } = sigstore;
    const signed = signEnvelope(signerOf(served), cosignStatement(DIGEST));
    const entries = {
      v1: logInV1(rekorV1, 'dsse 0.0.1', signed, now),
      v2: logInV2(rekorV2, 'hashedrekord 0.0.2', signed, now),
    };
    const logs = createLiveLogs();
    for (const [version, entry] of Object.entries(entries)) {
      const bundle = bundleOf(signed, { entries: [entry], timestamps: [stampOf(tsa, signed, now)] });
      const [proven] = provenEntries(served, bundleContent(bundle));
      assert.ok(proven !== undefined);
      const before = served.requests.length;
      const answer = await logs.confirm(logOf(trustOf(served), proven), proven, patience());
      assert.deepEqual([version, answer.confirmed], [version, true]);
      assert.equal(served.requests.length - before, 1);
    }
  });

  it('is confirmed where it was only promised', async () => {
    await using served = await serveSigstore();
    const { rekorV1, now } = served.sigstore;
    const signed = signBlob(signerOf(served), payload);
    const entry = logInV1(rekorV1, 'hashedrekord 0.0.1', signed, now);
    rekorV1.fill(20, now);
    const [proven] = provenEntries(served, simpleSigningLayer(signed, { entry }));
    assert.ok(proven !== undefined);
    assert.equal(proven.inclusion, undefined);
    const answer = await createLiveLogs().confirm(logOf(trustOf(served), proven), proven, patience());
    assert.equal(answer.confirmed, true);
  });
});

describe('a signature without an entry', () => {
  it('is good by the entry that is looked up, and that entry is confirmed', async () => {
    await using served = await serveSigstore();
    const { rekorV1, now } = served.sigstore;
    const signed = signBlob(signerOf(served), payload);
    const content = simpleSigningLayer(signed);
    const logs = createLiveLogs();
    const trust = trustOf(served);
    const found = async () => {
      const question = entryQuestion(content);
      assert.ok(question !== undefined);
      return (await Promise.all(trust.logs.map((log) => logs.lookUp(log, question, patience())))).flat();
    };
    assert.equal(judgement(served, content, { now, foundEntries: await found() }).valid, false);
    logInV1(rekorV1, 'hashedrekord 0.0.1', signed, now);
    const [proven] = provenEntries(served, content, { now, foundEntries: await found() });
    assert.ok(proven !== undefined);
    assert.equal((await logs.confirm(logOf(trust, proven), proven, patience())).confirmed, true);
  });
});

function signerOf({ sigstore }: ServedSigstore): Signer {
  return { kind: 'certificate', certificate: sigstore.issueLeaf() };
}

function trustOf({ sigstore }: ServedSigstore): TrustRoot {
  return toTrustRoot('served', TrustedRoot.fromJSON(trustedRootJson(sigstore.trustPlan())));
}

function logOf({ logs }: TrustRoot, { logId }: ProvenEntry): TransparencyLog {
  const log = logs.find(({ id }) => id === logId);
  assert.ok(log !== undefined, `no log ${logId}`);
  return log;
}

function judgement(served: ServedSigstore, content: SignatureContent, context: JudgeContext) {
  const requirement: Requirement = {
    signer: {
      kind: 'keyless',
      identities: [{ issuer: exactly(WORKFLOW_ISSUER), subject: exactly(WORKFLOW_SUBJECT) }],
      claims: [],
      certificateTimestamps: 1,
    },
    log: { entries: 1, cosignatures: 0, witnesses: [] },
    timestamps: 0,
    observers: 0,
    trust: trustOf(served).material,
    wanted: { kind: 'signature' },
  };
  return judge(content, requirement, { digest: DIGEST, repository: REPOSITORY }, context);
}

function provenEntries(
  served: ServedSigstore,
  content: SignatureContent,
  context: JudgeContext = { now: served.sigstore.now },
): readonly ProvenEntry[] {
  const judged = judgement(served, content, context);
  assert.ok(judged.valid, judged.valid ? '' : `${judged.code}: ${judged.sentence}`);
  return judged.entries;
}
