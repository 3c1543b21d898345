import { type Client, WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { parseChecks } from '../workflows/checklist.ts';
import { CHECKS_QUERY } from '../workflows/handlers.ts';
import type { RunState } from './backend.ts';

/** Runs of one decision that are shown. */
const MAX_RUNS = 20;

/** The runs of one decision, newest first. Rejects as the client does. */
export async function findRuns(client: Client, decisionId: string): Promise<readonly RunState[]> {
  const runs: RunState[] = [];
  for await (const run of client.workflow.list({ query: `DecisionId = '${decisionId}'`, pageSize: MAX_RUNS })) {
    const { workflowId, runId, status, startTime: startedAt } = run;
    const handle = client.workflow.getHandle(workflowId, runId);
    // a running one has no result yet, and without a worker nobody tells its checks
    const checks = await handle.query(CHECKS_QUERY).then(parseChecks, () => []);
    const ended = status.name === 'RUNNING' ? {} : await endOf(handle);
    runs.push({ workflowId, runId, status: status.name, startedAt, checks, ...ended });
    if (runs.length === MAX_RUNS) break;
  }
  return runs.toSorted((a, b) => b.startedAt.getTime() - a.startedAt.getTime());
}

async function endOf(handle: WorkflowHandle): Promise<{ readonly result: unknown } | { readonly failure: string }> {
  try {
    return { result: await handle.result() };
  } catch (error) {
    const cause = error instanceof WorkflowFailedError && error.cause !== undefined ? error.cause : error;
    return { failure: cause instanceof Error ? cause.message : String(cause) };
  }
}
