import type { Socket } from 'node:net';
import {
  status as GrpcStatus,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceError,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { protoPath as HEALTH_PROTO, HealthImplementation } from 'grpc-health-check';
import { parseDescriptor } from '../../workflows/format/descriptor.ts';
import { nameWithDigest, parseName } from '../../workflows/format/name.ts';
import { plainText } from '../../workflows/format/plain-text.ts';
import { SHIM_DEADLINE_MS } from '../../workflows/verdict/deadlines.ts';
import { BackendProblem } from '../backend/backend.ts';
import { type NodeHandlers, nodeHandlers } from '../canary/service.ts';
import type { Decision, Question, Watcher } from '../decision.ts';
import type { DecisionOptions } from '../gate/decide.ts';
import { messageOf } from '../log/message-of.ts';
import {
  nodeService,
  schema,
  verifierService,
  type WireDescriptor,
  type WireProgress,
  type WireVerdict,
  type WireVerifyRequest,
} from '../proto/schema.ts';
import { parseVerifyRequest, statusOfCode, toServiceError, toWireCheck, toWireVerdict } from './wire.ts';

/** What the service asks: the same gate as the launcher's. */
export interface VerifierHandlers {
  decide(question: Question, options: DecisionOptions): Promise<Decision>;
  /** Untrusted answer: a descriptor, looked up by a worker. `deadline` is Unix time in ms. */
  resolve(name: string, deadline: number): Promise<unknown>;
  /** What `portcullis.v1.Node` lends and tells; without, that service is not served. */
  readonly node?: NodeHandlers;
}

/** The services over connections that somebody else accepts. */
export interface VerifierService {
  inject(connection: Socket): void;
  /** What the health service says from now on. */
  setServing(serving: boolean): void;
  /** Takes no more calls, and cuts the open ones (health watchers stay for ever) after at most `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/** The names that the health service knows; the empty one stands for the whole server. */
const SERVICES = ['', 'portcullis.v1.Verifier'];

/** A descriptor is some hundred bytes; nothing larger is read. */
const MAX_MESSAGE_BYTES = 64 * 1024;

/** A look-up for a person may take this long at most, in ms. */
const RESOLVE_MS = 10_000;

/** `portcullis.v1.Verifier` and `portcullis.v1.Node`, health and reflection. */
export function createVerifierService(handlers: VerifierHandlers): VerifierService {
  const server = new Server({ 'grpc.max_receive_message_length': MAX_MESSAGE_BYTES });
  const health = new HealthImplementation(Object.fromEntries(SERVICES.map((name) => [name, 'NOT_SERVING'])));
  server.addService(verifierService, {
    Verify: (
      call: ServerUnaryCall<WireVerifyRequest, { verdict: WireVerdict }>,
      done: sendUnaryData<{ verdict: WireVerdict }>,
    ) => void verify(handlers, call, done),
    Watch: (call: ServerWritableStream<WireVerifyRequest, WireProgress>) => void watch(handlers, call),
    Resolve: (call: ServerUnaryCall<{ name: string }, WireDescriptor>, done: sendUnaryData<WireDescriptor>) =>
      void resolve(handlers, call, done),
  });
  if (handlers.node !== undefined) server.addService(nodeService, nodeHandlers(handlers.node));
  health.addToServer(server);
  new ReflectionService({ ...schema, ...loadSync(HEALTH_PROTO) }).addToServer(server);
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  return {
    inject: (connection) => injector.injectConnection(connection),
    setServing(serving) {
      for (const name of SERVICES) health.setStatus(name, serving ? 'SERVING' : 'NOT_SERVING');
    },
    close: (graceMs) =>
      new Promise((closed) => {
        const timer = setTimeout(() => server.forceShutdown(), graceMs);
        server.tryShutdown(() => {
          clearTimeout(timer);
          closed();
        });
      }),
  };
}

/** The caller's deadline as Unix ms; `undefined` when it has none. */
function deadlineOf(call: { getDeadline(): Date | number }): number | undefined {
  const ms = Number(call.getDeadline());
  return Number.isFinite(ms) ? ms : undefined;
}

/** Taken off the caller's deadline, so that our answer is there before the caller gives up, in ms. */
const ANSWER_MS = 50;

/** Decides for a caller: the decision, and the error that stands for it unless it is an allow. */
async function decideFor(
  handlers: VerifierHandlers,
  call: { readonly request: WireVerifyRequest; getDeadline(): Date | number },
  watch?: Watcher,
): Promise<{ readonly decision: Decision; readonly refusal: ServiceError | undefined }> {
  const asked = Date.now();
  const deadline = deadlineOf(call) ?? Number.POSITIVE_INFINITY;
  const options = { deadline: deadline - ANSWER_MS, ...(watch === undefined ? {} : { watch }) };
  const decision = await handlers.decide(parseVerifyRequest(call.request), options);
  // A decision that took most of the caller's time, when that was shorter than ours, came of it being over.
  const callerGaveUp = deadline < asked + SHIM_DEADLINE_MS && Date.now() >= asked + (deadline - asked) / 2;
  return { decision, refusal: toServiceError(decision, callerGaveUp) };
}

async function verify(
  handlers: VerifierHandlers,
  call: ServerUnaryCall<WireVerifyRequest, { verdict: WireVerdict }>,
  done: sendUnaryData<{ verdict: WireVerdict }>,
): Promise<void> {
  try {
    const { decision, refusal } = await decideFor(handlers, call);
    if (refusal === undefined) done(null, { verdict: toWireVerdict(decision) });
    else done(refusal);
  } catch (error) {
    done({ code: GrpcStatus.INTERNAL, details: plainText(`INTERNAL: ${String(error)}`) });
  }
}

async function watch(
  handlers: VerifierHandlers,
  call: ServerWritableStream<WireVerifyRequest, WireProgress>,
): Promise<void> {
  try {
    const { decision, refusal } = await decideFor(handlers, call, (checks) => {
      call.write({ checks: checks.map(toWireCheck), verdict: null });
    });
    call.write({ checks: [], verdict: toWireVerdict(decision) });
    if (refusal === undefined) call.end();
    else call.emit('error', refusal);
  } catch (error) {
    call.emit('error', { code: GrpcStatus.INTERNAL, details: plainText(`INTERNAL: ${String(error)}`) });
  }
}

async function resolve(
  handlers: VerifierHandlers,
  call: ServerUnaryCall<{ name: string }, WireDescriptor>,
  done: sendUnaryData<WireDescriptor>,
): Promise<void> {
  const name = parseName(call.request.name);
  if (name === undefined) {
    const found = JSON.stringify(call.request.name.slice(0, 80));
    const details = `REQUEST_INVALID: name: expected an image name such as docker.io/library/alpine:3.22, found ${found}`;
    done({ code: GrpcStatus.INVALID_ARGUMENT, details: plainText(details) });
    return;
  }
  const deadline = deadlineOf(call) ?? Number.POSITIVE_INFINITY;
  try {
    const found = parseDescriptor(
      await handlers.resolve(nameWithDigest(name), Math.min(deadline - ANSWER_MS, Date.now() + RESOLVE_MS)),
    );
    if (found === undefined) throw new Error('the worker answered with something that is no descriptor');
    done(null, found);
  } catch (error) {
    const code = error instanceof BackendProblem ? error.code : 'INTERNAL';
    done({
      code: statusOfCode(code),
      details: plainText(`${code}: ${messageOf(error)}`),
    });
  }
}
