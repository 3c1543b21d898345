import { setTimeout as delay } from 'node:timers/promises';
import { Client, Connection, type WorkflowExecutionInfo } from '@temporalio/client';
import proto from '@temporalio/proto';
import { inTurn } from './rounds.ts';
import type { Stage } from './stage.ts';
import { findMetrics, perOperation, readStoreWrites, type StoreWrites } from './store-writes.ts';
import { timeSuccess } from './timed-exec.ts';

const REPOSITORY = 'demo/cost';
/** The visibility store lags behind the runs that it lists. */
const VISIBLE_MS = 30_000;
const POLL_MS = 200;

/** What an allowed verification costs Temporal. */
export interface WorkflowCost {
  readonly verifications: number;
  readonly historyEvents: { readonly min: number; readonly max: number };
  /** Of one run, in order. */
  readonly eventTypes: readonly string[];
  /** Per verification. */
  readonly storeWrites: StoreWrites;
  readonly storeWritesTotal: number;
}

/** Verifies one signed image under as many names, one after the other. */
export async function measureWorkflowCost(stage: Stage, verifications: number): Promise<WorkflowCost> {
  const { temporal, registry } = stage.house;
  const { digest } = await stage.signedImage(REPOSITORY, 'signed');
  const metricsUrl = await findMetrics(temporal.log);
  const before = await readStoreWrites(metricsUrl, temporal.namespace);
  await inTurn(verifications, (round) =>
    timeSuccess(stage.launcher({ name: `${registry.address}/${REPOSITORY}:v${round}`, digest })),
  );
  // A verdict is out before its run is closed; listing the closed runs waits for the last writes.
  const runs = await closedRuns(temporal.address, `${registry.address}/${REPOSITORY}`, verifications);
  const after = await readStoreWrites(metricsUrl, temporal.namespace);
  const storeWrites = perOperation((operation) => (after[operation] - before[operation]) / verifications);
  return {
    verifications,
    historyEvents: { min: Math.min(...runs.lengths), max: Math.max(...runs.lengths) },
    eventTypes: runs.eventTypes,
    storeWrites,
    storeWritesTotal: Object.values(storeWrites).reduce((total, writes) => total + writes, 0),
  };
}

interface ClosedRuns {
  readonly lengths: readonly number[];
  readonly eventTypes: readonly string[];
}

async function closedRuns(address: string, repository: string, expected: number): Promise<ClosedRuns> {
  const connection = await Connection.connect({ address });
  try {
    const client = new Client({ connection });
    const query = `WorkflowType = 'verifyImage' AND ExecutionStatus = 'Completed' AND ImageRepository = '${repository}'`;
    const until = Date.now() + VISIBLE_MS;
    for (;;) {
      const runs: WorkflowExecutionInfo[] = [];
      for await (const run of client.workflow.list({ query })) runs.push(run);
      const [first] = runs;
      if (first !== undefined && runs.length >= expected) {
        const history = await client.workflow.getHandle(first.workflowId, first.runId).fetchHistory();
        return { lengths: runs.map((run) => run.historyLength), eventTypes: typesOf(history.events ?? []) };
      }
      if (Date.now() > until)
        throw new Error(`expected ${expected} closed runs of ${repository}, found ${runs.length}`);
      await delay(POLL_MS);
    }
  } finally {
    await connection.close();
  }
}

type HistoryEvent = proto.temporal.api.history.v1.IHistoryEvent;

/** As the Temporal UI names them: `WorkflowExecutionStarted`. */
function typesOf(events: readonly HistoryEvent[]): readonly string[] {
  return events.map(({ eventType }) => {
    const name = proto.temporal.api.enums.v1.EventType[eventType ?? 0] ?? 'unknown';
    return name
      .replace('EVENT_TYPE_', '')
      .toLowerCase()
      .replaceAll(/(?:^|_)([a-z])/g, (_match, letter: string) => letter.toUpperCase());
  });
}
