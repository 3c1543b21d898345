import { access } from 'node:fs/promises';
import { DefaultLogger, makeTelemetryFilterString, Runtime, Worker } from '@temporalio/worker';
import { plainJson } from '../workflows/format/plain-text.ts';
import type { ProxyEnvironment } from '../workflows/format/proxy.ts';
import { DURABLE_ATTEMPT_MS } from '../workflows/verdict/deadlines.ts';
import { createActivities } from './activities.ts';
import { createConnections, useConnections } from './http/connections.ts';
import { createNameLookup } from './http/name-lookup.ts';
import { prepareJudging } from './judging/judge-pool.ts';
import { MAX_DURABLE_CHECKS, MAX_VERIFICATIONS } from './limits.ts';
import { createResources } from './resources.ts';
import { connectTemporal } from './temporal-link.ts';
import { openVerdictKey } from './verdict-key/open.ts';
import { installWithMetrics } from './worker-metrics.ts';

export interface WorkerOptions {
  /** Directory of policy documents. */
  readonly policy: string;
  /** Other users may change that directory. */
  readonly sharedPolicy: boolean;
  /** The verdict signing key: a PEM file, or the URI of a key in a KMS. */
  readonly verdictKey: string;
  /** Directory for what has to survive a restart: trust roots, and the newest checkpoint of each log. */
  readonly state: string | undefined;
  readonly taskQueue: string;
  /** The fleet that statements and verdicts are signed for: nodes of another one do not use them. */
  readonly fleet: string;
  /** Registries that are spoken to by plain HTTP besides the loopback ones, as `host[:port]`. */
  readonly plainHttp: readonly string[];
  /** Hosts, addresses and ranges that registries may lead to although they are internal. */
  readonly allowInternal: readonly string[];
  /** Folders of `hosts.toml` files, as containerd's `config_path` has them; the first that knows a registry counts. */
  readonly registryHosts: readonly string[];
  /** Programs that know registry credentials, as a kubelet has them. */
  readonly credentialProviders: { readonly config: string; readonly binDir: string } | undefined;
  /** The variables that name proxies; an empty object switches proxies off. */
  readonly proxies: ProxyEnvironment;
  /** The largest layer of evidence that is read, in bytes; {@link DEFAULT_EVIDENCE_BYTES} without it. */
  readonly maxEvidenceBytes?: number;
  /** The workflow bundle, made by `npm run build` with the same SDK. */
  readonly workflowBundle: string;
  /** `ip:port` where Prometheus scrapes /metrics; `undefined` serves none. */
  readonly metrics: string | undefined;
}

/** A verification runs up to two fast checks at once. */
const FAST_CHECKS_AT_ONCE = 2 * MAX_VERIFICATIONS;

/**
 * Runs a worker until `signal` fires. Comes up with an invalid policy, and then answers every verification with the
 * first problem; comes up before Temporal, and waits for it. Throws, with what to do, when the verdict key or the
 * workflow bundle can't be read, or the KMS that holds the key doesn't sign.
 */
export async function runWorker(options: WorkerOptions, signal: AbortSignal): Promise<void> {
  let runtime: Runtime | undefined;
  const install = (metrics: string | undefined) => {
    runtime = installRuntime(metrics);
  };
  try {
    await runOnRuntime(options, install, signal);
  } finally {
    // A runtime that forwards its log keeps the process alive, also where no worker came to use it.
    await runtime?.shutdown();
  }
}

async function runOnRuntime(
  options: WorkerOptions,
  install: (metrics: string | undefined) => void,
  signal: AbortSignal,
): Promise<void> {
  useConnections(createConnections(createNameLookup(), options.proxies));
  const metrics = await installWithMetrics(options.metrics, install, log);
  await access(options.workflowBundle).catch(() => {
    throw new Error(
      `expected the workflow bundle at ${options.workflowBundle}, found none; make it with "npm run build"`,
    );
  });
  prepareJudging();
  const resources = await createResources({ ...options, verdictKey: await openVerdictKey(options.verdictKey) }, log);
  const link = await connectTemporal(options.proxies, log, signal);
  if (link === undefined) {
    metrics.stop();
    return resources.stop();
  }
  try {
    const worker = await Worker.create({
      connection: link.connection,
      namespace: link.namespace,
      taskQueue: options.taskQueue,
      workflowBundle: { codePath: options.workflowBundle },
      activities: createActivities(resources.dependencies),
      maxConcurrentWorkflowTaskExecutions: MAX_VERIFICATIONS,
      maxConcurrentLocalActivityExecutions: FAST_CHECKS_AT_ONCE,
      maxConcurrentActivityTaskExecutions: MAX_DURABLE_CHECKS,
      workflowTaskPollerBehavior: { type: 'autoscaling', minimum: 4, initial: 10, maximum: 50 },
      stickyQueueScheduleToStartTimeout: '1s',
      shutdownGraceTime: DURABLE_ATTEMPT_MS,
      maxCachedWorkflows: 500,
    });
    const running = worker.run();
    link.follow((connection) => {
      worker.connection = connection;
    });
    // It may have fired before there was a worker to stop.
    if (signal.aborted) worker.shutdown();
    signal.addEventListener('abort', () => worker.shutdown(), { once: true });
    const { taskQueue, fleet } = options;
    log('info', 'ready', { taskQueue, fleet, verdictKey: resources.dependencies.verdictKey.keyId });
    await running;
  } finally {
    metrics.stop();
    resources.stop();
    await link.close();
  }
}

/** Once per process: the SDK's log and metrics. */
function installRuntime(metrics: string | undefined): Runtime {
  return Runtime.install({
    shutdownSignals: [],
    logger: new DefaultLogger('INFO', ({ level, message, meta }) => log(level.toLowerCase(), message, meta ?? {})),
    telemetryOptions: {
      // Without this the native half prints by itself, past our log.
      logging: { filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }), forward: {} },
      ...(metrics !== undefined && { metrics: { prometheus: { bindAddress: metrics } } }),
    },
  });
}

function log(level: string, message: string, fields: object): void {
  // Of an error JSON would keep everything but what it says.
  const say = (_: string, value: unknown) => (value instanceof Error ? String(value) : value);
  process.stderr.write(`${plainJson({ time: new Date().toISOString(), level, message, ...fields }, undefined, say)}\n`);
}
