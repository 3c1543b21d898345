import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import { appliedRevision } from '../../activities/authority/applied-policy.ts';
import { openEnvelope } from '../../shim/verdict-keys/verdict-keys.ts';
import type { VerdictClaim, VerdictRequest } from '../../workflows/activities.ts';
import type { Verdict } from '../../workflows/verdict/verdict.ts';
import { fromStatement, STATEMENT_PAYLOAD_TYPE } from '../../workflows/verdict/verification-summary.ts';
import { createSigningKey, type SigningKey } from '../support/signer.ts';
import { digestOf } from '../support/verdicts.ts';
import { createSetting, type Setting, type SignedImage } from './setting.ts';

const release = createSigningKey('ECDSA P-256');
const second = createSigningKey('Ed25519');
const mallory = createSigningKey('ECDSA P-256');

interface Asked extends Setting {
  readonly image: SignedImage;
  /** A claim that the evidence bears out. */
  readonly request: VerdictRequest;
  /** Adds documents to the policies, a file each, and answers the revision. */
  addDocuments(...documents: readonly string[]): Promise<string>;
  /** What a node reads after the worker signed. */
  sign(request: unknown): Promise<Verdict>;
}

/** An image signed by some keys, and policies that ask for `release`. */
async function asked(
  t: TestContext,
  signers: readonly SigningKey[] = [release],
  policies: Readonly<Record<string, readonly SigningKey[]>> = { demo: [release] },
): Promise<Asked> {
  const setting = await createSetting(t);
  const policyRevision = await setting.writePolicies(policies);
  const image = await setting.pushSigned(...signers);
  const evidence = image.evidence[0]?.blob ?? digestOf('ee');
  const claim: VerdictClaim = {
    decisionId: '0123456789abc',
    ...{ name: image.name, digest: image.digest, policyRevision, outcome: 'allow' },
    reasons: [{ code: 'SIGNATURE_VERIFIED', sentence: 'as the caller says' }],
    signers: [{ authority: 'demo/key-0', identity: `key sha256:${release.keyId}`, evidence }],
  };
  return {
    ...setting,
    image,
    request: { claim, evidence: image.evidence },
    async addDocuments(...documents) {
      for (const [index, text] of documents.entries()) {
        await writeFile(join(setting.policyDirectory, `added-${index}.yaml`), text);
      }
      const state = await setting.policy.reload();
      assert.ok(state.ok && state.rejected === undefined, JSON.stringify(state));
      return appliedRevision(setting.dependencies);
    },
    async sign(request) {
      // The cast stands for Temporal, which carries anything.
      const signed = await setting.activities.signVerdict(request as VerdictRequest);
      const opened = openEnvelope(signed.envelope, STATEMENT_PAYLOAD_TYPE, setting.verdictKeys);
      const verdict = fromStatement(opened?.content);
      assert.ok(verdict !== undefined, 'a node does not read what the worker signed');
      assert.deepEqual(signed.verdict, verdict);
      return verdict;
    },
  };
}

/** Nothing is signed, and one line says why. */
async function assertUnsigned(answer: Promise<unknown>, code: string, sentence: RegExp): Promise<void> {
  await assert.rejects(answer, (error) => {
    assert.ok(error instanceof ApplicationFailure, String(error));
    assert.equal(error.type, code, error.message);
    assert.match(error.message, sentence);
    assert.doesNotMatch(error.message, /\n/);
    assert.ok(error.message.length < 3_000);
    return true;
  });
}

describe('signVerdict', () => {
  it('signs an allow that the evidence bears out, in its own words and by its own clock', async (t) => {
    const { sign, request } = await asked(t);
    const before = Date.now();
    const verdict = await sign(request);
    assert.equal(verdict.outcome, 'allow');
    assert.deepEqual(verdict.signers, request.claim.signers);
    assert.doesNotMatch(verdict.reasons[0].sentence, /as the caller says/);
    assert.match(verdict.reasons[0].sentence, new RegExp(release.keyId));
    assert.ok(Date.parse(verdict.decidedAt) >= before && Date.parse(verdict.decidedAt) <= Date.now());
    assert.equal(Date.parse(verdict.expiresAt) - Date.parse(verdict.decidedAt), 900_000);
  });

  it('takes no times from the claim', async (t) => {
    const { sign, request } = await asked(t);
    const times = { decidedAt: '2020-01-01T00:00:00.000Z', expiresAt: '2099-01-01T00:00:00.000Z' };
    const verdict = await sign({ ...request, claim: { ...request.claim, ...times } });
    assert.ok(Date.parse(verdict.decidedAt) > Date.parse('2026-01-01'));
    assert.ok(Date.parse(verdict.expiresAt) < Date.now() + 901_000);
  });

  for (const [outcome, code, lifetime] of [
    ['deny', 'UNSIGNED', 10_000],
    ['inconclusive', 'REGISTRY_ERROR', 1_000],
  ] as const) {
    it(`signs a claim of ${outcome} without evidence, for ${lifetime} ms`, async (t) => {
      const { sign, request, registry } = await asked(t);
      const before = registry.requests.length;
      const reasons = [{ code, sentence: 'as it was found' }];
      const verdict = await sign({ claim: { ...request.claim, outcome, reasons, signers: [] }, evidence: [] });
      assert.deepEqual([verdict.outcome, verdict.reasons], [outcome, reasons]);
      assert.equal(Date.parse(verdict.expiresAt) - Date.parse(verdict.decidedAt), lifetime);
      assert.equal(registry.requests.length, before);
    });
  }

  it('signs an allow when one authority of each matching policy signed', async (t) => {
    const { sign, request } = await asked(t, [release, second], { demo: [release], other: [mallory, second] });
    const verdict = await sign({ ...request, claim: { ...request.claim, signers: [] } });
    assert.deepEqual(
      verdict.signers.map(({ authority }) => authority),
      ['demo/key-0', 'other/key-1'],
    );
  });
});

describe('signVerdict signs no allow', () => {
  it('without evidence', async (t) => {
    const { sign, request } = await asked(t);
    await assertUnsigned(sign({ ...request, evidence: [] }), 'CLAIM_UNPROVEN', /UNSIGNED/);
  });

  it("with evidence by somebody else's key", async (t) => {
    const { sign, request } = await asked(t, [mallory]);
    await assertUnsigned(sign(request), 'CLAIM_UNPROVEN', /WRONG_KEY/);
  });

  it('with the evidence of another image', async (t) => {
    const { sign, request, pushSigned } = await asked(t);
    const other = await pushSigned(release);
    await assertUnsigned(sign({ ...request, evidence: other.evidence }), 'CLAIM_UNPROVEN', /SUBJECT_MISMATCH/);
    await assertUnsigned(
      sign({ ...request, claim: { ...request.claim, digest: other.digest } }),
      'CLAIM_UNPROVEN',
      /SUBJECT_MISMATCH/,
    );
  });

  it('that only the key of another policy bears out', async (t) => {
    const { sign, request } = await asked(t, [second], { demo: [release], other: [second] });
    await assertUnsigned(sign(request), 'CLAIM_UNPROVEN', /policy "demo"/);
  });

  it('when only one of two matching policies is satisfied', async (t) => {
    const { sign, request } = await asked(t, [release], { demo: [release], other: [second] });
    await assertUnsigned(sign(request), 'CLAIM_UNPROVEN', /policy "other"/);
  });

  it('when no policy matches', async (t) => {
    const { sign, request, registry } = await asked(t);
    const elsewhere = { ...request.claim, name: `${registry.address}/elsewhere/app:v1` };
    await assertUnsigned(sign({ ...request, claim: elsewhere }), 'CLAIM_UNPROVEN', /NO_MATCHING_POLICY/);
  });

  it('with a signer that did not sign, beside one that did', async (t) => {
    const { sign, request } = await asked(t, [release], { demo: [release, second] });
    const [genuine] = request.claim.signers;
    assert.ok(genuine !== undefined);
    const inventions = [
      { ...genuine, identity: `key sha256:${mallory.keyId}` },
      { ...genuine, authority: 'demo/key-1', identity: `key sha256:${second.keyId}` },
      { ...genuine, authority: 'demo/ceo' },
      { ...genuine, evidence: digestOf('ab') },
    ];
    for (const invented of inventions) {
      const claim = { ...request.claim, signers: [genuine, invented] };
      await assertUnsigned(sign({ ...request, claim }), 'CLAIM_UNPROVEN', /did not sign as/);
    }
  });

  it('by another revision of the policy', async (t) => {
    const { sign, request, writePolicies } = await asked(t);
    const claim = { ...request.claim, policyRevision: 'd'.repeat(64) };
    await assertUnsigned(sign({ ...request, claim }), 'POLICY_CHANGED', /applies policy revision/);
    await writePolicies({ demo: [second] });
    await assertUnsigned(sign(request), 'POLICY_CHANGED', /pull again/);
  });

  it('with evidence that nobody has', async (t) => {
    const { sign, request, image } = await asked(t);
    const forged = image.evidence.map((reference) => ({ ...reference, blob: digestOf('ab') }));
    await assertUnsigned(sign({ ...request, evidence: forged }), 'EVIDENCE_NOT_SERVED', /sha256:abab/);
  });

  it('with a blob of the registry that is no signature', async (t) => {
    const { sign, request, image } = await asked(t);
    const [reference] = image.evidence;
    assert.ok(reference !== undefined);
    const config = { ...reference, format: 'simple-signing', layer: 7 };
    await assertUnsigned(sign({ ...request, evidence: [config] }), 'EVIDENCE_MALFORMED', /layer 7/);
  });
});

describe('an allow under a name without a tag', () => {
  it('is signed only when the policies that name its tags are satisfied as well', async (t) => {
    const { sign, request, addDocuments, registry } = await asked(t);
    const claim = { ...request.claim, name: `${registry.address}/demo/app` };
    assert.equal((await sign({ ...request, claim })).outcome, 'allow');
    const policyRevision = await addDocuments(
      `{apiVersion: policy.sigstore.dev/v1beta1, kind: ClusterImagePolicy, metadata: {name: strict}, spec: {images: [{glob: "${registry.address}/demo/app:v*"}], authorities: [{static: {action: fail}}]}}`,
    );
    const asks = sign({ ...request, claim: { ...claim, policyRevision } });
    await assertUnsigned(asks, 'CLAIM_UNPROVEN', /STATIC_FAIL: policy "strict" \(it applies because /);
  });
});

describe('an allow without a backend', () => {
  const offlineUse = (name: string, glob: string, duration: string) =>
    `{apiVersion: portcullis.dev/v1alpha1, kind: OfflineUse, metadata: {name: ${name}}, spec: {images: [{glob: "${glob}"}], for: ${duration}}}`;

  async function signWith(t: TestContext, ...documents: readonly string[]): Promise<Verdict> {
    const { sign, request, addDocuments } = await asked(t);
    const policyRevision = await addDocuments(...documents);
    return await sign({ ...request, claim: { ...request.claim, policyRevision } });
  }

  const hoursOf = ({ decidedAt, offlineUntil = decidedAt }: Verdict) =>
    (Date.parse(offlineUntil) - Date.parse(decidedAt)) / 3_600_000;

  it('is not permitted by a policy that says nothing about it, or about other names only', async (t) => {
    assert.equal((await signWith(t)).offlineUntil, undefined);
    assert.equal((await signWith(t, offlineUse('other', 'ghcr.io/other/**', '72h'))).offlineUntil, undefined);
  });

  it('is permitted for as long as the shortest document that matches says', async (t) => {
    const verdict = await signWith(t, offlineUse('long', '**', '72h'), offlineUse('short', '**', '2h'));
    assert.ok(Math.abs(hoursOf(verdict) - 2) < 0.01, String(hoursOf(verdict)));
    assert.ok(Date.parse(verdict.expiresAt) - Date.parse(verdict.decidedAt) <= 900_000, 'its own time stays as it is');
  });

  it('is permitted for no longer by a name that leaves its tag out', async (t) => {
    const { sign, request, addDocuments, registry } = await asked(t);
    const tagged = offlineUse('tagged', `${registry.address}/demo/app:v*`, '2h');
    const policyRevision = await addDocuments(offlineUse('long', '**', '72h'), tagged);
    const claim = { ...request.claim, policyRevision, name: `${registry.address}/demo/app` };
    assert.ok(Math.abs(hoursOf(await sign({ ...request, claim })) - 2) < 0.01);
  });

  it('says for how long workers must be silent, by the strictest document that matches', async (t) => {
    const strict = offlineUse('strict', '**', '72h, afterWorkerSilence: 3h');
    assert.equal((await signWith(t, offlineUse('any', '**', '72h'))).workerSilenceMs, 15 * 60_000);
    assert.equal((await signWith(t, offlineUse('any', '**', '72h'), strict)).workerSilenceMs, 3 * 3_600_000);
    assert.equal((await signWith(t)).workerSilenceMs, undefined);
  });

  it('is not told where it ends before the verdict does', async (t) => {
    assert.equal((await signWith(t, offlineUse('minute', '**', '60s'))).offlineUntil, undefined);
  });

  it('is nothing that a caller can claim', async (t) => {
    const { sign, request } = await asked(t);
    const claim = { ...request.claim, offlineUntil: '2099-01-01T00:00:00.000Z', workerSilenceMs: 0 };
    const signed = await sign({ ...request, claim });
    assert.deepEqual([signed.offlineUntil, signed.workerSilenceMs], [undefined, undefined]);
  });
});

describe('a revoked digest', () => {
  it('is signed for nobody, whatever the evidence says', async (t) => {
    const { activities, request, addDocuments, image } = await asked(t);
    const revocation = `{apiVersion: portcullis.dev/v1alpha1, kind: Revocation, metadata: {name: bad}, spec: {digests: ["${image.digest}"]}}`;
    const before = request.claim.policyRevision;
    assert.equal(await addDocuments(revocation), before, 'nothing else is asked for anew');
    await assertUnsigned(activities.signVerdict(request), 'CLAIM_UNPROVEN', /REVOKED: sha256:[0-9a-f]{64} was revoked/);
    const { name, digest } = image;
    const resolution = await activities.resolvePolicy({ name, digest, policyRevision: before });
    assert.deepEqual(resolution, { loaded: 1, matching: [], revoked: true });
  });
});
