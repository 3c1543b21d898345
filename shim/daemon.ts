import { ADMISSION_LIMITS, openAdmission } from './admission.ts';
import type { Backend } from './backend.ts';
import { watchBootstrapList } from './bootstrap/list-watch.ts';
import { type Canaries, createCanaries } from './canary/canary.ts';
import type { CanaryWatch } from './canary/watch.ts';
import { type DecisionOptions, decide, type Gate } from './decide.ts';
import type { Decision, Question } from './decision.ts';
import { serveVerifier, type VerifierServer } from './grpc-server.ts';
import { type Intake, openIntake } from './intake.ts';
import { keptVerdicts } from './kept-verdicts.ts';
import { type LauncherServer, serveLauncher } from './launcher-server.ts';
import { lazyBackend } from './lazy-backend.ts';
import type { Log } from './log.ts';
import { createMetrics, type ListenAddress, type Metrics, serveMetrics } from './metrics.ts';
import { openNodeMemory } from './node-memory.ts';
import { importFolder } from './offline/import-folder.ts';
import { watchImportedVerdicts } from './offline/imported-verdicts.ts';
import { watchPolicy } from './policy-watch.ts';
import { openSingleFlight } from './single-flight.ts';
import type { CacheKey } from './verdict-cache/verdict-cache.ts';
import { watchVerdictKeys } from './verdict-key-watch.ts';

export interface DaemonOptions {
  /** The launcher's Unix socket. */
  readonly launcherSocket: string;
  /** The Unix socket of the gRPC service. */
  readonly grpcSocket: string;
  /** A PEM public key, or a directory of `*.pub` files; `NAME.json` beside a key limits when it is believed. */
  readonly verdictKeys: string;
  readonly taskQueue: string;
  readonly node: string;
  /** Where `/metrics` is served; `undefined` serves none. */
  readonly metrics: ListenAddress | undefined;
  /** The folder of what is remembered over a restart; `undefined` remembers nothing. */
  readonly state: string | undefined;
  /** The folder of the bootstrap lists; `undefined` has none. */
  readonly bootstrap: string | undefined;
  /** How often, in ms, a canary is pulled through the CRI of this containerd; `undefined` for never. */
  readonly canary: { readonly containerd: string; readonly everyMs: number } | undefined;
}

export interface Daemon {
  /** Reads the verdict keys, the bootstrap list and the imports at once, which otherwise takes some seconds. */
  reload(): Promise<void>;
  /** Drains: new pulls are refused with a reason, running ones are answered, for at most `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

/** For launchers that waited for this daemon to be answered by what it has kept, in ms: they look for its socket every 20. */
const WAITERS_MS = 50;

/** For an answer to reach its caller after the last decision, in ms. */
const FLUSH_MS = 300;

/**
 * Starts the node's daemon. Comes up without Temporal: pulls are refused with the reason until it is there. Throws when
 * a key, a socket or the port of the metrics can't be had, and then leaves nothing open.
 */
export async function startDaemon(options: DaemonOptions, log: Log): Promise<Daemon> {
  const verdictKeys = await watchVerdictKeys(options.verdictKeys, log);
  const bootstrap = options.bootstrap === undefined ? undefined : await watchBootstrapList(options.bootstrap, log);
  const memory = openNodeMemory(options.state, log);
  const canaries = createCanaries();
  let canary: CanaryWatch | undefined;
  let policyKnown = () => {};
  const backend = lazyBackend(options.taskQueue);
  const policy = watchPolicy(
    backend,
    verdictKeys.keys,
    ({ policyRevision, statedAt }) => {
      log.info('policy revision', { policyRevision, statedAt });
      policyKnown();
    },
    { remembered: memory.remembered, onStatement: memory.keepStatement },
  );
  const imported =
    options.state === undefined
      ? undefined
      : await watchImportedVerdicts(importFolder(options.state), policy.learn, log);
  const admission = openAdmission(ADMISSION_LIMITS);
  const metrics = createMetrics(policy.age, verdictKeys.keys, () => ({
    cache: memory.cache?.stats(),
    admission: admission.stats(),
    listed: bootstrap?.entries().length ?? 0,
    canary: canary?.state(),
  }));
  const findKept = (key: CacheKey) =>
    [memory.cache?.find(key), ...(imported?.find(key) ?? [])].filter((one) => one !== undefined);
  const gate: Gate = {
    ...{ backend, policy, keys: verdictKeys.keys, node: options.node },
    onVerdict(verdict, envelope, keyId) {
      metrics.verdictBy(keyId);
      memory.keepVerdict(verdict, envelope);
    },
    rules: [canaries.rule, ...(bootstrap === undefined ? [] : [bootstrap.rule])],
    kept: keptVerdicts(findKept, policy, verdictKeys.keys, metrics.verdictBy),
    ...{ admission, flights: openSingleFlight<Decision>(), clock: memory.clock.check },
  };
  const intake = openIntake((request, how) => decide(gate, request, how), metrics, log);
  const opened: Closers = [
    ...[() => memory.close(), () => backend.close(), () => policy.stop()],
    ...[() => bootstrap?.stop(), () => imported?.stop(), () => verdictKeys.stop()],
  ];
  const { verifier, launcher } = await openFronts(options, intake, backend, canaries, metrics, log, opened);
  if (options.canary !== undefined) {
    // Loaded only then: a client of the CRI is a large part of what a daemon takes.
    const [{ watchCanary }, { criClient }, { containerdIdentity }] = await Promise.all([
      ...([import('./canary/watch.ts'), import('./canary/clients.ts'), import('./canary/identity.ts')] as const),
    ]);
    const { containerd, everyMs } = options.canary;
    const [client, identity] = [criClient(containerd), containerdIdentity(containerd)];
    canary = watchCanary({ source: canaries, client, identity, everyMs }, log);
  }
  policyKnown = () => verifier.setServing(true);
  if (policy.age() !== undefined) policyKnown();
  const { launcherSocket, grpcSocket, node } = options;
  setTimeout(backend.begin, WAITERS_MS);
  log.info('ready', { launcherSocket, grpcSocket, verdictKeys: verdictKeys.keys().size, node });

  return {
    async reload() {
      await Promise.all([verdictKeys.reload(), bootstrap?.reload(), imported?.reload()]);
    },
    async stop(graceMs) {
      policyKnown = () => {};
      verifier.setServing(false);
      log.info('stopping');
      const canaryEnded = canary?.stop();
      await launcher.stopListening();
      await intake.drain(graceMs);
      await canaryEnded;
      await closeAll(opened);
      log.info('stopped');
    },
  };
}

/** What is open, oldest first; the newest is closed first. */
type Closers = (() => unknown)[];

async function closeAll(opened: Closers): Promise<void> {
  for (const close of opened.toReversed()) await close();
}

/** Opens metrics, gRPC and launcher socket, and notes how each is closed; closes everything when one can't be had. */
async function openFronts(
  options: DaemonOptions,
  intake: Intake,
  backend: Backend,
  canaries: Canaries,
  metrics: Metrics,
  log: Log,
  opened: Closers,
): Promise<{ readonly verifier: VerifierServer; readonly launcher: LauncherServer }> {
  try {
    if (options.metrics !== undefined) {
      const scraped = await serveMetrics(options.metrics, metrics);
      opened.push(() => scraped.close());
    }
    const handlers = {
      decide: (question: Question, how: DecisionOptions) => intake.ask('grpc', question, how),
      resolve: backend.resolve,
      canaries,
    };
    const verifier = await serveVerifier(options.grpcSocket, handlers, log);
    opened.push(() => verifier.close(FLUSH_MS));
    const ask = (question: Question, how: DecisionOptions) => {
      if (question.ok) canaries.onAsked(question.request);
      return intake.ask('launcher', question, how);
    };
    const launcher = await serveLauncher(options.launcherSocket, ask, log);
    opened.push(() => launcher.close(FLUSH_MS));
    return { verifier, launcher };
  } catch (error) {
    await closeAll(opened);
    throw error;
  }
}
