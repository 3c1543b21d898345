import { status as GrpcStatus, type ServerWritableStream, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { messageOf } from '../message-of.ts';
import type { WireCanaryEvent } from '../proto/schema.ts';
import { type Canaries, CanaryBusy, type OpenCanary } from './canary.ts';

/** `portcullis.v1.Node`, for the daemon's own socket. */
export function nodeHandlers(canaries: Canaries): UntypedServiceImplementation {
  return { OpenCanary: (call: ServerWritableStream<object, WireCanaryEvent>) => void lend(canaries, call) };
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
    call.emit('error', { code, details: messageOf(error) });
  }
}
