import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { watchPolicy } from '../../shim/backend/policy-watch.ts';
import { type Decision, reasonsOf } from '../../shim/decision.ts';
import { ADMISSION_LIMITS, openAdmission } from '../../shim/gate/admission.ts';
import { decide, type Gate } from '../../shim/gate/decide.ts';
import { openSingleFlight } from '../../shim/gate/single-flight.ts';
import { toJudgement } from '../../shim/judgement.ts';
import { aPolicyHead, createTestBackend } from '../support/backend.ts';
import { anAllow, createTestVerdictKey, TEST_FLEET } from '../support/verdicts.ts';

const key = createTestVerdictKey();
const genuine = anAllow();
const request = { name: genuine.name, digest: genuine.digest };

/** A node that keeps an allow for outages, and whose backend answers with a signed verdict. */
function gateOf(t: TestContext, answer: unknown): Gate {
  const backend = createTestBackend({
    policyHead: async () => aPolicyHead(key, genuine.policyRevision),
    verify: async () => answer,
  });
  const policy = watchPolicy(
    backend,
    () => key.accepted(),
    () => {},
    { fleet: TEST_FLEET },
  );
  t.after(() => policy.stop());
  const offline: Decision = { by: 'verdict', verdict: genuine, from: 'offline', workflowId: undefined };
  return {
    ...{
      backend,
      policy,
      keys: () => key.accepted(),
      fleet: TEST_FLEET,
      node: 'test',
      rules: [],
      lost: () => undefined,
      clock: () => undefined,
    },
    kept: { fresh: () => undefined, offline: () => offline },
    admission: openAdmission(ADMISSION_LIMITS),
    flights: openSingleFlight<Decision>(),
  };
}

describe('a verdict that a worker signed with the code of an outage is no outage', () => {
  for (const code of ['TEMPORAL_UNREACHABLE', 'WORKER_UNAVAILABLE'] as const) {
    for (const outcome of ['deny', 'inconclusive'] as const) {
      it(`${outcome}, ${code}: the kept allow is not used`, async (t) => {
        const verdict = anAllow({ outcome, signers: [], reasons: [{ code, sentence: 'says the worker' }] });
        const decision = await decide(gateOf(t, key.verdict(verdict)), request, { deadline: Date.now() + 2_000 });
        assert.deepEqual([reasonsOf(decision)[0].code, toJudgement(decision).ok], [code, false]);
      });
    }
  }
});
