import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Backend } from '../../shim/backend/backend.ts';
import { reasonsOf } from '../../shim/decision.ts';
import type { Gate } from '../../shim/gate/decide.ts';
import {
  aMinuteAgo,
  decideIn,
  ended,
  envelopeOf,
  genuine,
  inAnHour,
  key,
  request,
  unreachable,
} from '../support/decide-scene.ts';
import { fromNow, revoking } from '../support/offline.ts';
import { anAllow, digestOf, TEST_FLEET } from '../support/verdicts.ts';

describe('a revoked digest', () => {
  const head = (changes: object) => async () => {
    const now = Date.now();
    return key.envelope('application/vnd.portcullis.policy-head.v1+json', {
      fleet: TEST_FLEET,
      policyRevision: genuine.policyRevision,
      statedAt: new Date(now).toISOString(),
      expiresAt: new Date(now + 60_000).toISOString(),
      ...revoking(digestOf('01'), request.digest),
      ...changes,
    });
  };

  it('is refused in spite of a kept verdict, the bootstrap list and a fresh allow', async () => {
    const scene = {
      backend: { policyHead: head({}), verify: async () => key.verdict(genuine) },
      kept: envelopeOf({}),
      gate: { rules: [() => ({ code: 'DIGEST_LISTED', sentence: 'listed' }) as const] },
    };
    const { code, ok, asked } = await decideIn(scene);
    assert.deepEqual([code, ok, asked], ['REVOKED', false, 0]);
  });

  const answers: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['it is verified', async () => key.verdict(genuine)],
    ['nobody answers, and the policy permits a kept verdict', unreachable],
  ];
  for (const [what, answer] of answers) {
    it(`is refused when it is revoked while ${what}`, async () => {
      let isRevoked = false;
      const policy = { revoked: () => new Map(isRevoked ? [[request.digest, 'bad']] : []) };
      const verify = () => {
        isRevoked = true;
        return answer();
      };
      const known = { ok: true, policyRevision: genuine.policyRevision };
      const watch = { current: async () => known, known: () => undefined, cutOffMs: () => undefined, ...policy };
      // as much of a watch as a decision asks for
      const gate = { policy: watch as unknown as Gate['policy'] };
      const kept = envelopeOf({ expiresAt: aMinuteAgo, offlineUntil: inAnHour });
      assert.equal((await decideIn({ backend: { verify }, gate, kept, remembered: ended })).code, 'REVOKED');
    });
  }

  const child = digestOf('0c');
  const evidence = digestOf('ee'); // of the signer
  for (const [what, digest] of [
    ['a manifest that the image lists', child],
    ['the evidence of the signer', evidence],
  ] as const) {
    const policyHead = head(revoking(digest));
    const index = { covers: [digestOf('0d'), child] };
    it(`is refused as ${what}, in kept, offline and fresh verdicts`, async () => {
      const fresh = { backend: { policyHead, verify: async () => key.verdict(anAllow(index)) } };
      const kept = { backend: { policyHead }, kept: envelopeOf(index) };
      const past = { ...revoking(digest), statedAt: fromNow(-300_000), expiresAt: aMinuteAgo };
      const remembered = await head(past)();
      const offline = { kept: envelopeOf({ ...index, expiresAt: aMinuteAgo, offlineUntil: inAnHour }), remembered };
      for (const [scene, times] of [
        [fresh, 1],
        [kept, 0],
        [offline, 0],
      ] as const) {
        const { code, ok, asked, decision } = await decideIn(scene);
        assert.deepEqual([code, ok, asked], ['REVOKED', false, times]);
        assert.match(
          reasonsOf(decision)[0].sentence,
          new RegExp(`sha256:(ab){32} contains or is allowed by ${digest}`),
        );
      }
    });
  }

  it('is refused as a manifest of the image when it is revoked while the verdict is on its way', async () => {
    let revoked = new Map<typeof child, string>();
    const verify = async () => {
      revoked = new Map([[child, 'bad']]);
      return key.verdict(anAllow({ covers: [child] }));
    };
    const known = { ok: true, policyRevision: genuine.policyRevision };
    const watch = {
      current: async () => known,
      known: () => undefined,
      cutOffMs: () => undefined,
      revoked: () => revoked,
    };
    const gate = { policy: watch as unknown as Gate['policy'] }; // as much of a watch as a decision asks for
    assert.equal((await decideIn({ backend: { verify }, gate })).code, 'REVOKED');
  });

  it('makes a verdict that does not say what it covers unusable, wherever it comes from', async () => {
    const { covers: _, ...silent } = genuine;
    const asked: string[] = [];
    const verify: Backend['verify'] = async ({ workflowId }) => {
      asked.push(workflowId);
      return key.verdict(silent);
    };
    const policyHead = head(revoking(digestOf('01')));
    const kept = key.verdict({ ...silent, offlineUntil: inAnHour }).envelope;
    const { code, ok } = await decideIn({ backend: { policyHead, verify }, kept });
    assert.deepEqual([code, ok, asked.length], ['VERDICT_MISMATCH', false, 2], 'asked once more, afresh');
    const offline = key.verdict({ ...silent, expiresAt: aMinuteAgo, offlineUntil: inAnHour }).envelope;
    const past = { ...revoking(digestOf('01')), statedAt: fromNow(-300_000), expiresAt: aMinuteAgo };
    assert.equal((await decideIn({ kept: offline, remembered: await head(past)() })).code, 'TEMPORAL_UNREACHABLE');
    const nothingRevoked = { backend: { policyHead: head({ revocations: [] }) }, kept };
    assert.equal((await decideIn(nothingRevoked)).ok, true);
  });

  it('stays refused without a backend, by the last statement', async () => {
    const past = { statedAt: new Date(Date.now() - 300_000).toISOString(), expiresAt: aMinuteAgo };
    const scene = { kept: envelopeOf({ offlineUntil: inAnHour }), remembered: await head(past)() };
    assert.equal((await decideIn(scene)).code, 'REVOKED');
  });
});
