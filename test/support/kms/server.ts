import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { listenOnLoopback } from '../loopback.ts';
import { KmsError, KmsStore } from './store.ts';

/** What goes wrong with one call. */
export type KmsFault =
  | {
      readonly kind: 'error';
      readonly type: string;
      readonly status?: number;
      readonly headers?: Record<string, string>;
    }
  /** An answer of one's own, for example the page of a proxy. */
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly body: string;
      readonly headers?: Record<string, string>;
    }
  /** Changes what would have been answered. */
  | { readonly kind: 'change'; change(answer: Record<string, unknown>): unknown }
  | { readonly kind: 'hang' }
  /** Sends a byte now and then, without an end. */
  | { readonly kind: 'trickle' }
  | { readonly kind: 'reset' }
  | { readonly kind: 'late'; readonly ms: number };

export interface KmsCall {
  readonly operation: string;
  readonly keyId: string;
  readonly accessKey: string;
  /** The whole request body, to look for what should not be in it. */
  readonly body: string;
  /** `ok`, or the name of the error that was answered. */
  readonly outcome: string;
}

/** A KMS in this process, with the faults that a real one can't be made to show. */
export interface FakeKms {
  /** `http://127.0.0.1:port` */
  readonly url: string;
  readonly store: KmsStore;
  /** Calls in the order of their answers; those that hang are not among them. */
  readonly calls: KmsCall[];
  /** Every call that came in, by operation. */
  readonly asked: string[];
  /** The key that each of those was about, as it was named. */
  readonly askedAbout: string[];
  fault: ((operation: string, count: number, keyId: string) => KmsFault | undefined) | undefined;
  /** `kms:Operation`, for everybody. */
  readonly denied: Set<string>;
  /** Access keys that are known no more. */
  readonly expired: Set<string>;
  /** How far its clock is before that of this machine, in ms. */
  skewMs: number;
  stop(): Promise<void>;
  /** Comes back on the same port, with what it knew. */
  start(): Promise<void>;
}

/** KMS takes signatures of the last five minutes (AWS, "Signature Version 4"). */
const MAX_SKEW_MS = 5 * 60 * 1000;

export async function startKms(): Promise<FakeKms> {
  let server: Server;
  const listen = async (port?: number): Promise<string> => {
    server = createServer((request, response) => {
      answer(kms, request, response).catch(() => response.destroy());
    });
    return listenOnLoopback(server, port);
  };
  const kms: FakeKms = {
    ...{ url: '', store: new KmsStore(), calls: [], asked: [], askedAbout: [] },
    ...{ fault: undefined, denied: new Set<string>(), expired: new Set<string>(), skewMs: 0 },
    async stop() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
    async start() {
      await listen(Number(new URL(kms.url).port));
    },
  };
  return Object.assign(kms, { url: `http://${await listen()}` });
}

async function answer(kms: FakeKms, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await text(request);
  const operation = String(request.headers['x-amz-target']).replace('TrentService.', '');
  // A hostile body makes the answer fail, and the connection with it.
  const input = JSON.parse(body) as Record<string, unknown>;
  const keyId = String(input['KeyId']);
  kms.asked.push(operation);
  kms.askedAbout.push(keyId);
  const fault = kms.fault?.(operation, kms.asked.filter((one) => one === operation).length, keyId);
  if (fault?.kind === 'hang') return;
  if (fault?.kind === 'reset') return void response.destroy();
  if (fault?.kind === 'late') await delay(fault.ms);
  if (fault?.kind === 'trickle') return trickle(response);
  const accessKey = /Credential=([^/]+)\//.exec(request.headers.authorization ?? '')?.[1] ?? '';
  const made = answerOf(kms, fault, operation, input, accessKey, String(request.headers['x-amz-date']));
  kms.calls.push({ operation, keyId, accessKey, body, outcome: made.outcome });
  const date = new Date(Date.now() + kms.skewMs).toUTCString();
  response.writeHead(made.status, { 'content-type': 'application/x-amz-json-1.1', date, ...made.headers });
  response.end(made.body);
}

interface Answer {
  readonly outcome: string;
  readonly status: number;
  readonly body: string;
  readonly headers?: Record<string, string>;
}

function answerOf(
  kms: FakeKms,
  fault: KmsFault | undefined,
  operation: string,
  input: Record<string, unknown>,
  accessKey: string,
  signedAt: string,
): Answer {
  if (fault?.kind === 'answer') return { outcome: 'fault', ...fault };
  if (fault?.kind === 'error') {
    const body = JSON.stringify({ __type: fault.type, message: `${fault.type} for ${accessKey}` });
    return { outcome: fault.type, status: fault.status ?? 400, body, ...(fault.headers && { headers: fault.headers }) };
  }
  try {
    authorize(kms, operation, accessKey, signedAt);
    // The store answers with plain objects.
    const result = kms.store.run(operation, input) as Record<string, unknown>;
    const body = JSON.stringify(fault?.kind === 'change' ? fault.change(result) : result);
    return { outcome: 'ok', status: 200, body };
  } catch (error) {
    if (!(error instanceof KmsError)) throw error;
    return { outcome: error.type, status: 400, body: JSON.stringify({ __type: error.type, message: error.message }) };
  }
}

function authorize(kms: FakeKms, operation: string, accessKey: string, signedAt: string): void {
  const at = Date.parse(signedAt.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
  const age = Date.now() + kms.skewMs - at;
  if (age > MAX_SKEW_MS)
    throw new KmsError('InvalidSignatureException', `Signature expired: ${signedAt} is now earlier`);
  if (age < -MAX_SKEW_MS) throw new KmsError('InvalidSignatureException', `Signature not yet current: ${signedAt}`);
  if (kms.expired.has(accessKey)) throw new KmsError('ExpiredTokenException', `The token ${accessKey} is expired`);
  if (kms.denied.has(`kms:${operation}`)) {
    throw new KmsError('AccessDeniedException', `User ${accessKey} is not authorized to perform kms:${operation}`);
  }
}

async function trickle(response: ServerResponse): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/x-amz-json-1.1' });
  while (!response.destroyed) {
    response.write(' ');
    await delay(20);
  }
}
