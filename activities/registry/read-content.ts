import { createHash } from 'node:crypto';
import type { Digest } from '../../workflows/digest.ts';
import { type Party, Slots } from '../judging/slots.ts';
import { MAX_LARGE_READS, MAX_LIGHT_EVIDENCE_BYTES, MAX_REGISTRY_REQUEST_MS } from '../limits.ts';
import { eachChunk } from './bounded-body.ts';
import { digestFrom } from './content-digest.ts';
import { transportFailure } from './failure.ts';
import { discard } from './transport.ts';

/** Bytes, and the digest that they have. */
export interface Content {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
}

/** Of all registries together: what is large is read a few at a time, whoever asks for it. */
const largeReads = new Slots(MAX_LARGE_READS);

/**
 * Reads content of at most `maxBytes`, `too-large` when there is more, and hashes it as it arrives. What is larger than any
 * signature waits for one of few places, in fair shares of registries and repositories, so that the memory of all reads
 * together is bounded. Throws as {@link eachChunk}.
 */
export async function readContent(
  what: string,
  response: Response,
  { maxBytes, party }: { readonly maxBytes: number; readonly party: Party },
  signal: AbortSignal,
): Promise<Content | 'too-large'> {
  if (declaredLength(response) > maxBytes) {
    await discard(response);
    return 'too-large';
  }
  const hash = createHash('sha256');
  const chunks: Uint8Array[] = [];
  let length = 0;
  let leave: (() => void) | undefined;
  try {
    for await (const chunk of eachChunk(what, response, signal)) {
      length += chunk.byteLength;
      if (length > maxBytes) return 'too-large';
      hash.update(chunk);
      chunks.push(chunk);
      if (length > MAX_LIGHT_EVIDENCE_BYTES) leave ??= await placeFor(what, party, signal);
    }
    return { bytes: Buffer.concat(chunks, length), digest: digestFrom(hash) };
  } finally {
    leave?.();
  }
}

/** What an encoded body is decoded to has another length. */
function declaredLength({ headers }: Response): number {
  return headers.get('content-encoding') === null ? Number(headers.get('content-length') ?? 0) : 0;
}

async function placeFor(what: string, party: Party, signal: AbortSignal): Promise<() => void> {
  const leave = await largeReads.enter(party, MAX_REGISTRY_REQUEST_MS, signal);
  if (leave === undefined) throw transportFailure(what, signal.reason, AbortSignal.abort());
  return leave;
}
