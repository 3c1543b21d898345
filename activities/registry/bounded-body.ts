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
  if (response.body === null) return new Uint8Array(0);
  // fetch decodes Content-Encoding on its own, so these are the bytes that would fill memory.
  const reader = response.body.getReader();
  const end = () => void reader.cancel().catch(() => undefined);
  signal.addEventListener('abort', end, { once: true });
  try {
    return await collect(reader, maxBytes, signal);
  } catch (error) {
    throw transportFailure(what, error, signal);
  } finally {
    signal.removeEventListener('abort', end);
    end();
  }
}

async function collect(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Uint8Array | 'too-large'> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    // A cancelled reader says "done" as well.
    signal.throwIfAborted();
    if (done) return Buffer.concat(chunks, length);
    length += value.byteLength;
    if (length > maxBytes) return 'too-large';
    chunks.push(value);
  }
}
