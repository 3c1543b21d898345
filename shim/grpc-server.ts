import {
  status as GrpcStatus,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation, service as healthService } from 'grpc-health-check';
import type { Descriptor } from '../workflows/descriptor.ts';
import { parseDigest } from '../workflows/digest.ts';
import { nameWithoutDigest, parseName } from '../workflows/name.ts';
import { type Decision, type PullRequest, refuseRequest, type Watcher } from './decision.ts';
import {
  schema,
  verifierService,
  type WireDescriptor,
  type WireProgress,
  type WireVerdict,
  type WireVerifyRequest,
} from './proto/schema.ts';
import { listenPrivately } from './socket.ts';
import { BackendProblem } from './temporal.ts';
import { parseVerifyRequest, toServiceError, toWireCheck, toWireVerdict } from './wire.ts';

/** What the service asks: the same gate as the launcher's. */
export interface VerifierHandlers {
  decide(request: PullRequest, options: { deadline?: number; watch?: Watcher }): Promise<Decision>;
  /** Untrusted answer: a descriptor, looked up by a worker. */
  resolve(name: string, deadline: number): Promise<unknown>;
}

export interface VerifierServer {
  setServing(serving: boolean): void;
  /** Stops taking calls, lets the running ones end for at most `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

/** A descriptor is some hundred bytes; nothing larger is read. */
const MAX_MESSAGE_BYTES = 64 * 1024;

/** A look-up for a person may take this long, in ms, when the caller gave no deadline. */
const RESOLVE_MS = 10_000;

/** Serves `portcullis.v1.Verifier`, health and reflection on a Unix socket. */
export async function serveVerifier(socketPath: string, handlers: VerifierHandlers): Promise<VerifierServer> {
  const server = new Server({ 'grpc.max_receive_message_length': MAX_MESSAGE_BYTES });
  const health = new HealthImplementation({ '': 'NOT_SERVING', 'portcullis.v1.Verifier': 'NOT_SERVING' });
  server.addService(verifierService, {
    Verify: (
      call: ServerUnaryCall<WireVerifyRequest, { verdict: WireVerdict }>,
      done: sendUnaryData<{ verdict: WireVerdict }>,
    ) => void verify(handlers, call, done),
    Watch: (call: ServerWritableStream<WireVerifyRequest, WireProgress>) => void watch(handlers, call),
    Resolve: (call: ServerUnaryCall<{ name: string }, WireDescriptor>, done: sendUnaryData<WireDescriptor>) =>
      void resolve(handlers, call, done),
  });
  health.addToServer(server);
  new ReflectionService({ ...schema, 'grpc.health.v1.Health': healthService }).addToServer(server);
  await listenPrivately(
    () =>
      new Promise<void>((bound, failed) => {
        server.bindAsync(`unix:${socketPath}`, ServerCredentials.createInsecure(), (error) =>
          error === null ? bound() : failed(error),
        );
      }),
  );
  return {
    setServing(serving) {
      for (const name of ['', 'portcullis.v1.Verifier']) health.setStatus(name, serving ? 'SERVING' : 'NOT_SERVING');
    },
    stop: (graceMs) => drain(server, graceMs),
  };
}

function drain(server: Server, graceMs: number): Promise<void> {
  return new Promise((stopped) => {
    const timer = setTimeout(() => server.forceShutdown(), graceMs);
    server.tryShutdown(() => {
      clearTimeout(timer);
      stopped();
    });
  });
}

/** The caller's deadline as Unix ms, and whether it is earlier than what the gate needs by itself. */
function deadlineOf(call: { getDeadline(): Date | number }): number | undefined {
  const deadline = call.getDeadline();
  const ms = deadline instanceof Date ? deadline.getTime() : deadline;
  return Number.isFinite(ms) ? ms : undefined;
}

/** Taken off the caller's deadline, so that our answer is there before the caller gives up, in ms. */
const ANSWER_MS = 50;

async function decideCall(
  handlers: VerifierHandlers,
  wire: WireVerifyRequest,
  deadline: number | undefined,
  watcher?: Watcher,
): Promise<Decision> {
  const request = parseVerifyRequest(wire);
  if (typeof request === 'string') return refuseRequest(request);
  return await handlers.decide(request, {
    ...(deadline === undefined ? {} : { deadline: deadline - ANSWER_MS }),
    ...(watcher === undefined ? {} : { watch: watcher }),
  });
}

function isLate(deadline: number | undefined): boolean {
  return deadline !== undefined && Date.now() + 2 * ANSWER_MS >= deadline;
}

async function verify(
  handlers: VerifierHandlers,
  call: ServerUnaryCall<WireVerifyRequest, { verdict: WireVerdict }>,
  done: sendUnaryData<{ verdict: WireVerdict }>,
): Promise<void> {
  try {
    const deadline = deadlineOf(call);
    const decision = await decideCall(handlers, call.request, deadline);
    const refusal = toServiceError(decision, isLate(deadline));
    if (refusal === undefined) done(null, { verdict: toWireVerdict(decision) });
    else done(refusal);
  } catch (error) {
    done({ code: GrpcStatus.INTERNAL, details: `INTERNAL: ${String(error)}` });
  }
}

async function watch(
  handlers: VerifierHandlers,
  call: ServerWritableStream<WireVerifyRequest, WireProgress>,
): Promise<void> {
  try {
    const deadline = deadlineOf(call);
    const decision = await decideCall(handlers, call.request, deadline, (checks) => {
      call.write({ checks: checks.map(toWireCheck), verdict: null });
    });
    call.write({ checks: [], verdict: toWireVerdict(decision) });
    const refusal = toServiceError(decision, isLate(deadline));
    if (refusal === undefined) call.end();
    else call.emit('error', refusal);
  } catch (error) {
    call.emit('error', { code: GrpcStatus.INTERNAL, details: `INTERNAL: ${String(error)}` });
  }
}

async function resolve(
  handlers: VerifierHandlers,
  call: ServerUnaryCall<{ name: string }, WireDescriptor>,
  done: sendUnaryData<WireDescriptor>,
): Promise<void> {
  const name = parseName(call.request.name);
  if (name === undefined) {
    done({
      code: GrpcStatus.INVALID_ARGUMENT,
      details: 'REQUEST_INVALID: name: expected an image name such as docker.io/library/alpine:3.22',
    });
    return;
  }
  try {
    const found = parseDescriptor(
      await handlers.resolve(nameWithoutDigest(name), deadlineOf(call) ?? Date.now() + RESOLVE_MS),
    );
    if (found === undefined) throw new Error('the worker answered with something that is no descriptor');
    done(null, found);
  } catch (error) {
    const code = error instanceof BackendProblem ? error.code : 'INTERNAL';
    done({
      code: GrpcStatus.UNAVAILABLE,
      details: `${code}: ${error instanceof Error ? error.message : String(error)}`,
    });
  }
}

function parseDescriptor(value: unknown): Descriptor | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { mediaType, digest, size } = value as { [K in keyof Descriptor]?: unknown };
  const parsed = parseDigest(String(digest));
  if (typeof mediaType !== 'string' || parsed === undefined || typeof size !== 'number') return undefined;
  return { mediaType, digest: parsed, size };
}
