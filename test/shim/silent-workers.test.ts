import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Backend, BackendProblem } from '../../shim/backend/backend.ts';
import { aPolicyHead } from '../support/backend.ts';
import { aMinuteAgo, decideIn, ended, envelopeOf, genuine, inAnHour, key } from '../support/decide-scene.ts';

const policyHead = async () => aPolicyHead(key, genuine.policyRevision);

const fails = (code: 'WORKER_UNAVAILABLE' | 'TEMPORAL_REFUSED' | 'TEMPORAL_UNREACHABLE') => () =>
  Promise.reject(new BackendProblem(code, 'no answer'));

/** What an OfflineUse permits, and the policy statement of before. */
const kept = (workerSilenceMs?: number) => ({
  kept: envelopeOf({
    expiresAt: aMinuteAgo,
    offlineUntil: inAnHour,
    ...(workerSilenceMs === undefined ? {} : { workerSilenceMs }),
  }),
  remembered: ended,
});

/** A node asks for the policy until shortly before its deadline, which is after 700 ms. */
const [SOON, LATE] = [200, 5_000];

describe('workers that a reachable Temporal finds silent', () => {
  for (const code of ['WORKER_UNAVAILABLE', 'TEMPORAL_REFUSED'] as const) {
    const backend: Partial<Backend> = { policyHead: fails(code) };

    it(`do not bring back an earlier verdict at once (${code})`, async () => {
      for (const silence of [undefined, LATE]) {
        const { ok, code: answer, decision } = await decideIn({ backend, ...kept(silence) });
        assert.deepEqual([ok, answer], [false, code]);
        const [reason] = decision.by === 'node' ? decision.reasons : [];
        assert.match(reason?.sentence ?? '', /an earlier verdict counts when workers have been silent for \d+ s more/);
      }
    });

    it(`bring it back when that has lasted as long as the policy wants (${code})`, async () => {
      const { ok, decision } = await decideIn({ backend, ...kept(SOON) });
      assert.deepEqual([ok, decision.by === 'verdict' && decision.from], [true, 'offline']);
    });
  }

  it('do not bring back a verdict that is in its time when the policy statement is not', async () => {
    const backend = { policyHead: fails('WORKER_UNAVAILABLE') };
    const { ok, code } = await decideIn({ backend, kept: envelopeOf({}), remembered: ended });
    assert.deepEqual([ok, code], [false, 'WORKER_UNAVAILABLE']);
  });

  it('begin their silence anew with each answer', async () => {
    let asked = 0;
    const backend = {
      policyHead: () => (asked++ % 2 === 0 ? fails('WORKER_UNAVAILABLE')() : Promise.resolve('something')),
    };
    const { ok } = await decideIn({ backend, ...kept(550) });
    assert.equal(ok, false);
  });

  it('do not count as gone for a verification that Temporal does not know', async () => {
    const backend = { policyHead, verify: fails('TEMPORAL_UNREACHABLE'), exists: async () => false };
    const { ok, code } = await decideIn({ backend, ...kept() });
    assert.deepEqual([ok, code], [false, 'TEMPORAL_REFUSED']);
  });
});

describe('a workflow that says that nothing is there', () => {
  for (const code of ['TEMPORAL_UNREACHABLE', 'WORKER_UNAVAILABLE', 'TEMPORAL_REFUSED'] as const) {
    it(`does not bring back an earlier verdict (${code})`, async () => {
      const backend = {
        policyHead,
        verify: () => Promise.reject(new BackendProblem('STILL_VERIFYING', 'late')),
        checks: async () => [{ title: 'x', state: 'retrying', detail: 'gone', code }] as const,
        exists: async () => true,
      };
      const { ok, code: answer } = await decideIn({ backend, ...kept(0) });
      assert.deepEqual([ok, answer], [false, code]);
    });
  }
});
