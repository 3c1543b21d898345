import { parseChecks } from '../../workflows/checklist.ts';
import { CHECKS_QUERY } from '../../workflows/handlers.ts';
import type { RunState } from './backend.ts';

/** Runs of one decision that are shown. */
export const MAX_RUNS = 20;

/** A run as Temporal lists it. */
interface ListedRun {
  readonly workflowId: string;
  readonly runId: string;
  readonly status: { readonly name: string };
  readonly startTime: Date;
}

/** How one run is asked. */
interface RunHandle {
  query(name: string): Promise<unknown>;
  result(): Promise<unknown>;
}

/** What at most {@link MAX_RUNS} runs show, newest first. Rejects when they can't be listed. */
export async function describeRuns(
  listed: AsyncIterable<ListedRun>,
  handleOf: (run: ListedRun) => RunHandle,
): Promise<readonly RunState[]> {
  const runs: RunState[] = [];
  for await (const run of listed) {
    const { workflowId, runId, status, startTime: startedAt } = run;
    const handle = handleOf(run);
    // a running one has no result yet, and without a worker nobody tells its checks
    const checks = await handle.query(CHECKS_QUERY).then(parseChecks, () => []);
    const ended = status.name === 'RUNNING' ? {} : await endOf(handle);
    runs.push({ workflowId, runId, status: status.name, startedAt, checks, ...ended });
    if (runs.length === MAX_RUNS) break;
  }
  return runs.toSorted((a, b) => b.startedAt.getTime() - a.startedAt.getTime());
}

async function endOf(handle: RunHandle): Promise<{ readonly result: unknown } | { readonly failure: string }> {
  try {
    return { result: await handle.result() };
  } catch (error) {
    // The client wraps what the workflow said in an error whose own message names only the call.
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return { failure: cause instanceof Error ? cause.message : String(cause) };
  }
}
