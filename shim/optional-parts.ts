import type { Backend } from './backend/backend.ts';
import type { Canaries } from './canary/canary.ts';
import type { CanaryState, CanaryWatch } from './canary/watch.ts';
import type { Question } from './decision.ts';
import type { DecisionOptions } from './gate/decide.ts';
import type { Intake } from './gate/intake.ts';
import { serveVerifier, type VerifierServer } from './grpc/server.ts';
import type { Log } from './log/log.ts';
import { type ListenAddress, type Metrics, type PartState, serveMetrics } from './metrics.ts';
import { type OptionalPart, openOptionalPart } from './optional-part.ts';

export interface PartsOptions {
  /** The Unix socket of the gRPC service. */
  readonly grpcSocket: string;
  /** Where `/metrics` is served; `undefined` serves none. */
  readonly metrics: ListenAddress | undefined;
  /** How often, in ms, a canary is pulled through the CRI of this containerd; `undefined` for never. */
  readonly canary: { readonly containerd: string; readonly everyMs: number } | undefined;
}

/** What the parts tell of, or are asked by. */
export interface PartsContext {
  readonly intake: Intake;
  readonly backend: Backend;
  readonly canaries: Canaries;
  readonly metrics: Metrics;
}

/** The parts of the daemon that the gate does not need. None of them keeps it from answering. */
export interface OptionalParts {
  /** What the health service says from now on, whenever it comes to be. */
  setServing(serving: boolean): void;
  states(): readonly PartState[];
  /** What the daemon's own canaries show; `undefined` when it runs none. */
  canary(): CanaryState | undefined;
  /** Settles when each part was tried once, or takes long. */
  readonly tried: Promise<unknown>;
  /** Settles when the canary that is under way has left nothing behind. */
  stopCanary(): Promise<void>;
  /** Closes the others. */
  close(): Promise<void>;
}

/** For an answer to reach its caller after the last decision, in ms. */
const FLUSH_MS = 300;

/** Opens gRPC service, metrics and canary in the background; one that fails is tried again. */
export function openOptionalParts(options: PartsOptions, context: PartsContext, log: Log): OptionalParts {
  const served: { isServing: boolean; verifier?: VerifierServer; canary?: CanaryWatch } = { isServing: false };
  const grpc = openOptionalPart(
    'grpc',
    async () => {
      const verifier = await serveVerifier(options.grpcSocket, handlersOf(context, states), log);
      served.verifier = verifier;
      verifier.setServing(served.isServing);
      return () => verifier.close(FLUSH_MS);
    },
    log,
  );
  const { metrics } = options;
  const scraped =
    metrics &&
    openOptionalPart(
      'metrics',
      async () => {
        const server = await serveMetrics(metrics, context.metrics);
        return () => server.close();
      },
      log,
    );
  const { canary } = options;
  const watched =
    canary &&
    openOptionalPart(
      'canary',
      async () => {
        const watch = await openCanaryWatch(canary, context.canaries, log);
        served.canary = watch;
        return () => watch.stop();
      },
      log,
    );
  const parts = [grpc, scraped, watched].filter((part) => part !== undefined);
  function states(): readonly PartState[] {
    return parts.map(({ name, problem }) => ({ name, problem: problem() }));
  }
  return {
    setServing(isServing) {
      served.isServing = isServing;
      served.verifier?.setServing(isServing);
    },
    states,
    canary: () => served.canary?.state(),
    tried: Promise.all(parts.map(({ tried }) => tried)),
    stopCanary: async () => await watched?.close(),
    close: async () => void (await Promise.all([scraped, grpc].map(closePart))),
  };
}

async function closePart(part: OptionalPart | undefined): Promise<void> {
  await part?.close();
}

function handlersOf({ intake, backend, canaries, metrics }: PartsContext, parts: () => readonly PartState[]) {
  return {
    decide: (question: Question, how: DecisionOptions) => intake.ask('grpc', question, how),
    resolve: backend.resolve,
    node: { canaries, describe: async () => ({ metrics: (await metrics.render()).body, parts: parts() }) },
  };
}

/** Loaded only when it is wanted: a client of the CRI is a large part of what a daemon takes. */
async function openCanaryWatch(
  { containerd, everyMs }: NonNullable<PartsOptions['canary']>,
  source: Canaries,
  log: Log,
): Promise<CanaryWatch> {
  const [{ watchCanary }, { criClient }, { containerdIdentity }] = await Promise.all([
    ...([import('./canary/watch.ts'), import('./canary/clients.ts'), import('./canary/identity.ts')] as const),
  ]);
  const [client, identity] = [criClient(containerd), containerdIdentity(containerd)];
  return watchCanary({ source, client, identity, everyMs }, log);
}
