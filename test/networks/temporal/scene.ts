import assert from 'node:assert/strict';
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { connectTemporal, type WorkerLink } from '../../../activities/temporal-link.ts';
import { type Backend, BackendProblem } from '../../../shim/backend/backend.ts';
import { connectBackend } from '../../../shim/backend/temporal.ts';
import type { Log } from '../../../shim/log/log.ts';
import type { ProxyEnvironment } from '../../../workflows/format/proxy.ts';
import { createTestActivities } from '../../support/evidence.ts';
import { createTestVerdictKey } from '../../support/verdicts.ts';
import { workflowBundle } from '../../support/workflow-worker.ts';

export type Environment = Readonly<Record<string, string>>;

/** Leaves only these variables of those that count for Temporal. They stay until the next call: links read them again and again. */
export function setEnvironment(environment: Environment): void {
  for (const name of Object.keys(process.env)) {
    if (/^TEMPORAL_|proxy$/i.test(name)) delete process.env[name];
  }
  Object.assign(process.env, { TEMPORAL_CONFIG_FILE: '/no/such/file', ...environment });
}

let installed = false;

/** Once per process. */
export function quietRuntime(): void {
  if (!installed) Runtime.install({ shutdownSignals: [], logger: new DefaultLogger('ERROR') });
  installed = true;
}

/** What both programs do with Temporal, in this process, by the variables of the moment. */
export interface Programs {
  readonly shim: Backend;
  /** What they logged, as JSON. */
  readonly logged: readonly string[];
  stop(): Promise<void>;
}

/** A worker that is connected as `portcullis worker` is, and a node's client. Rejects when the worker does not connect. */
export async function startPrograms(taskQueue: string, proxies: ProxyEnvironment = process.env): Promise<Programs> {
  quietRuntime();
  const logged: string[] = [];
  const stop = new AbortController();
  const link = await connectTemporal(
    proxies,
    (level, message, fields) => void logged.push(JSON.stringify({ by: 'worker', level, message, ...fields })),
    stop.signal,
  );
  if (link === undefined) throw new Error('expected a connection, found none');
  const worker = await startWorker(link, taskQueue);
  const line =
    (level: string): Log['info'] =>
    (message, fields) =>
      void logged.push(JSON.stringify({ by: 'shim', level, message, ...fields }));
  const shim = connectBackend(taskQueue, {
    proxies,
    log: { info: line('info'), warn: line('warn'), error: line('error') },
  });
  return {
    shim,
    logged,
    async stop() {
      await shim.close();
      await worker.stop();
      await link.close();
    },
  };
}

async function startWorker(link: WorkerLink, taskQueue: string): Promise<{ stop(): Promise<void> }> {
  const worker = await Worker.create({
    connection: link.connection,
    namespace: link.namespace,
    taskQueue,
    workflowBundle: await workflowBundle(),
    stickyQueueScheduleToStartTimeout: '1s',
    activities: createTestActivities(createTestVerdictKey()),
  });
  const running = worker.run();
  link.follow((connection) => {
    worker.connection = connection;
  });
  return {
    async stop() {
      worker.shutdown();
      await running;
    },
  };
}

/** What the shim says of a Temporal that it can't use, by the variables of the moment. */
export async function whatShimSays(): Promise<{ readonly code: string; readonly message: string }> {
  const backend = connectBackend('nobody');
  try {
    const asked = backend.exists('verify/x', Date.now() + 1_200);
    const error = await asked.then(
      () => undefined,
      (problem: unknown) => problem,
    );
    assert.ok(error instanceof BackendProblem, `expected a problem, found ${String(error)}`);
    return error;
  } finally {
    await backend.close();
  }
}

/** The first line that a worker logs instead of connecting. */
export async function whatWorkerSays(): Promise<string> {
  const stop = new AbortController();
  const said = Promise.withResolvers<string>();
  const running = connectTemporal(
    process.env,
    (level, message, fields) => {
      assert.deepEqual([level, message], ['warn', 'Temporal is not there yet']);
      said.resolve('error' in fields ? String(fields.error) : '');
      stop.abort();
    },
    stop.signal,
  );
  const link = await running;
  if (link === undefined) return await said.promise;
  await link.close();
  throw new Error('expected no connection, found one');
}

export type Files = Readonly<Record<string, string>>;

/** How files are renewed: as a script does, as certbot and Vault's agent do, and as a kubelet does. */
export const WAYS = ['in place', 'by rename', 'by the symlink of a kubelet'] as const;

/** A folder whose files are renewed in one of these ways. */
export interface RenewedFolder {
  path(name: string): string;
  write(files: Files): Promise<void>;
}

export function renewedFolder(folder: string, way: (typeof WAYS)[number]): RenewedFolder {
  let generation = 0;
  const path = (name: string) => join(folder, name);
  async function switchData(files: Files): Promise<void> {
    generation += 1;
    const data = `..generation-${generation}`;
    await mkdir(path(data));
    for (const [name, content] of Object.entries(files)) await writeFile(path(join(data, name)), content);
    await symlink(data, path('..data_tmp'));
    await rename(path('..data_tmp'), path('..data'));
    if (generation > 1) return await rm(path(`..generation-${generation - 1}`), { recursive: true });
    for (const name of Object.keys(files)) await symlink(join('..data', name), path(name));
  }
  return {
    path,
    async write(files) {
      if (way === 'by the symlink of a kubelet') return await switchData(files);
      for (const [name, content] of Object.entries(files)) {
        if (way === 'in place') await writeFile(path(name), content);
        else {
          await writeFile(path(`${name}.new`), content);
          await rename(path(`${name}.new`), path(name));
        }
      }
    },
  };
}

/** Waits for something, at most so many ms. */
export async function eventually(what: string, isSo: () => boolean, ms = 15_000): Promise<number> {
  const begun = performance.now();
  while (!isSo()) {
    if (performance.now() - begun > ms) throw new Error(`expected ${what} within ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return Math.round(performance.now() - begun);
}
