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
  readonly limits?: LauncherLimits;
}

/** The other end does not speak this protocol, or not in time. The message is one sentence without its bytes. */
export class LauncherProtocolError extends Error {
  override readonly name = 'LauncherProtocolError';
}

const MAGIC = new TextEncoder().encode('portcullis-launcher/1\n');

/** Longest refusal in bytes, its line feed included: what the launcher prints in one write. */
const MAX_REASON_BYTES = 4096;

/**
 * Reads one request up to the end of its stream and keeps the socket open for the answer. Holds no more bytes than the
 * limits allow. Throws {@link LauncherProtocolError}.
 */
export async function readLauncherRequest(socket: Socket, options: ReadOptions = {}): Promise<LauncherRequest> {
  const limits = options.limits ?? LAUNCHER_LIMITS;
  return parseLauncherRequest(await readToEnd(socket, maxRequestBytes(limits), options.signal), limits);
}

function maxRequestBytes(limits: LauncherLimits): number {
  return MAGIC.length + 4 + 4 * limits.maxArguments + limits.maxArgumentBytes + 4 + limits.maxStdinBytes;
}

function readToEnd(socket: Socket, maxBytes: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const finish = (problem?: string) => {
      socket.off('data', keep).off('end', end).off('error', broke).off('close', cut);
      signal?.removeEventListener('abort', late);
      socket.resume(); // what still comes is dropped: a launcher that is busy sending must get to read the answer
      if (problem === undefined) resolve(Buffer.concat(chunks));
      else reject(new LauncherProtocolError(problem));
    };
    const keep = (chunk: Buffer) => {
      length += chunk.length;
      if (length > maxBytes) finish(`launcher request: expected at most ${maxBytes} bytes, found more`);
      else chunks.push(chunk);
    };
    const end = () => finish();
    const broke = (error: Error) => finish(`launcher request: the connection broke: ${error.message}`);
    const cut = () => finish('launcher request: the connection was closed before its end');
    const late = () => finish(`launcher request: no end after ${length} bytes in the time given`);
    if (signal?.aborted) return late();
    signal?.addEventListener('abort', late);
    socket.on('data', keep).on('end', end).on('error', broke).on('close', cut);
  });
}

/** Parses a whole request. Throws {@link LauncherProtocolError} for anything that is not exactly one. */
export function parseLauncherRequest(bytes: Uint8Array, limits: LauncherLimits = LAUNCHER_LIMITS): LauncherRequest {
  if (!MAGIC.every((byte, at) => bytes[at] === byte)) {
    throw new LauncherProtocolError(
      'launcher request: expected "portcullis-launcher/1"; install the launcher of this shim',
    );
  }
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
    const value = new DataView(part.buffer, part.byteOffset, 4).getUint32(0);
    if (value > most)
      throw new LauncherProtocolError(`launcher request: ${what}: expected at most ${most}, found ${value}`);
    return value;
  }

  end(): void {
    const rest = this.#bytes.length - this.#at;
    if (rest > 0) throw new LauncherProtocolError(`launcher request: expected its end, found ${rest} bytes more`);
  }
}

/** The one answer that lets a pull go on. */
export function encodeAllow(): Uint8Array {
  return new TextEncoder().encode('allow\n');
}

/** A refusal: the reason as one line without control characters, cut at a character after 4095 bytes. */
export function encodeRefusal(reason: string): Uint8Array {
  const line = reason.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim();
  const kept = new Uint8Array(MAX_REASON_BYTES - 1);
  const { written } = new TextEncoder().encodeInto(line === '' ? 'REFUSED: no reason was given' : line, kept);
  return Buffer.concat([Buffer.from('refuse\n'), kept.subarray(0, written), Buffer.from('\n')]);
}
