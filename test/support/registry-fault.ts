import type { ServerResponse } from 'node:http';

/** What the registry would say, or says after a fault. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** What goes wrong. */
export type Effect =
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  /** The answer never begins. */
  | { readonly kind: 'hang' }
  /** The true answer, one byte a second. */
  | { readonly kind: 'drip' }
  /** The true headers, then this many bytes, then the connection breaks. */
  | { readonly kind: 'truncate'; readonly bytes: number }
  /** The true answer with another body: garbage, a wrong digest. */
  | { readonly kind: 'replace'; readonly body: Uint8Array; readonly headers?: Readonly<Record<string, string>> }
  /** 200 and this many bytes, streamed without a length. */
  | { readonly kind: 'oversize'; readonly bytes: number }
  | { readonly kind: 'redirect'; readonly to: string; readonly status?: number }
  /** The connection is cut without an answer. */
  | { readonly kind: 'reset' };

/** A fault for some requests: those that `matches`, the first `requests` of them, the first `forMs` milliseconds. */
export interface Fault {
  readonly effect: Effect;
  readonly matches?: (request: { readonly method: string; readonly path: string }) => boolean;
  readonly requests?: number;
  readonly forMs?: number;
}

/** Sends an answer, spoilt by the effect if there is one. */
export function sendAnswer(response: ServerResponse, answer: Answer, effect: Effect | undefined): void {
  if (effect === undefined) {
    writeHead(response, answer).end(answer.body);
    return;
  }
  switch (effect.kind) {
    case 'status':
      writeHead(response, { status: effect.status, headers: effect.headers ?? {}, body: new Uint8Array() }).end();
      return;
    case 'hang':
      return;
    case 'reset':
      response.destroy();
      return;
    case 'drip':
      writeHead(response, answer);
      drip(response, answer.body, 0);
      return;
    case 'truncate':
      writeHead(response, answer).write(answer.body.subarray(0, effect.bytes), () => response.destroy());
      return;
    case 'replace': {
      const headers = { ...answer.headers, ...effect.headers };
      writeHead(response, { status: 200, headers, body: effect.body }).end(effect.body);
      return;
    }
    case 'oversize':
      response.writeHead(200, answer.headers);
      pour(response, effect.bytes);
      return;
    case 'redirect':
      writeHead(response, {
        status: effect.status ?? 307,
        headers: { location: effect.to },
        body: new Uint8Array(),
      }).end();
  }
}

function writeHead(response: ServerResponse, { status, headers, body }: Answer): ServerResponse {
  return response.writeHead(status, { ...headers, 'content-length': body.byteLength });
}

function drip(response: ServerResponse, body: Uint8Array, at: number): void {
  if (response.destroyed) return;
  if (at >= body.byteLength) {
    response.end();
    return;
  }
  response.write(body.subarray(at, at + 1));
  setTimeout(drip, 1000, response, body, at + 1).unref();
}

function pour(response: ServerResponse, bytes: number): void {
  const chunk = Buffer.alloc(64 * 1024, ' ');
  let left = bytes;
  const more = () => {
    while (left > 0 && !response.destroyed) {
      left -= chunk.byteLength;
      if (!response.write(chunk)) return void response.once('drain', more);
    }
    response.end();
  };
  more();
}
