import { lazyBackend } from './backend/lazy-backend.ts';
import { watchPolicy } from './backend/policy-watch.ts';
import type { LinkOptions } from './backend/temporal-link.ts';
import { watchBootstrapList } from './bootstrap/list-watch.ts';
import { type Canaries, createCanaries } from './canary/canary.ts';
import type { Decision, Question } from './decision.ts';
import { ADMISSION_LIMITS, openAdmission } from './gate/admission.ts';
import { type DecisionOptions, decide, type Gate } from './gate/decide.ts';
import { type Intake, openIntake } from './gate/intake.ts';
import { keptVerdicts } from './gate/kept-verdicts.ts';
import { openSingleFlight } from './gate/single-flight.ts';
import { type LauncherServer, serveLauncher } from './launcher/server.ts';
import type { Log } from './log/log.ts';
import { openNodeMemory } from './memory/node-memory.ts';
import type { CacheKey } from './memory/verdict-cache/verdict-cache.ts';
import { createMetrics } from './metrics.ts';
import { importFolder } from './offline/import-folder.ts';
import { watchImportedVerdicts } from './offline/imported-verdicts.ts';
import { type OptionalParts, openOptionalParts, type PartsOptions } from './optional-parts.ts';
import { watchVerdictKeys } from './verdict-keys/key-watch.ts';

export interface DaemonOptions extends PartsOptions, Pick<LinkOptions, 'proxies'> {
  /** The launcher's Unix socket. */
  readonly launcherSocket: string;
  /** A PEM public key, or a directory of `*.pub` files; `NAME.json` beside a key limits when it is believed. */
  readonly verdictKeys: string;
  readonly taskQueue: string;
  /** Statements and verdicts for another fleet do not count. */
  readonly fleet: string;
  readonly node: string;
  /** The folder of what is remembered over a restart; `undefined` remembers nothing. */
  readonly state: string | undefined;
  /** The folder of the bootstrap lists; `undefined` has none. */
  readonly bootstrap: string | undefined;
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
 * a key or the launcher's socket cannot be opened, and then leaves nothing open. The gRPC service, the metrics and the
 * canary only inform: what is missing of them is opened later.
 */
export async function startDaemon(options: DaemonOptions, log: Log): Promise<Daemon> {
  const verdictKeys = await watchVerdictKeys(options.verdictKeys, log);
  const bootstrap = options.bootstrap === undefined ? undefined : await watchBootstrapList(options.bootstrap, log);
  const memory = openNodeMemory(options.state, log);
  const canaries = createCanaries();
  let parts: OptionalParts | undefined;
  let policyKnown = () => {};
  const backend = lazyBackend(options.taskQueue, { ...options, log });
  const policy = watchPolicy(
    backend,
    verdictKeys.keys,
    ({ policyRevision, statedAt }) => {
      log.info('policy revision', { policyRevision, statedAt });
      policyKnown();
    },
    {
      ...{ fleet: options.fleet, remembered: memory.before.statement, revocations: memory.before.revocations },
      ...{ onStatement: memory.keepStatement, onRevocations: memory.keepRevocations, onArrival: memory.found },
    },
  );
  const imported =
    options.state === undefined
      ? undefined
      : await watchImportedVerdicts(importFolder(options.state), policy.learn, log);
  const admission = openAdmission(ADMISSION_LIMITS);
  const metrics = createMetrics(policy.age, verdictKeys.keys, () => ({
    cache: memory.cache?.stats(),
    state: memory.health(),
    admission: admission.stats(),
    listed: bootstrap?.entries().length ?? 0,
    canary: parts?.canary(),
    parts: parts?.states() ?? [],
  }));
  const findKept = (key: CacheKey) =>
    [memory.cache?.find(key), ...(imported?.find(key) ?? [])].filter((one) => one !== undefined);
  const gate: Gate = {
    ...{ backend, policy, keys: verdictKeys.keys, fleet: options.fleet, node: options.node },
    onVerdict(verdict, envelope, keyId) {
      metrics.verdictBy(keyId);
      memory.keepVerdict(verdict, envelope);
    },
    rules: [canaries.rule, ...(bootstrap === undefined ? [] : [bootstrap.rule])],
    kept: keptVerdicts(findKept, policy, options.fleet, verdictKeys.keys, metrics.verdictBy),
    ...{ admission, flights: openSingleFlight<Decision>(), clock: memory.clock.check, lost: memory.lost },
  };
  const intake = openIntake((request, how) => decide(gate, request, how), metrics, log);
  const opened: Closers = [
    ...[() => memory.close(), () => backend.close(), () => policy.stop()],
    ...[() => bootstrap?.stop(), () => imported?.stop(), () => verdictKeys.stop()],
  ];
  const launcher = await openGate(options, intake, canaries, log, opened);
  setTimeout(backend.begin, WAITERS_MS);
  // After the gate: what only informs must not keep it from answering.
  const optional = openOptionalParts(options, { intake, backend, canaries, metrics }, log);
  parts = optional;
  opened.push(() => optional.close());
  policyKnown = () => optional.setServing(true);
  if (policy.age() !== undefined) policyKnown();
  await optional.tried;
  const { launcherSocket, grpcSocket, node } = options;
  log.info('ready', { launcherSocket, grpcSocket, verdictKeys: verdictKeys.keys().size, node });

  return {
    async reload() {
      await Promise.all([verdictKeys.reload(), bootstrap?.reload(), imported?.reload()]);
    },
    async stop(graceMs) {
      policyKnown = () => {};
      optional.setServing(false);
      log.info('stopping');
      const canaryEnded = optional.stopCanary();
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

/** Opens the launcher's socket, and notes how it is closed; closes everything when it can't be opened. */
async function openGate(
  { launcherSocket }: DaemonOptions,
  intake: Intake,
  canaries: Canaries,
  log: Log,
  opened: Closers,
): Promise<LauncherServer> {
  const ask = (question: Question, how: DecisionOptions) => {
    if (question.ok) canaries.onAsked(question.request);
    return intake.ask('launcher', question, how);
  };
  try {
    const launcher = await serveLauncher(launcherSocket, ask, log);
    opened.push(() => launcher.close(FLUSH_MS));
    return launcher;
  } catch (error) {
    await closeAll(opened);
    throw error;
  }
}
