import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { outcomeOf, reasonsOf } from '../../shim/decision.ts';
import type { Activities, SignatureSource } from '../../workflows/activities.ts';
import { type DevServer, startDevServer } from '../support/dev-server.ts';
import { createTestActivities, lasting, passing } from '../support/evidence.ts';
import { codesOf, TEST_DIGEST, testVerdictKey, withWorker } from '../support/workflow-node.ts';

let server: DevServer;
before(async () => {
  server = await startDevServer();
});
after(() => server.stop());

// Once with the cache of a production worker, and once replaying the history at every step.
for (const cachedWorkflows of [100, 0]) {
  describe(`verifyImage, ${cachedWorkflows === 0 ? 'replayed at every step' : 'cached'}`, () => {
    it('allows what the activities prove', async () => {
      await withWorker(
        server.address,
        {},
        async ({ ask }) => {
          const decision = await ask();
          assert.equal(outcomeOf(decision), 'allow');
          assert.deepEqual(codesOf(decision), ['SIGNATURE_VERIFIED']);
        },
        cachedWorkflows,
      );
    });

    it('answers a lasting inability at once, as inconclusive', async () => {
      const fetchSignatures = () => Promise.reject(lasting('REGISTRY_UNAUTHORIZED', 'got 401'));
      await withWorker(
        server.address,
        { fetchSignatures },
        async ({ ask }) => {
          const decision = await ask();
          assert.equal(outcomeOf(decision), 'inconclusive');
          assert.deepEqual(codesOf(decision), ['REGISTRY_UNAUTHORIZED']);
          assert.equal(decision.by, 'verdict');
        },
        cachedWorkflows,
      );
    });

    it('goes on by itself after the caller has gone, and the next pull finds its answer', async () => {
      let down = true;
      const { fetchSignatures } = createTestActivities(testVerdictKey);
      const flaky: Activities['fetchSignatures'] = (asked) =>
        down ? Promise.reject(passing('REGISTRY_ERROR', 'got 503')) : fetchSignatures(asked);
      await withWorker(
        server.address,
        { fetchSignatures: flaky },
        async ({ ask }) => {
          const first = await ask(2_500);
          assert.deepEqual(codesOf(first), ['REGISTRY_ERROR', 'STILL_VERIFYING']);
          down = false;
          const second = await ask();
          assert.equal(outcomeOf(second), 'allow');
          assert.equal(second.workflowId, first.workflowId);
        },
        cachedWorkflows,
      );
    });
  });
}

describe('verifyImage', () => {
  it('is one execution for a hundred simultaneous callers', async () => {
    let fetched = 0;
    const { fetchSignatures } = createTestActivities(testVerdictKey);
    const counted: Activities['fetchSignatures'] = (asked) => {
      fetched++;
      return fetchSignatures(asked);
    };
    await withWorker(server.address, { fetchSignatures: counted }, async ({ ask }) => {
      const decisions = await Promise.all(Array.from({ length: 100 }, () => ask(8_000)));
      assert.deepEqual(new Set(decisions.map(outcomeOf)), new Set(['allow']));
      assert.equal(new Set(decisions.map((decision) => decision.workflowId)).size, 1);
      assert.equal(fetched, 1);
    });
  });

  it('shows in the UI what was decided and why', async () => {
    await withWorker(server.address, {}, async ({ ask }) => {
      const decision = await ask();
      const described = await server.client.workflow.getHandle(String(decision.workflowId)).describe();
      const attributes = Object.fromEntries(
        described.typedSearchAttributes.getAll().map(({ key: attribute, value }) => [attribute.name, value]),
      );
      assert.partialDeepStrictEqual(attributes, {
        ImageDigest: TEST_DIGEST,
        Verdict: 'allow',
        ReasonCode: 'SIGNATURE_VERIFIED',
        Signer: `key sha256:${'12'.repeat(32)}`,
        PolicyRevision: 'c'.repeat(64),
        Node: 'test-node',
      });
      assert.match((await described.staticDetails()) ?? '', /sha256:abab/);
    });
  });

  it('shows while it runs what it is waiting for', async () => {
    const fetchSignatures = () => Promise.reject(passing('REGISTRY_ERROR', 'got `503`'));
    await withWorker(server.address, { fetchSignatures }, async ({ ask }) => {
      const { workflowId } = await ask(2_000);
      const handle = server.client.workflow.getHandle(String(workflowId));
      const { currentDetails } = await handle.query<{ currentDetails: string }>('__temporal_workflow_metadata');
      assert.match(currentDetails, /🔁 `signatures`: \*\*REGISTRY_ERROR\*\* `got '503'`/);
      const { raw } = await handle.describe();
      const [pending] = raw.pendingActivities ?? [];
      assert.equal(pending?.activityType?.name, 'fetchSignatures');
      assert.equal(pending?.lastFailure?.message, 'got `503`');
      await handle.terminate('the test is over');
    });
  });

  it('keeps its history small and free of evidence', async () => {
    await withWorker(server.address, {}, async ({ ask }) => {
      const decision = await ask();
      const { events } = await server.client.workflow.getHandle(String(decision.workflowId)).fetchHistory();
      // 7 that every update-with-start writes, one for each of the 5 checks, one for the search attributes
      assert.equal(events?.length, 13);
    });
  });

  it('refuses without asking the registry when no policy matches', async () => {
    const resolvePolicy = async () => ({ loaded: 3, matching: [] });
    const fetchSignatures = () => assert.fail('asked the registry');
    await withWorker(server.address, { resolvePolicy, fetchSignatures }, async ({ ask }) => {
      assert.deepEqual(codesOf(await ask()), ['NO_MATCHING_POLICY']);
    });
  });

  for (const wanted of [{ everyPart: true }, {}] as const) {
    const isWanted = 'everyPart' in wanted;
    it(`${isWanted ? 'does not decide' : 'allows'} while one of two sources gives no answer, where ${isWanted ? 'all evidence is wanted' : 'some is enough'}`, async () => {
      const sources: readonly SignatureSource[] = [wanted, { repository: 'registry.example/elsewhere', ...wanted }];
      const resolvePolicy: Activities['resolvePolicy'] = async () => ({
        loaded: 1,
        matching: [{ name: 'demo', mode: 'enforce', authorities: [{ policy: 'demo', authority: 'release', sources }] }],
      });
      const usual = createTestActivities(testVerdictKey);
      const fetchSignatures: Activities['fetchSignatures'] = (asked) =>
        asked.source.repository === undefined
          ? usual.fetchSignatures(asked)
          : Promise.reject(lasting('REGISTRY_UNAUTHORIZED', 'got 401'));
      await withWorker(server.address, { resolvePolicy, fetchSignatures }, async ({ ask }) => {
        const decision = await ask();
        assert.equal(outcomeOf(decision), isWanted ? 'inconclusive' : 'allow');
        assert.deepEqual(codesOf(decision), [isWanted ? 'REGISTRY_UNAUTHORIZED' : 'SIGNATURE_VERIFIED']);
      });
    });
  }

  it('forgets a deny after ten seconds', async () => {
    let signed = false;
    const { fetchSignatures } = createTestActivities(testVerdictKey);
    const later: Activities['fetchSignatures'] = async (asked) =>
      signed ? await fetchSignatures(asked) : { signatures: [], unreadable: [] };
    await withWorker(server.address, { fetchSignatures: later }, async ({ ask }) => {
      assert.deepEqual(codesOf(await ask()), ['UNSIGNED']);
      signed = true;
      assert.deepEqual(codesOf(await ask()), ['UNSIGNED']);
      await new Promise((resolve) => setTimeout(resolve, 10_500));
      assert.equal(outcomeOf(await ask()), 'allow');
    });
  });

  it('fails and stores no answer when the verdict cannot be signed, and the next pull starts afresh', async () => {
    let broken = true;
    const { signVerdict } = createTestActivities(testVerdictKey);
    const flaky: Activities['signVerdict'] = (asked) =>
      broken ? Promise.reject(lasting('KEY_UNREADABLE', 'no key')) : signVerdict(asked);
    await withWorker(server.address, { signVerdict: flaky }, async ({ ask }) => {
      const first = await ask();
      assert.deepEqual(codesOf(first), ['WORKFLOW_FAILED']);
      assert.match(reasonsOf(first)[0].sentence, /KEY_UNREADABLE: no key/);
      broken = false;
      assert.equal(outcomeOf(await ask()), 'allow');
    });
  });

  it('keeps the gate shut when an activity answers nonsense', async () => {
    // @ts-expect-error: what a server or a worker of another version could send
    const verifySignature: Activities['verifySignature'] = async () => ({ satisfied: 'yes' });
    await withWorker(server.address, { verifySignature }, async ({ ask }) => {
      assert.notEqual(outcomeOf(await ask()), 'allow');
    });
  });
});
