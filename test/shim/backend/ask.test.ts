import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { askBackend } from '../../../shim/backend/ask.ts';
import { type Backend, BackendProblem } from '../../../shim/backend/backend.ts';
import { watchPolicy } from '../../../shim/backend/policy-watch.ts';
import { type Decision, outcomeOf, reasonsOf } from '../../../shim/decision.ts';
import { toJudgement } from '../../../shim/judgement.ts';
import { decisionId } from '../../../workflows/verdict/verification-id.ts';
import { aPolicyHead, createTestBackend } from '../../support/backend.ts';
import { anAllow, createTestVerdictKey, TEST_FLEET } from '../../support/verdicts.ts';

const key = createTestVerdictKey();
const own = key.accepted();
const genuine = anAllow();
const request = { name: genuine.name, digest: genuine.digest };
const late = (): Promise<never> => Promise.reject(new BackendProblem('STILL_VERIFYING', 'no verdict in time'));

async function decideWith(answers: Partial<Backend>, budgetMs = 2_000, keys = own): Promise<Decision> {
  const backend = createTestBackend({ policyHead: async () => aPolicyHead(key, genuine.policyRevision), ...answers });
  const policy = watchPolicy(
    backend,
    () => keys,
    () => {},
    { fleet: TEST_FLEET },
  );
  try {
    return await askBackend({ backend, policy, keys: () => keys, fleet: TEST_FLEET, node: 'test' }, request, {
      deadline: Date.now() + budgetMs,
    });
  } finally {
    policy.stop();
  }
}

function assertCodes(decision: Decision, ...codes: readonly string[]): void {
  assert.deepEqual(
    reasonsOf(decision).map((reason) => reason.code),
    codes,
  );
  assert.equal(toJudgement(decision).ok, false);
}

describe('asking the backend', () => {
  it('allows on a genuine verdict', async () => {
    const decision = await decideWith({ verify: async () => key.verdict(genuine) });
    assert.equal(outcomeOf(decision), 'allow');
    assert.equal(toJudgement(decision).ok, true);
  });

  it('asks for this name, digest and policy, under the id that belongs to them', async () => {
    const asked: unknown[] = [];
    await decideWith({
      verify: async ({ workflowId, input }) => {
        asked.push(input);
        assert.match(
          workflowId,
          /^verify\/127\.0\.0\.1:5000\/demo\/app:v1@sha256:(ab){32}\/test-fleet\/c{12}\/\d{4}-\d\d-\d\dT\d\d:\d\d$/,
        );
        assert.equal(input.decisionId, decisionId(workflowId));
        return key.verdict(genuine);
      },
    });
    assert.equal(asked.length, 1);
    assert.partialDeepStrictEqual(asked, [{ ...request, policyRevision: genuine.policyRevision }]);
  });

  it('refuses with the reasons of a denying verdict', async () => {
    const deny = anAllow({ outcome: 'deny', reasons: [{ code: 'UNSIGNED', sentence: 'no signature' }], signers: [] });
    const decision = await decideWith({ verify: async () => key.verdict(deny) });
    assert.equal(outcomeOf(decision), 'deny');
    assertCodes(decision, 'UNSIGNED');
  });

  it('asks afresh when the shared answer was signed by a key that has ended since, and refuses a second such one', async () => {
    const [next, now] = [createTestVerdictKey(), Date.now()];
    const keys = new Map([...key.accepted({ notAfter: now - 60_000 }), ...next.accepted()]);
    const policyHead = async () => aPolicyHead(next, genuine.policyRevision);
    const signers = [key, next];
    const asked: string[] = [];
    const verify = async ({ workflowId }: { workflowId: string }) => {
      asked.push(workflowId);
      return (signers.shift() ?? key).verdict(genuine);
    };
    assert.equal(outcomeOf(await decideWith({ policyHead, verify }, 2_000, keys)), 'allow');
    assert.equal(new Set(asked).size, 2);
    const decision = await decideWith({ policyHead, verify: async () => key.verdict(genuine) }, 2_000, keys);
    assertCodes(decision, 'VERDICT_FORGED');
  });

  it('does not ask by a policy statement whose key is outside its window', async () => {
    const decision = await decideWith({ verify: late }, 1_000, key.accepted({ notAfter: Date.now() - 60_000 }));
    assertCodes(decision, 'POLICY_UNKNOWN');
    assert.match(reasonsOf(decision)[0].sentence, /known to this node and outside its window, which ended at/);
  });

  it('asks afresh when the shared answer is past its time', async () => {
    const old = anAllow({
      outcome: 'deny',
      reasons: [{ code: 'UNSIGNED', sentence: 'no' }],
      signers: [],
      expiresAt: genuine.decidedAt,
    });
    const ids: string[] = [];
    const decision = await decideWith({
      verify: async ({ workflowId }) => {
        ids.push(workflowId);
        return ids.length === 1 ? key.verdict(old) : key.verdict(genuine);
      },
    });
    assert.equal(outcomeOf(decision), 'allow');
    assert.match(ids[1] ?? '', /T\d\d:\d\d:\d0$/);
  });

  const boundary = [
    { at: '22:45:30', before: true, asked: '22:30', what: 'joins the verification of the epoch before' },
    { at: '22:45:30', before: false, asked: '22:45', what: 'starts one when there was none' },
    { at: '22:46:30', before: true, asked: '22:45', what: 'looks at its own epoch only, after a minute' },
  ];
  for (const { at, before, asked, what } of boundary) {
    it(`${what} (${at})`, async (test) => {
      test.mock.timers.enable({ apis: ['Date'], now: Date.parse(`2026-11-23T${at}Z`) });
      const ids: string[] = [];
      const decision = await decideWith({
        exists: async (workflowId) => before && workflowId.endsWith('T22:30'),
        verify: async ({ workflowId }) => {
          ids.push(workflowId);
          return key.verdict(anAllow());
        },
      });
      assert.equal(outcomeOf(decision), 'allow');
      assert.deepEqual(
        ids.map((id) => id.slice(-'22:30'.length)),
        [asked],
      );
    });
  }

  it('refuses when every answer is an expired allow', async () => {
    const old = anAllow({ expiresAt: genuine.decidedAt });
    assertCodes(await decideWith({ verify: async () => key.verdict(old) }), 'VERDICT_EXPIRED');
  });

  it('refuses an answer that is unsigned, forged or about something else', async () => {
    assertCodes(await decideWith({ verify: async () => ({ verdict: genuine }) }), 'VERDICT_UNSIGNED');
    assertCodes(await decideWith({ verify: async () => createTestVerdictKey().verdict(genuine) }), 'VERDICT_FORGED');
    const replayed = anAllow({ name: '127.0.0.1:5000/demo/app:other' });
    assertCodes(await decideWith({ verify: async () => key.verdict(replayed) }), 'VERDICT_MISMATCH');
  });

  it('says that Temporal is unreachable when nothing of it answers', async () => {
    const policyHead = () => Promise.reject(new BackendProblem('TEMPORAL_UNREACHABLE', 'refused'));
    assertCodes(await decideWith({ policyHead }, 800), 'TEMPORAL_UNREACHABLE');
  });

  it('says that Temporal is unreachable when a call to it ends by its deadline, and nobody answers another one', async () => {
    const unreachable = await decideWith({ verify: late });
    assertCodes(unreachable, 'TEMPORAL_UNREACHABLE');
    assert.equal(unreachable.workflowId, undefined);
    assertCodes(await decideWith({ verify: late, exists: async () => false }), 'STILL_VERIFYING');
  });

  it('does not say so when Temporal answers others and is late with this one', async () => {
    const isLate = () => Promise.reject(new BackendProblem('TEMPORAL_REFUSED', 'not in time', undefined, true));
    assertCodes(await decideWith({ verify: late, exists: isLate, checks: isLate }), 'STILL_VERIFYING');
  });

  it('says that no worker answers when the server knows the run and nobody works on it', async () => {
    assertCodes(await decideWith({ verify: late, exists: async () => true }), 'WORKER_UNAVAILABLE');
  });

  it('says what a late verification waits for, and where', async () => {
    const checks = async () => [
      { title: 'policy', state: 'passed', detail: 'demo' } as const,
      { title: 'signatures', state: 'retrying', detail: 'got 503', code: 'REGISTRY_ERROR' } as const,
    ];
    const decision = await decideWith({ verify: late, exists: async () => true, checks });
    assertCodes(decision, 'REGISTRY_ERROR', 'STILL_VERIFYING');
    assert.match(
      toJudgement(decision).reason,
      /^REGISTRY_ERROR: got 503; STILL_VERIFYING: .*verify\/127\.0\.0\.1:5000\/demo\/app:v1@sha256:/,
    );
  });

  it('says that the workflow failed, and asks nobody else', async () => {
    const verify = () =>
      Promise.reject(new BackendProblem('WORKFLOW_FAILED', 'the verification failed: KEY_UNREADABLE'));
    assertCodes(await decideWith({ verify }), 'WORKFLOW_FAILED');
  });

  it('does not ask by a policy head that is unsigned, forged, expired or from the future', async () => {
    const heads: readonly unknown[] = [
      null,
      { policyRevision: genuine.policyRevision },
      aPolicyHead(createTestVerdictKey(), genuine.policyRevision),
      aPolicyHead(key, genuine.policyRevision, { stated: -120_000, expires: -60_000 }),
      aPolicyHead(key, genuine.policyRevision, { stated: 60_000, expires: 120_000 }),
      aPolicyHead(key, 'not a revision'),
    ];
    for (const head of heads) {
      const verify = () => assert.fail('asked by an unbelievable policy head');
      assertCodes(await decideWith({ policyHead: async () => head, verify }, 700), 'POLICY_UNKNOWN');
    }
  });

  it('never goes back to an older policy head, even when the newer one has ended', async () => {
    const answers = [
      aPolicyHead(key, 'd'.repeat(64), { stated: 0, expires: 200 }),
      aPolicyHead(key, genuine.policyRevision, { stated: -30_000, expires: 30_000 }),
    ];
    const revisions: string[] = [];
    const backend = createTestBackend({ policyHead: async () => answers.shift() ?? answers.at(-1) ?? null });
    const policy = watchPolicy(
      backend,
      () => own,
      (head) => void revisions.push(head.policyRevision),
      { fleet: TEST_FLEET },
    );
    const first = await policy.current(Date.now() + 1_000);
    await new Promise((resolve) => setTimeout(resolve, 250));
    const second = await policy.current(Date.now() + 600);
    policy.stop();
    assert.deepEqual(first, { ok: true, policyRevision: 'd'.repeat(64) });
    assert.equal(second.ok, false);
    assert.deepEqual(revisions, ['d'.repeat(64)]);
  });
});
