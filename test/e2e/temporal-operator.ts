import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Worker } from '@temporalio/worker';
import { obtain } from '../../infra/tools/obtain.ts';
import { isRecord } from '../../workflows/format/record.ts';
import type { impersonate } from './impostor-workflow.ts';

const execute = promisify(execFile);
const PATIENCE_MS = 60_000;

/** A run of a verification. */
export interface Run {
  readonly workflowId: string;
  readonly runId: string;
}

/** An activity that waits for its next attempt, and may be completed by hand. */
export interface PendingActivity {
  readonly id: string;
  readonly type: string;
}

/** Somebody with all rights in the Temporal namespace, and with none on nodes, workers and registries. */
export interface Operator {
  /** Runs the Temporal CLI. Rejects with what it said. */
  cli(...args: readonly string[]): Promise<string>;
  /** The newest run about a digest. */
  runOf(digest: string): Promise<Run>;
  /** The newest run under an id. */
  latest(workflowId: string): Promise<Run>;
  /** What the run answered; rejects when it failed. */
  resultOf(run: Run): Promise<unknown>;
  /** Ids of the events in the history of a run to which it can be reset. */
  resetPoints(run: Run): Promise<readonly string[]>;
  isRunning(run: Run): Promise<boolean>;
  pending(run: Run): Promise<readonly PendingActivity[]>;
  /** Completes activities of a run by hand, each type with its result, until all were or the run has ended; answers which. */
  forge(run: Run, results: Readonly<Record<string, unknown>>): Promise<readonly string[]>;
  /** Starts a workflow of the operator's own that answers a node with `answer`. */
  impersonate(workflowId: string, answer: unknown): Promise<void>;
  stop(): Promise<void>;
}

/** A signature as an activity names it. */
export interface ListedSignature {
  readonly format: 'bundle';
  readonly place: 'referrers';
  readonly source: object;
  readonly manifest: string;
  readonly blob: string;
}

/** The first signature that a registry lists for an image of `registry/repository`, as an activity would name it. */
export async function listedSignature(repository: string, digest: string): Promise<ListedSignature> {
  const place = `http://${repository.replace('/', '/v2/')}`;
  const manifest = await firstDigest(`${place}/referrers/${digest}`, 'manifests');
  const blob = await firstDigest(`${place}/manifests/${manifest}`, 'layers');
  return { format: 'bundle', place: 'referrers', source: {}, manifest, blob };
}

async function firstDigest(url: string, list: string): Promise<string> {
  const found: unknown = await (await fetch(url)).json();
  const [first]: unknown[] = isRecord(found) && Array.isArray(found[list]) ? found[list] : [];
  if (!isRecord(first) || typeof first['digest'] !== 'string') throw new Error(`expected ${list} at ${url}`);
  return first['digest'];
}

/** Connects to the server at `address`, and runs a worker of the operator's own there. */
export async function startOperator(address: string): Promise<Operator> {
  const { temporal } = await obtain(['temporal']);
  const connection = await NativeConnection.connect({ address });
  const taskQueue = `operator-${randomUUID()}`;
  const workflowsPath = fileURLToPath(new URL('impostor-workflow.ts', import.meta.url));
  const workflowBundle = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') });
  const worker = await Worker.create({ connection, taskQueue, workflowBundle });
  const running = worker.run();
  const client = new Client({ connection: await Connection.connect({ address }) });
  const handle = ({ workflowId, runId }: Run) => client.workflow.getHandle(workflowId, runId);
  const isRunning = async (run: Run) => (await handle(run).describe()).status.name === 'RUNNING';
  async function pending(run: Run): Promise<readonly PendingActivity[]> {
    const { pendingActivities } = (await handle(run).describe()).raw;
    return (pendingActivities ?? []).map(({ activityId, activityType }) => ({
      id: activityId ?? '',
      type: activityType?.name ?? '',
    }));
  }
  return {
    async cli(...args) {
      return await execute(temporal, [...args, '--address', address]).then(
        ({ stdout }) => stdout,
        ({ stdout, stderr }: { stdout: string; stderr: string }) => {
          throw new Error(`${stdout}\n${stderr}`);
        },
      );
    },
    async runOf(digest) {
      for (const end = Date.now() + PATIENCE_MS; Date.now() < end; await delay(100)) {
        // newest first, as visibility lists them
        for await (const run of client.workflow.list({ query: 'WorkflowType = "verifyImage"' })) {
          if (run.workflowId.includes(`@${digest}/`)) return run;
        }
      }
      throw new Error(`expected a run about ${digest}`);
    },
    async latest(workflowId) {
      const { runId } = await client.workflow.getHandle(workflowId).describe();
      return { workflowId, runId };
    },
    resultOf: (run) => handle(run).result(),
    async resetPoints(run) {
      const { events } = await handle(run).fetchHistory();
      // EVENT_TYPE_WORKFLOW_TASK_COMPLETED
      return (events ?? []).filter(({ eventType }) => eventType === 7).map(({ eventId }) => String(eventId));
    },
    isRunning,
    pending,
    async forge({ workflowId, runId }, results) {
      const completed = new Set<string>();
      const isDone = () => Object.keys(results).every((type) => completed.has(type));
      for (const end = Date.now() + PATIENCE_MS; !isDone() && Date.now() < end; await delay(50)) {
        if (!(await isRunning({ workflowId, runId }))) break;
        for (const { id, type } of await pending({ workflowId, runId })) {
          if (!Object.hasOwn(results, type)) continue;
          const completing = client.activity.complete({ workflowId, runId, activityId: id }, results[type]);
          await completing.then(
            () => completed.add(type),
            () => {}, // an attempt began or ended at this moment
          );
        }
      }
      return [...completed];
    },
    async impersonate(workflowId, answer) {
      const workflowIdConflictPolicy = 'TERMINATE_EXISTING';
      const args: [unknown] = [answer];
      await client.workflow.start<typeof impersonate>('impersonate', {
        ...{ taskQueue, workflowId, workflowIdConflictPolicy, args },
      });
    },
    async stop() {
      worker.shutdown();
      await running;
      await connection.close();
      await client.connection.close();
    },
  };
}
