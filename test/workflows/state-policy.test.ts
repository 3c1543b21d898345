import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { watchPolicy } from '../../shim/backend/policy-watch.ts';
import { type DevServer, startDevServer } from '../support/dev-server.ts';
import { createTestActivities, lasting, TEST_REVISION } from '../support/evidence.ts';
import { createTestVerdictKey, TEST_FLEET } from '../support/verdicts.ts';
import { startWorkflowWorker } from '../support/workflow-worker.ts';

const key = createTestVerdictKey();
const keys = key.accepted();

let server: DevServer;
before(async () => {
  server = await startDevServer();
});
after(() => server.stop());

describe('statePolicy', () => {
  it('is started by whichever node comes first, and one run serves them all', async () => {
    const worker = await startWorkflowWorker(server.address, createTestActivities(key));
    try {
      const nodes = [1, 2, 3].map(() =>
        watchPolicy(
          worker.backend,
          () => keys,
          () => {},
          { fleet: TEST_FLEET },
        ),
      );
      const known = await Promise.all(nodes.map((node) => node.current(Date.now() + 5_000)));
      for (const node of nodes) node.stop();
      assert.deepEqual(
        known,
        [1, 2, 3].map(() => ({ ok: true, policyRevision: TEST_REVISION })),
      );
      const described = await server.client.workflow.getHandle(`policy/${worker.taskQueue}`).describe();
      assert.equal(described.status.name, 'RUNNING');
    } finally {
      await worker.stop();
    }
  });

  it('is started again after somebody ended it by hand', async () => {
    const worker = await startWorkflowWorker(server.address, createTestActivities(key));
    try {
      await worker.backend.policyHead(Date.now() + 5_000);
      const handle = server.client.workflow.getHandle(`policy/${worker.taskQueue}`);
      const first = await handle.describe();
      await handle.terminate('by hand');
      const policy = watchPolicy(
        worker.backend,
        () => keys,
        () => {},
        { fleet: TEST_FLEET },
      );
      const known = await policy.current(Date.now() + 5_000);
      policy.stop();
      assert.deepEqual(known, { ok: true, policyRevision: TEST_REVISION });
      assert.notEqual((await handle.describe()).runId, first.runId);
    } finally {
      await worker.stop();
    }
  });

  it('runs on when the policy can not be stated, and says so', async () => {
    const describePolicy = () => Promise.reject(lasting('KEY_UNREADABLE', 'the verdict key did not sign'));
    const worker = await startWorkflowWorker(server.address, createTestActivities(key, { describePolicy }));
    try {
      assert.equal(await worker.backend.policyHead(Date.now() + 5_000), null);
      const handle = server.client.workflow.getHandle(`policy/${worker.taskQueue}`);
      const { currentDetails } = await handle.query<{ currentDetails: string }>('__temporal_workflow_metadata');
      assert.match(currentDetails, /could not be stated: .*the verdict key did not sign/);
      assert.equal((await handle.describe()).status.name, 'RUNNING');
    } finally {
      await worker.stop();
    }
  });
});
