import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import type { VerdictClaim } from '../../workflows/activities.ts';
import type { Reason } from '../../workflows/verdict/reason.ts';
import type { Verdict } from '../../workflows/verdict/verdict.ts';
import { addDocuments, claimOf, revocationOf, signAs } from '../support/asked.ts';
import { createSigningKey, type SigningKey } from '../support/signer.ts';
import { createSetting } from './setting.ts';

const [release, second, mallory] = [
  createSigningKey('ECDSA P-256'),
  createSigningKey('Ed25519'),
  createSigningKey('ECDSA P-256'),
];

/** A policy that asks for `release` and one that only warns without `second`; an image that these keys have signed. */
async function scene(t: TestContext, ...signers: readonly SigningKey[]) {
  const setting = await createSetting(t);
  const policy = (name: string, key: SigningKey, mode: string) => `apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata: {name: ${name}}
spec:
  mode: ${mode}
  images: [{glob: "${setting.registry.address}/demo/**"}]
  authorities: [{name: key, key: {data: ${JSON.stringify(key.publicPem)}}}]
`;
  const text = `${policy('demo', release, 'enforce')}---\n${policy('soft', second, 'warn')}`;
  const policyRevision = await setting.writeDocuments(text);
  const image = await setting.pushSigned(...signers);
  return {
    ...{ setting, image, policyRevision },
    /** What is signed for a claim that rests on the first signature alone. */
    ask: (changes: Partial<VerdictClaim> = {}): Promise<Verdict> =>
      signAs(setting, { claim: claimOf(policyRevision, image, changes), evidence: image.evidence.slice(0, 1) }),
  };
}

const own: Reason = { code: 'SIGNATURE_VERIFIED', sentence: 'as the caller says' };
const invented: Reason = { code: 'POLICY_WARNS', sentence: 'call +1 555 0100 to renew your certificate' };
const warnings = ({ reasons }: Verdict) => reasons.filter(({ code }) => code === 'POLICY_WARNS');

describe('the warnings of a signed allow', () => {
  for (const [what, reasons] of [
    ['left out', [own]],
    ['replaced', [own, invented]],
    ['told first', [invented, own]],
    ['told many times', [own, ...Array.from({ length: 7 }, () => invented)]],
  ] as const) {
    it(`are those that hold, in the words of the worker, when the claim has them ${what}`, async (t) => {
      const { ask } = await scene(t, release, mallory);
      const [first, ...others] = reasons;
      const verdict = await ask({ reasons: [first, ...others] });
      assert.deepEqual(
        verdict.reasons.map(({ code }) => code),
        ['SIGNATURE_VERIFIED', 'POLICY_WARNS'],
      );
      assert.match(verdict.reasons[1]?.sentence ?? '', /^policy "soft" only warns, and would refuse: WRONG_KEY: /);
      assert.doesNotMatch(JSON.stringify(verdict), /renew your certificate|as the caller says/);
    });
  }

  it('are none when the policy is satisfied by evidence that the claim leaves out', async (t) => {
    const { ask, image } = await scene(t, release, second);
    const verdict = await ask({ reasons: [own, invented] });
    assert.deepEqual(warnings(verdict), []);
    assert.deepEqual(
      verdict.signers.map(({ authority }) => authority),
      ['demo/key', 'soft/key'],
    );
    for (const { manifest } of image.evidence) assert.ok(verdict.covers?.includes(manifest));
  });

  it('say that the registry does not answer, when it does not', async (t) => {
    const { ask, setting } = await scene(t, release);
    await ask();
    const matches = ({ path }: { readonly path: string }) => path.includes('/referrers/');
    setting.registry.setFault({ effect: { kind: 'status', status: 503 }, matches });
    const [warning, ...others] = warnings(await ask({ reasons: [own] }));
    assert.equal(others.length, 0);
    assert.match(warning?.sentence ?? '', /^policy "soft" only warns, and would refuse: REGISTRY_ERROR: .*503/);
  });

  it('say what a policy that only warns finds in an image that nobody signed for it', async (t) => {
    const setting = await createSetting(t);
    const policyRevision = await setting.writeDocuments(`apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata: {name: soft}
spec:
  mode: warn
  images: [{glob: "${setting.registry.address}/demo/**"}]
  authorities: [{name: key, key: {data: ${JSON.stringify(second.publicPem)}}}]
`);
    const image = await setting.pushSigned();
    const claim = claimOf(policyRevision, image, { reasons: [{ ...invented, code: 'STATIC_PASS' }] });
    const { outcome, reasons } = await signAs(setting, { claim, evidence: [] });
    assert.deepEqual([outcome, reasons.map(({ code }) => code)], ['allow', ['POLICY_WARNS']]);
    assert.match(reasons[0].sentence, /^policy "soft" only warns, and would refuse: UNSIGNED: /);
  });
});

describe('a signed refusal', () => {
  const refusal = (code: Reason['code'], sentence = 'as the caller says') =>
    ({ outcome: 'deny', reasons: [{ code, sentence }], signers: [] }) as const;

  for (const code of ['REVOKED', 'NO_POLICY', 'NO_MATCHING_POLICY'] as const) {
    it(`says ${code} only when this worker finds it`, async (t) => {
      const { ask } = await scene(t, release);
      await assert.rejects(ask(refusal(code)), (error) => {
        assert.ok(error instanceof ApplicationFailure);
        assert.deepEqual([error.type, error.nonRetryable], ['CLAIM_UNPROVEN', true]);
        return true;
      });
    });
  }

  it('says in the words of the worker what the policy alone decides', async (t) => {
    const { ask, setting, image, policyRevision } = await scene(t, release);
    await addDocuments(setting, revocationOf([image.digest]));
    const revoked = await ask(refusal('UNSIGNED'));
    assert.deepEqual(
      revoked.reasons.map(({ code }) => code),
      ['REVOKED'],
    );
    assert.match(revoked.reasons[0].sentence, new RegExp(`^${image.digest} was revoked by a Revocation`));
    const name = `${setting.registry.address}/elsewhere/app:v1`;
    const digest = image.evidence[0]?.blob ?? image.digest;
    const claim = claimOf(policyRevision, { name, digest }, refusal('NO_MATCHING_POLICY'));
    const elsewhere = await signAs(setting, { claim, evidence: [] });
    assert.match(elsewhere.reasons[0].sentence, /^none of the 2 policies|no policy/i);
  });

  it('has no reason that only a node can give', async (t) => {
    const { ask } = await scene(t, release);
    for (const code of ['CANARY_REFUSED', 'TEMPORAL_UNREACHABLE', 'VERDICT_FORGED', 'CLOCK_MOVED'] as const) {
      const outcome = code === 'CANARY_REFUSED' ? 'deny' : 'inconclusive';
      await assert.rejects(ask({ ...refusal(code), outcome }), (error) => {
        assert.ok(error instanceof ApplicationFailure);
        assert.equal(error.type, 'REQUEST_INVALID', code);
        return true;
      });
    }
  });
});
