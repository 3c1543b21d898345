/**
 * The conversation between the launcher (`launcher/portcullis-verifier.c`) and the daemon, version 1, over a Unix
 * stream socket. All numbers are unsigned, 32 bits, big-endian.
 *
 * ```
 * launcher: "portcullis-launcher/1\n"
 *           count of arguments, then for each argument its length and its bytes
 *           length of standard input and its bytes
 *           end of stream (half-close)
 * daemon:   "allow\n" end of stream                 the pull may go on
 *           "refuse\n" <one line> "\n" end of stream  it may not, and why
 * ```
 *
 * Whatever else the daemon says is no answer, and the launcher refuses.
 */
import type { Socket } from 'node:net';
import { plainText } from '../../workflows/format/plain-text.ts';

/** What containerd gave the launcher, verbatim. */
export interface LauncherRequest {
  readonly arguments: readonly string[];
  readonly stdin: Uint8Array;
}

/** Bounds of a request; the launcher compiled beside this file keeps to the same ones. */
export interface LauncherLimits {
  readonly maxArguments: number;
  /** Bytes of all arguments together. */
  readonly maxArgumentBytes: number;
  readonly maxStdinBytes: number;
}

export const LAUNCHER_LIMITS: LauncherLimits = {
  maxArguments: 64,
  maxArgumentBytes: 64 * 1024,
  maxStdinBytes: 1024 * 1024,
};

export interface ReadOptions {
  /** Ends the wait for a launcher that does not finish its request. */
  readonly signal?: AbortSignal;
  /** Told how many bytes are kept of an unfinished request, whenever that changes. */
  readonly onKept?: (bytes: number) => void;
  readonly limits?: LauncherLimits;
}

/** The other end does not speak this protocol, or not in time. The message is one sentence without its bytes. */
export class LauncherProtocolError extends Error {
  override readonly name = 'LauncherProtocolError';
}

const MAGIC = new TextEncoder().encode('portcullis-launcher/1\n');

/** Longest refusal in bytes, its line feed included: what the launcher prints in one write. */
const MAX_REASON_BYTES = 4096;

/** The most bytes a request may have. */
export const MAX_REQUEST_BYTES = maxRequestBytes(LAUNCHER_LIMITS);

/**
 * Reads one request up to the end of its stream and keeps the socket open for the answer. Holds no more bytes than the
 * limits allow, and gives up at the first one that no request has at that place. Throws {@link LauncherProtocolError}.
 */
export async function readLauncherRequest(socket: Socket, options: ReadOptions = {}): Promise<LauncherRequest> {
  const limits = options.limits ?? LAUNCHER_LIMITS;
  return parseLauncherRequest(await readToEnd(socket, limits, options), limits);
}

function maxRequestBytes(limits: LauncherLimits): number {
  return MAGIC.length + 4 + 4 * limits.maxArguments + limits.maxArgumentBytes + 4 + limits.maxStdinBytes;
}

function readToEnd(socket: Socket, limits: LauncherLimits, { signal, onKept }: ReadOptions): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    // One buffer that grows: chunks of a byte each would take a hundred times what they hold.
    let kept: Buffer = Buffer.alloc(FIRST_BYTES);
    let length = 0;
    const finish = (problem?: LauncherProtocolError) => {
      socket.off('data', keep).off('end', end).off('error', broke).off('close', cut);
      signal?.removeEventListener('abort', late);
      socket.resume(); // what still comes is dropped: a launcher that is busy sending must get to read the answer
      if (problem === undefined) resolve(kept.subarray(0, length));
      else reject(problem);
      kept = Buffer.of();
    };
    const fail = (problem: string) => finish(new LauncherProtocolError(`launcher request: ${problem}`));
    const keep = (chunk: Buffer) => {
      if (length + chunk.length > maxRequestBytes(limits)) {
        return fail(`expected at most ${maxRequestBytes(limits)} bytes, found more`);
      }
      if (length + chunk.length > kept.length) {
        kept = Buffer.concat([kept], Math.min(2 * (length + chunk.length), maxRequestBytes(limits)));
        onKept?.(kept.length);
      }
      length += chunk.copy(kept, length);
      const problem = checkBeginning(kept.subarray(0, length), limits);
      if (problem !== undefined) finish(problem);
    };
    const end = () => finish();
    const broke = (error: Error) => fail(`the connection broke: ${error.message}`);
    const cut = () => fail('the connection was closed before its end');
    const late = () => fail(`no end after ${length} bytes in the time given`);
    if (signal?.aborted) return late();
    signal?.addEventListener('abort', late);
    socket.on('data', keep).on('end', end).on('error', broke).on('close', cut);
  });
}

/** Room for a usual request: names, a digest, a descriptor. */
const FIRST_BYTES = 1_024;

/** Why nothing that begins with these bytes can be a request; `undefined` when it can. */
function checkBeginning(bytes: Uint8Array, limits: LauncherLimits): LauncherProtocolError | undefined {
  try {
    checkMagic(bytes.subarray(0, MAGIC.length));
    const more = bytes.length - leastLength(bytes, limits);
    return more > 0 ? expectedEnd(more) : undefined;
  } catch (error) {
    return error instanceof LauncherProtocolError ? error : new LauncherProtocolError('launcher request: unreadable');
  }
}

/** How many bytes a request has that begins with these, as far as they tell. Throws when one of its parts is too long. */
function leastLength(bytes: Uint8Array, limits: LauncherLimits): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = MAGIC.length + 4;
  if (bytes.length < end) return end;
  const count = bounded('count of arguments', view.getUint32(end - 4), limits.maxArguments);
  let left = limits.maxArgumentBytes;
  for (let word = 1; word <= count; word++) {
    if (bytes.length < end + 4) return end + 4;
    const length = bounded('argument', view.getUint32(end), left);
    left -= length;
    end += 4 + length;
  }
  if (bytes.length < end + 4) return end + 4;
  return end + 4 + bounded('standard input', view.getUint32(end), limits.maxStdinBytes);
}

function bounded(what: string, value: number, most: number): number {
  if (value <= most) return value;
  throw new LauncherProtocolError(`launcher request: ${what}: expected at most ${most}, found ${value}`);
}

function checkMagic(bytes: Uint8Array): void {
  if (bytes.every((byte, at) => MAGIC[at] === byte)) return;
  throw new LauncherProtocolError(
    'launcher request: expected "portcullis-launcher/1"; install the launcher of this shim',
  );
}

function expectedEnd(more: number): LauncherProtocolError {
  return new LauncherProtocolError(`launcher request: expected its end, found ${more} bytes more`);
}

/** Parses a whole request. Throws {@link LauncherProtocolError} for anything that is not exactly one. */
export function parseLauncherRequest(bytes: Uint8Array, limits: LauncherLimits = LAUNCHER_LIMITS): LauncherRequest {
  checkMagic(Buffer.concat([bytes], MAGIC.length));
  const reader = new Reader(bytes, MAGIC.length);
  const count = reader.length('count of arguments', limits.maxArguments);
  const words: string[] = [];
  for (let left = limits.maxArgumentBytes; words.length < count; ) {
    const word = reader.bytes(reader.length('argument', left), 'argument');
    left -= word.length;
    words.push(decodeUtf8(word, words.length + 1));
  }
  const stdin = reader.bytes(reader.length('standard input', limits.maxStdinBytes), 'standard input');
  reader.end();
  return { arguments: words, stdin };
}

function decodeUtf8(bytes: Uint8Array, position: number): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new LauncherProtocolError(`launcher request: argument ${position}: expected UTF-8`);
  }
}

class Reader {
  readonly #bytes: Uint8Array;
  #at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  bytes(length: number, what: string): Uint8Array {
    const end = this.#at + length;
    if (end > this.#bytes.length) {
      const found = this.#bytes.length - this.#at;
      throw new LauncherProtocolError(`launcher request: ${what}: expected ${length} bytes, found ${found}`);
    }
    const part = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return part;
  }

  /** A number that announces something, checked before anything is taken for it. */
  length(what: string, most: number): number {
    const part = this.bytes(4, `length of ${what}`);
    return bounded(what, new DataView(part.buffer, part.byteOffset, 4).getUint32(0), most);
  }

  end(): void {
    const rest = this.#bytes.length - this.#at;
    if (rest > 0) throw expectedEnd(rest);
  }
}

/** The one answer that lets a pull go on. */
export function encodeAllow(): Uint8Array {
  return new TextEncoder().encode('allow\n');
}

/** A refusal: the reason as one line that a terminal only shows, cut at a character after 4095 bytes. */
export function encodeRefusal(reason: string): Uint8Array {
  const line = plainText(reason).trim();
  const kept = new Uint8Array(MAX_REASON_BYTES - 1);
  const { written } = new TextEncoder().encodeInto(line === '' ? 'REFUSED: no reason was given' : line, kept);
  return Buffer.concat([Buffer.from('refuse\n'), kept.subarray(0, written), Buffer.from('\n')]);
}
