import type { Server } from 'node:http';
import { decide } from './decide.ts';
import { type Decision, decisionIdOf, outcomeOf, type PullRequest, reasonsOf, type Watcher } from './decision.ts';
import { serveVerifier, type VerifierServer } from './grpc-server.ts';
import { serveLauncher } from './launcher-server.ts';
import type { Log } from './log.ts';
import { createMetrics, type Front, type Metrics, serveMetrics } from './metrics.ts';
import { watchPolicy } from './policy-watch.ts';
import { claimSocket } from './socket.ts';
import { connectBackend } from './temporal.ts';
import { loadVerdictKeys, type VerdictKeys } from './verdict-keys.ts';

export interface DaemonOptions {
  /** The launcher's Unix socket. */
  readonly launcherSocket: string;
  /** The Unix socket of the gRPC service. */
  readonly grpcSocket: string;
  /** A PEM public key, or a directory of `*.pub` files. */
  readonly verdictKeys: string;
  readonly taskQueue: string;
  readonly node: string;
  /** Where `/metrics` is served; `undefined` serves none. */
  readonly metrics: { readonly host: string; readonly port: number } | undefined;
}

export interface Daemon {
  /** Reads the verdict keys again; keeps the old ones when the new ones can't be read. */
  reload(): Promise<void>;
  /** Drains: new pulls are refused with a reason, running ones are answered, for at most `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

/** Starts the node's daemon. Comes up without Temporal: pulls are refused with the reason until it is there. */
export async function startDaemon(options: DaemonOptions, log: Log): Promise<Daemon> {
  let keys: VerdictKeys = await loadVerdictKeys(options.verdictKeys);
  let verifier: VerifierServer | undefined;
  const backend = connectBackend(options.taskQueue);
  const policy = watchPolicy(
    backend,
    () => keys,
    (head) => {
      log.info('policy revision', { policyRevision: head.policyRevision, statedAt: head.statedAt });
      verifier?.setServing(true);
    },
  );
  const metrics = createMetrics(() => policy.age());
  const gate = { backend, policy, keys: () => keys, node: options.node };

  const decideFor =
    (front: Front) =>
    (asked: PullRequest | Decision, how: { deadline?: number; watch?: Watcher } = {}) =>
      recorded(front, metrics, log, () => ('by' in asked ? Promise.resolve(asked) : decide(gate, asked, how)));

  await claimSocket(options.launcherSocket);
  await claimSocket(options.grpcSocket);
  verifier = await serveVerifier(options.grpcSocket, { decide: decideFor('grpc'), resolve: backend.resolve });
  verifier.setServing(policy.age() !== undefined);
  const launcher = await serveLauncher(options.launcherSocket, decideFor('launcher'));
  const scraped: Server | undefined =
    options.metrics === undefined ? undefined : await serveMetrics(options.metrics.host, options.metrics.port, metrics);
  log.info('ready', {
    launcherSocket: options.launcherSocket,
    grpcSocket: options.grpcSocket,
    verdictKeys: keys.size,
    node: options.node,
  });

  return {
    async reload() {
      try {
        keys = await loadVerdictKeys(options.verdictKeys);
        log.info('reloaded', { verdictKeys: keys.size });
      } catch (error) {
        log.warn('not reloaded, the verdict keys stay as they were', { error: String(error) });
      }
    },
    async stop(graceMs) {
      verifier.setServing(false);
      await Promise.all([launcher.stop(graceMs), verifier.stop(graceMs)]);
      policy.stop();
      scraped?.close();
      await backend.close();
      log.info('stopped');
    },
  };
}

/** Every decision ends in one log line and the metrics, whatever way it was reached. */
async function recorded(front: Front, metrics: Metrics, log: Log, make: () => Promise<Decision>): Promise<Decision> {
  const ended = metrics.begin(front);
  const started = performance.now();
  const decision = await make().catch(internalError);
  const [reason] = reasonsOf(decision);
  const subject = decision.by === 'verdict' ? decision.verdict : decision.request;
  ended(outcomeOf(decision), reason.code);
  log[outcomeOf(decision) === 'allow' ? 'info' : 'warn']('decision', {
    name: subject?.name,
    digest: subject?.digest,
    workflowId: decision.workflowId,
    decision: outcomeOf(decision),
    reason: `${reason.code}: ${reason.sentence}`,
    decisionId: decisionIdOf(decision),
    front,
    durationMs: Math.round(performance.now() - started),
  });
  return decision;
}

/** A bug keeps the gate shut like everything else, and says that it is one. */
function internalError(error: unknown): Decision {
  const reasons = [
    { code: 'INTERNAL', sentence: `a bug in the portcullis shim, please report it: ${String(error)}` },
  ] as const;
  return { by: 'node', reasons, request: undefined, decisionId: undefined, workflowId: undefined };
}
