import { Client, credentials, Metadata, type ServiceError, type StatusObject } from '@grpc/grpc-js';
import {
  statusMessage,
  VERIFY_METHOD,
  verdictMessage,
  WATCH_METHOD,
  type WireDescriptor,
  type WireProgress,
  type WireVerdict,
} from '../../shim/proto/schema.ts';

/** How a call ended, as a caller sees it. */
export interface CallEnd {
  readonly code: number;
  readonly details: string;
  /** From the response, or from the typed detail of the status. */
  readonly verdict: WireVerdict | undefined;
  readonly milliseconds: number;
}

/** A question as a caller writes it, good or not. */
export interface WireQuestion {
  readonly name?: string;
  readonly descriptor?: Partial<WireDescriptor>;
}

/** A caller of a shim's gRPC service that looks closely at what it gets. */
export interface VerifierCaller {
  readonly client: Client;
  verify(question: WireQuestion | Buffer, deadline?: number): Promise<CallEnd>;
  watch(question: WireQuestion): Promise<{ readonly end: CallEnd; readonly progress: readonly WireProgress[] }>;
  close(): void;
}

export function callVerifier(socketPath: string): VerifierCaller {
  const client = new Client(`unix:${socketPath}`, credentials.createInsecure());
  return {
    client,
    verify: (question, deadline = Number.POSITIVE_INFINITY) =>
      new Promise((resolve) => {
        const begun = performance.now();
        client.makeUnaryRequest(
          VERIFY_METHOD.path,
          (asked: WireQuestion | Buffer) => (Buffer.isBuffer(asked) ? asked : VERIFY_METHOD.requestSerialize(asked)),
          // what verifier.proto says
          (bytes) => VERIFY_METHOD.responseDeserialize(bytes) as { readonly verdict: WireVerdict },
          question,
          new Metadata(),
          { deadline },
          (error, response) => {
            const milliseconds = performance.now() - begun;
            if (error !== null) resolve({ ...refusalOf(error), milliseconds });
            else resolve({ code: 0, details: '', verdict: response?.verdict, milliseconds });
          },
        );
      }),
    watch: (question) =>
      new Promise((resolve) => {
        const begun = performance.now();
        const progress: WireProgress[] = [];
        const stream = client.makeServerStreamRequest(
          WATCH_METHOD.path,
          WATCH_METHOD.requestSerialize,
          WATCH_METHOD.responseDeserialize,
          question,
        );
        stream.on('data', (one: WireProgress) => progress.push(one));
        stream.on('error', () => {}); // the status says the same
        stream.on('status', (status: StatusObject) => {
          resolve({ end: { ...refusalOf(status), milliseconds: performance.now() - begun }, progress });
        });
      }),
    close: () => client.close(),
  };
}

function refusalOf(status: StatusObject | ServiceError): Omit<CallEnd, 'milliseconds'> {
  const [bytes] = status.metadata.get('grpc-status-details-bin');
  const details = Buffer.isBuffer(bytes) ? statusMessage.decode(bytes).details : [];
  const detail = details.find((one) => one.type_url === verdictMessage.typeUrl);
  return {
    code: status.code,
    details: status.details,
    verdict: detail === undefined ? undefined : verdictMessage.decode(detail.value),
  };
}
