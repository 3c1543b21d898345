import { viaOf } from './exchange.ts';
import { transportFailure } from './failure.ts';
import { discard } from './transport.ts';

/**
 * Reads a body of at most `maxBytes` decoded bytes, until the signal ends it; `too-large` when there is more. Throws
 * REGISTRY_TIMEOUT, REGISTRY_UNREACHABLE when the connection breaks, REGISTRY_MISBEHAVED for a broken encoding.
 */
export async function readBounded(
  what: string,
  response: Response,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Uint8Array | 'too-large'> {
  const encoded = response.headers.get('content-encoding') !== null;
  if (!encoded && Number(response.headers.get('content-length') ?? 0) > maxBytes) {
    await discard(response);
    return 'too-large';
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of eachChunk(what, response, signal)) {
    length += chunk.byteLength;
    if (length > maxBytes) return 'too-large';
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

/**
 * The decoded bytes of a body as they arrive, until the signal ends it; a caller that leaves gives the connection back.
 * Throws REGISTRY_TIMEOUT, REGISTRY_UNREACHABLE when the connection breaks, REGISTRY_MISBEHAVED for a broken encoding.
 */
export async function* eachChunk(
  what: string,
  response: Response,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (response.body === null) return;
  // Content-Encoding is decoded by now, so these are the bytes that would fill memory.
  const reader = response.body.getReader();
  const end = () => void reader.cancel().catch(() => undefined);
  signal.addEventListener('abort', end, { once: true });
  try {
    for (;;) {
      const { done, value } = await nextChunk(`${what}${viaOf(response)}`, reader, signal);
      if (done) return;
      yield value;
    }
  } finally {
    signal.removeEventListener('abort', end);
    end();
  }
}

async function nextChunk(what: string, reader: ReadableStreamDefaultReader<Uint8Array>, signal: AbortSignal) {
  try {
    signal.throwIfAborted();
    const next = await reader.read();
    // A cancelled reader says "done" as well.
    signal.throwIfAborted();
    return next;
  } catch (error) {
    throw transportFailure(what, error, signal);
  }
}
