import { askBackend } from '../../shim/backend/ask.ts';
import { watchPolicy } from '../../shim/backend/policy-watch.ts';
import { type Decision, reasonsOf } from '../../shim/decision.ts';
import type { Activities } from '../../workflows/activities.ts';
import { createTestActivities } from './evidence.ts';
import { createTestVerdictKey, digestOf, TEST_FLEET } from './verdicts.ts';
import { startWorkflowWorker } from './workflow-worker.ts';

/** The image that a test's node asks about. */
export const TEST_DIGEST = digestOf('ab');

/** Signs the verdicts of a test's workflows. */
export const testVerdictKey = createTestVerdictKey();

const keys = testVerdictKey.accepted();

/** A node that asks about one image. */
export interface Asking {
  ask(budgetMs?: number): Promise<Decision>;
}

/** A node and a worker whose activities are bent by `changes`, for the length of `body`. */
export async function withWorker(
  address: string,
  changes: Partial<Activities>,
  body: (node: Asking) => Promise<void>,
  cachedWorkflows?: number,
): Promise<void> {
  const worker = await startWorkflowWorker(address, createTestActivities(testVerdictKey, changes), cachedWorkflows);
  const policy = watchPolicy(
    worker.backend,
    () => keys,
    () => {},
    { fleet: TEST_FLEET },
  );
  // one image for each test: they share a server, and the point of the design is that equal questions share an answer
  const own = { name: `127.0.0.1:5000/${worker.taskQueue}:v1`, digest: TEST_DIGEST };
  const gate = { backend: worker.backend, policy, keys: () => keys, fleet: TEST_FLEET, node: 'test-node' };
  try {
    await body({ ask: (budgetMs = 5_000) => askBackend(gate, own, { deadline: Date.now() + budgetMs }) });
  } finally {
    policy.stop();
    await worker.stop();
  }
}

/** The codes of a decision, the decisive one first. */
export function codesOf(decision: Decision): readonly string[] {
  return reasonsOf(decision).map((reason) => reason.code);
}
