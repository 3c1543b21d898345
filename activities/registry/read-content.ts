import { createHash } from 'node:crypto';
import type { Digest } from '../../workflows/format/digest.ts';
import { EvidenceError } from '../evidence-error.ts';
import { eachChunk } from '../http/bounded-body.ts';
import { misbehaved, transportFailure } from '../http/failure.ts';
import { discard, type HttpRequest } from '../http/transport.ts';
import { type Party, Slots } from '../judging/slots.ts';
import { LARGE_READ_BYTES, MAX_LARGE_READS, MAX_LIGHT_EVIDENCE_BYTES, MAX_REGISTRY_REQUEST_MS } from '../limits.ts';
import type { Ask } from './authorization/ask.ts';
import { digestFrom } from './content-digest.ts';
import { unexpectedStatus } from './failure.ts';

/** Bytes, and the digest that they have. */
export interface Content {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
}

/** Of all registries together: what is large is read a few at a time, whoever asks for it. */
const largeReads = new Slots(MAX_LARGE_READS);

/** Takes over the place of content in memory: it is given back by `leave`, once the content is not needed any more. */
export type KeepPlace = (leave: () => void) => void;

export interface ContentLimits {
  readonly maxBytes: number;
  readonly party: Party;
  /** Without it the place is given back when the content was read. */
  readonly keepPlace?: KeepPlace | undefined;
}

/**
 * Reads content of at most `maxBytes`, `too-large` when there is more, and hashes it as it arrives. What is larger than any
 * signature waits for room, in fair shares of registries and repositories, so that the memory of all such content
 * together is bounded. Throws as {@link eachChunk}.
 */
export async function readContent(
  what: string,
  response: Response,
  { maxBytes, party, keepPlace }: ContentLimits,
  signal: AbortSignal,
): Promise<Content | 'too-large'> {
  const declared = declaredLength(response);
  const places = Math.ceil((declared || maxBytes) / LARGE_READ_BYTES);
  if (declared > maxBytes) {
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
      if (length > MAX_LIGHT_EVIDENCE_BYTES) leave ??= await placesFor(what, { party, places }, signal);
    }
    const content = { bytes: Buffer.concat(chunks, length), digest: digestFrom(hash) };
    if (leave === undefined || keepPlace === undefined) return content;
    keepPlace(leave);
    leave = undefined;
    return content;
  } finally {
    leave?.();
  }
}

/** What an encoded body is decoded to has another length. */
function declaredLength({ headers }: Response): number {
  return headers.get('content-encoding') === null ? Number(headers.get('content-length') ?? 0) : 0;
}

async function placesFor(
  what: string,
  { party, places }: { readonly party: Party; readonly places: number },
  signal: AbortSignal,
): Promise<() => void> {
  const leave = await largeReads.enter(party, MAX_REGISTRY_REQUEST_MS, signal, places);
  if (leave === undefined) throw transportFailure(what, signal.reason, AbortSignal.abort());
  return leave;
}

/** Content of a registry, `undefined` on its 404. Throws the REGISTRY_ codes, and EVIDENCE_TOO_LARGE. */
export async function getContent(
  ask: Ask,
  request: Omit<HttpRequest, 'authorization'>,
  expected: Pick<ContentLimits, 'maxBytes' | 'keepPlace'> & { readonly digest: Digest | undefined },
  signal: AbortSignal,
): Promise<Content | undefined> {
  const { what } = request;
  const { response } = await ask(request, signal);
  if (response.status !== 200) await discard(response);
  if (response.status === 404) return undefined;
  if (response.status !== 200) throw unexpectedStatus(what, '200 or 404', response);
  const { maxBytes, keepPlace } = expected;
  let leave: (() => void) | undefined;
  const limits = {
    maxBytes,
    party: partyOf(request.url),
    ...(keepPlace && { keepPlace: (one: () => void) => (leave = one) }),
  };
  const content = await readContent(what, response, limits, signal);
  if (content === 'too-large') {
    const message = `${what}: expected at most ${maxBytes} bytes, got more`;
    throw new EvidenceError('EVIDENCE_TOO_LARGE', message, { retryable: false });
  }
  const { bytes, digest } = content;
  if (expected.digest !== undefined && digest !== expected.digest) {
    leave?.();
    throw misbehaved(what, `expected ${expected.digest}, got ${bytes.byteLength} bytes that hash to ${digest}`, true);
  }
  if (leave !== undefined) keepPlace?.(leave);
  return content;
}

/** The repository that a request is about. */
function partyOf({ host, pathname }: URL): Party {
  return { host, part: pathname.replace(/\/(?:blobs|manifests)\/[^/]*$/, '') };
}
