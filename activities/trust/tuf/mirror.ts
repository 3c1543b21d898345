import { EvidenceError } from '../../evidence-error.ts';
import { readBounded } from '../../http/bounded-body.ts';
import { isUntrusted, untrustedWords } from '../../http/http-fault.ts';
import { proxyFailureOf } from '../../http/proxy-tunnel.ts';
import { send } from '../../http/transport.ts';
import { MAX_TUF_REQUEST_MS } from '../../limits.ts';

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
 * A mirror that is asked over HTTP. Redirects are followed as those of a registry are, and plain HTTP is spoken: what is
 * accepted is signed. Each request is bounded in bytes and time, its slow body included.
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
        const what = `GET ${path}`;
        const url = new URL(prefix + path);
        const { response } = await send({ what, method: 'GET', url, redirects: 'all' }, signal);
        const { status } = response;
        if (status !== 200) throw new MirrorError(`it answered ${status} to ${path}`, status);
        const bytes = await readBounded(what, response, maxBytes, signal);
        if (bytes === 'too-large') throw new MirrorError(`it answered more than ${maxBytes} bytes to ${path}`, status);
        return bytes;
      } catch (error) {
        if (error instanceof MirrorError) throw error;
        if (signal.aborted) throw new MirrorError(`no complete answer to ${path} in time`, undefined, error);
        if (error instanceof EvidenceError && /^REGISTRY_(?:MISBEHAVED|INTERNAL_ADDRESS)$/.test(error.code)) {
          throw new MirrorError(error.message, undefined, error);
        }
        const proxy = proxyFailureOf(error instanceof EvidenceError ? error.cause : error);
        if (proxy !== undefined) throw new MirrorError(proxy.message, undefined, error);
        const cause = error instanceof EvidenceError ? error.cause : error;
        const code = systemCode(cause);
        if (isUntrusted(code)) throw new MirrorError(untrustedWords(code), undefined, cause);
        throw new MirrorError(`the connection for ${path} failed (${code})`, undefined, cause);
      } finally {
        clearTimeout(timer);
        done.abort();
      }
    },
  };
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
