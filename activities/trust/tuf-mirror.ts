import { connections } from '../http/connections.ts';
import { MAX_TUF_REQUEST_MS } from '../limits.ts';

/** Where the files of a TUF repository are had from. */
export interface TufMirror {
  /** For sentences. */
  readonly name: string;
  /** One file, of at most `maxBytes`. Throws {@link MirrorError}. */
  get(path: string, maxBytes: number, signal: AbortSignal): Promise<Uint8Array>;
}

/** A file could not be had; the message is one line. */
export class MirrorError extends Error {
  override readonly name = 'MirrorError';
  /** What the mirror answered; `undefined` when it did not. */
  readonly status: number | undefined;

  constructor(message: string, status?: number, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.status = status;
  }
}

export interface HttpMirrorOptions {
  /** One request with its body, in ms. */
  readonly requestMs?: number;
}

/**
 * A mirror that is asked over HTTP. Redirects are followed and plain HTTP is spoken: what is believed is signed. Each
 * request is bounded in bytes and time, its slow body included.
 */
export function httpMirror(base: URL, { requestMs = MAX_TUF_REQUEST_MS }: HttpMirrorOptions = {}): TufMirror {
  const prefix = base.href.endsWith('/') ? base.href : `${base.href}/`;
  return {
    name: base.href,
    async get(path, maxBytes, outer) {
      // Ends the connection in every case: a body that is left alone would hold it open.
      const done = new AbortController();
      const timer = setTimeout(() => done.abort(), requestMs).unref();
      const signal = AbortSignal.any([outer, done.signal]);
      try {
        const response = await fetch(prefix + path, { signal, dispatcher: connections().dispatcher });
        if (response.status !== 200)
          throw new MirrorError(`it answered ${response.status} to ${path}`, response.status);
        return await readBody(response, path, maxBytes);
      } catch (error) {
        if (error instanceof MirrorError) throw error;
        if (signal.aborted) throw new MirrorError(`no complete answer to ${path} in time`, undefined, error);
        throw new MirrorError(`the connection for ${path} failed (${systemCode(error)})`, undefined, error);
      } finally {
        clearTimeout(timer);
        done.abort();
      }
    },
  };
}

async function readBody(response: Response, path: string, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  // fetch decodes Content-Encoding on its own, so these are the bytes that would fill memory.
  for await (const chunk of response.body ?? []) {
    length += chunk.byteLength;
    if (length > maxBytes) throw new MirrorError(`it answered more than ${maxBytes} bytes to ${path}`, response.status);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

/** A mirror that is in memory already. */
export function memoryMirror(name: string, files: ReadonlyMap<string, Uint8Array>): TufMirror {
  return {
    name,
    async get(path, maxBytes) {
      const bytes = files.get(decodeURIComponent(path));
      if (bytes === undefined) throw new MirrorError(`it has no ${path}`, 404);
      if (bytes.byteLength > maxBytes) throw new MirrorError(`it has more than ${maxBytes} bytes at ${path}`, 200);
      return bytes;
    },
  };
}

/** The system's error code, looked for down the chain of causes; messages are left out, they quote URLs. */
function systemCode(error: unknown): string {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++) {
    if ('code' in cause && typeof cause.code === 'string' && /^[A-Z][A-Z0-9_]*$/.test(cause.code)) return cause.code;
  }
  return 'no further detail';
}
