import { Client, credentials, status as GrpcStatus, type ServiceError, type StatusObject } from '@grpc/grpc-js';
import { isReasonCode, REASON_OUTCOME, type Reason } from '../../workflows/verdict/reason.ts';
import {
  RESOLVE_METHOD,
  statusMessage,
  verdictMessage,
  WATCH_METHOD,
  type WireCheck,
  type WireDescriptor,
  type WireProgress,
  type WireVerdict,
} from '../proto/schema.ts';

/** The shim's gRPC service, as a command line uses it. */
export interface VerifierClient {
  /** Verifies, telling each step; answers the verdict whatever it is. Rejects when none came. */
  watch(name: string, digest: string, show: (checks: readonly WireCheck[]) => void): Promise<WireVerdict>;
  /** Answers why not, when a worker or the shim says that with a code. Rejects when nothing of that kind came. */
  resolve(name: string): Promise<WireDescriptor | Reason>;
  close(): void;
}

/** Longer than the shim's own deadline, so that its reason comes first. */
const DEADLINE_MS = 15_000;

/** Connects to a shim when first asked; close it in the end. */
export function connectVerifier(socketPath: string): VerifierClient {
  const client = new Client(`unix:${socketPath}`, credentials.createInsecure());
  const deadline = () => ({ deadline: Date.now() + DEADLINE_MS });
  return {
    watch: (name, digest, show) =>
      new Promise((resolve, reject) => {
        let verdict: WireVerdict | undefined;
        const request = { name, descriptor: { mediaType: '', digest, size: 0 } };
        const stream = client.makeServerStreamRequest(
          WATCH_METHOD.path,
          WATCH_METHOD.requestSerialize,
          WATCH_METHOD.responseDeserialize,
          request,
          deadline(),
        );
        stream.on('data', (progress: WireProgress) => {
          show(progress.checks);
          if (progress.verdict !== null) verdict = progress.verdict;
        });
        stream.on('error', (error: ServiceError) => {
          const refused = verdictOf(error);
          if (refused === undefined) reject(toError(error, socketPath));
          else resolve(refused);
        });
        // An allow needs both: the verdict, and the status OK that ends the stream.
        stream.on('status', ({ code }: StatusObject) => {
          if (code !== GrpcStatus.OK) return; // comes as an error, too
          if (verdict?.outcome === 'ALLOW') resolve(verdict);
          else reject(new Error(`the shim at ${socketPath} ended without an allow and without an error`));
        });
      }),
    resolve: (name) =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(
          RESOLVE_METHOD.path,
          RESOLVE_METHOD.requestSerialize,
          (bytes) => RESOLVE_METHOD.responseDeserialize(bytes) as WireDescriptor, // what verifier.proto says
          { name },
          deadline(),
          (error, found) => {
            const answer = error === null ? found : reasonOf(error);
            if (answer === undefined) reject(toError(error, socketPath));
            else resolve(answer);
          },
        );
      }),
    close: () => client.close(),
  };
}

/** The verdict in the typed detail of a refusal's status; one that claims to be an allow is none. */
function verdictOf(error: ServiceError): WireVerdict | undefined {
  const [bytes] = error.metadata.get('grpc-status-details-bin');
  if (!Buffer.isBuffer(bytes)) return undefined;
  try {
    const detail = statusMessage.decode(bytes).details.find((one) => one.type_url === verdictMessage.typeUrl);
    const verdict = detail === undefined ? undefined : verdictMessage.decode(detail.value);
    return verdict?.outcome === 'DENY' || verdict?.outcome === 'INCONCLUSIVE' ? verdict : undefined;
  } catch {
    return undefined; // bytes that are no status: the error itself is what there is to tell
  }
}

/** The reason in the text of an error; a code that allows is not the reason of a failure. */
function reasonOf({ details }: ServiceError): Reason | undefined {
  const [, code = '', sentence = ''] = /^([A-Z_]{1,64}): (.*)$/s.exec(details) ?? [];
  return isReasonCode(code) && REASON_OUTCOME[code] !== 'allow' ? { code, sentence } : undefined;
}

function toError(error: ServiceError | null, socketPath: string): Error {
  if (error === null) return new Error(`the shim at ${socketPath} answered nothing`);
  const [, cause] = /\b(ENOENT|ECONNREFUSED|EACCES)\b/.exec(error.details) ?? [];
  if (error.code !== GrpcStatus.UNAVAILABLE || cause === undefined) return new Error(error.details);
  if (cause === 'EACCES') return new Error(`the shim at ${socketPath} answers its own user only; run this as root`);
  return new Error(`no portcullis shim answers at ${socketPath}; is it running ("portcullis shim")?`);
}
