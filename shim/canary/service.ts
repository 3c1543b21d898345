import {
  status as GrpcStatus,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { plainText } from '../../workflows/format/plain-text.ts';
import { messageOf } from '../log/message-of.ts';
import type { PartState } from '../metrics.ts';
import type { WireCanaryEvent, WireDescription } from '../proto/schema.ts';
import { type Canaries, CanaryBusy, type OpenCanary } from './canary.ts';

/** What the daemon lends and tells to the programs of its own user. */
export interface NodeHandlers {
  readonly canaries: Canaries;
  describe(): Promise<{ readonly metrics: string; readonly parts: readonly PartState[] }>;
}

/** `portcullis.v1.Node`, for the daemon's own socket. */
export function nodeHandlers({ canaries, describe }: NodeHandlers): UntypedServiceImplementation {
  return {
    OpenCanary: (call: ServerWritableStream<object, WireCanaryEvent>) => void lend(canaries, call),
    Describe: (_: ServerUnaryCall<object, WireDescription>, done: sendUnaryData<WireDescription>) => {
      describe().then(
        ({ metrics, parts }) => done(null, { metrics, missing: missingOf(parts) }),
        (error: unknown) => done({ code: GrpcStatus.INTERNAL, details: plainText(messageOf(error)) }),
      );
    },
  };
}

function missingOf(parts: readonly PartState[]): WireDescription['missing'] {
  return parts.flatMap(({ name, problem }) => (problem === undefined ? [] : [{ name, problem: plainText(problem) }]));
}

async function lend(canaries: Canaries, call: ServerWritableStream<object, WireCanaryEvent>): Promise<void> {
  let canary: OpenCanary | undefined;
  call.on('cancelled', () => void canary?.close());
  try {
    canary = await canaries.lend({
      asked: (digest) => void call.write({ images: null, asked: digest }),
      closed: () => call.end(),
    });
    const { bad, good, nonce } = canary;
    if (call.cancelled)
      await canary.close(); // while it waited for its turn
    else call.write({ images: { bad, good, nonce }, asked: '' });
  } catch (error) {
    const code = error instanceof CanaryBusy ? GrpcStatus.RESOURCE_EXHAUSTED : GrpcStatus.INTERNAL;
    call.emit('error', { code, details: plainText(messageOf(error)) });
  }
}
