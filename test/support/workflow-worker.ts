import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import {
  bundleWorkflowCode,
  DefaultLogger,
  NativeConnection,
  Runtime,
  Worker,
  type WorkflowBundle,
} from '@temporalio/worker';
import type { Backend } from '../../shim/backend/backend.ts';
import { connectBackend } from '../../shim/backend/temporal.ts';
import type { Activities } from '../../workflows/activities.ts';

let installed = false;
let bundle: Promise<WorkflowBundle> | undefined;

/** The workflows of this checkout, bundled once for a test file. */
export function workflowBundle(): Promise<WorkflowBundle> {
  bundle ??= bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('../../workflows/index.ts', import.meta.url)),
    logger: new DefaultLogger('ERROR'),
  });
  return bundle;
}

export interface WorkflowWorker {
  readonly taskQueue: string;
  /** A node's view of this task queue. */
  readonly backend: Backend;
  stop(): Promise<void>;
}

/** Runs the workflows with the given activities on a task queue of their own, against the server at `address`. */
export async function startWorkflowWorker(
  address: string,
  activities: Activities,
  cachedWorkflows = 100,
): Promise<WorkflowWorker> {
  if (!installed) Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [] });
  installed = true;
  process.env['TEMPORAL_ADDRESS'] = address;
  const taskQueue = `test-${randomUUID()}`;
  const connection = await NativeConnection.connect({ address });
  const worker = await Worker.create({
    connection,
    taskQueue,
    workflowBundle: await workflowBundle(),
    activities,
    maxCachedWorkflows: cachedWorkflows,
  });
  const running = worker.run();
  const backend = connectBackend(taskQueue);
  return {
    taskQueue,
    backend,
    async stop() {
      worker.shutdown();
      await running;
      await backend.close();
      await connection.close();
    },
  };
}
