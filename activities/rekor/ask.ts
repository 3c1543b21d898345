import { isRecord } from '../../workflows/format/record.ts';
import { EvidenceError } from '../evidence-error.ts';
import { readBounded } from '../http/bounded-body.ts';
import { discard, send } from '../http/transport.ts';
import { parseStrictJson } from '../text/strict-json.ts';
import type { TransparencyLog } from '../trust/trust-root.ts';
import { asLogFailure, misbehaved, unexpectedStatus } from './failure.ts';

/** One question to a log. */
export interface LogQuestion {
  /** Below the log's base URL, for example `api/v1/log`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Sent by POST, as JSON. */
  readonly body?: unknown;
  /** A larger answer is not read. */
  readonly maxBytes: number;
  /** Statuses besides 200 that are an answer, and come back as a number. */
  readonly alsoAnswers?: readonly number[];
}

/** Asks one log; made by {@link askerOf}. Throws the LOG_ codes that are about reaching it. */
export type Ask = (question: LogQuestion, signal: AbortSignal) => Promise<Uint8Array | number>;

export interface AskSettings {
  /** Bounds every request, its body included, whatever time its caller has. */
  readonly requestTimeoutMs: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** A log that said when to come back is not asked before, by nobody: the answer until then is the one that it gave. */
export function askerOf(log: TransparencyLog, { requestTimeoutMs, now }: AskSettings): Ask {
  const ask = plainAskerOf(log, requestTimeoutMs);
  let closed: { readonly until: number; readonly by: EvidenceError } | undefined;
  return async (question, signal) => {
    const wait = closed === undefined ? 0 : closed.until - now();
    if (closed !== undefined && wait > 0) throw postponed(closed.by, wait);
    try {
      return await ask(question, signal);
    } catch (error) {
      if (error instanceof EvidenceError && error.retryAfterMs !== undefined) {
        closed = { until: now() + error.retryAfterMs, by: error };
      }
      throw error;
    }
  };
}

function postponed({ code, message }: EvidenceError, retryAfterMs: number): EvidenceError {
  return new EvidenceError(code, message, { retryable: true, retryAfterMs });
}

function plainAskerOf(log: TransparencyLog, requestTimeoutMs: number): Ask {
  return async (question, callerSignal) => {
    const what = describeQuestion(log, question);
    const signal = AbortSignal.any([callerSignal, AbortSignal.timeout(requestTimeoutMs)]);
    try {
      const { response } = await send(
        {
          what,
          url: urlOf(log, question),
          redirects: 'all',
          ...(question.body === undefined
            ? { method: 'GET' }
            : { method: 'POST', json: JSON.stringify(question.body), accept: 'application/json' }),
        },
        signal,
      );
      if (response.status !== 200) {
        await discard(response);
        if (question.alsoAnswers?.includes(response.status)) return response.status;
        throw unexpectedStatus(what, response);
      }
      const bytes = await readBounded(what, response, question.maxBytes, signal);
      if (bytes === 'too-large') throw misbehaved(what, `expected at most ${question.maxBytes} bytes, got more`);
      return bytes;
    } catch (error) {
      throw asLogFailure(error);
    }
  };
}

/** Opens every message about a question. */
export function describeQuestion(log: TransparencyLog, { path, body }: LogQuestion): string {
  return `transparency log ${log.baseUrl.host}: ${body === undefined ? 'GET' : 'POST'} ${path}`;
}

function urlOf(log: TransparencyLog, { path, query }: LogQuestion): URL {
  const base = log.baseUrl.pathname.replace(/\/+$/, '');
  const url = new URL(`${base}/${path}`, log.baseUrl);
  for (const [name, value] of Object.entries(query ?? {})) url.searchParams.set(name, value);
  return url;
}

/** Reads an answer as JSON, of which no two readers can have two opinions. Throws LOG_MISBEHAVED for anything else, unparsed where it has too many values. */
export function parseAnswer(what: string, bytes: Uint8Array): unknown {
  const json = parseStrictJson(bytes);
  if (!json.ok) throw misbehaved(what, `expected JSON, got something else: ${json.problem}`);
  return json.value;
}

/** The same for an answer that is a JSON object. */
export function parseAnswerObject(what: string, bytes: Uint8Array): Readonly<Record<string, unknown>> {
  const answer = parseAnswer(what, bytes);
  if (!isRecord(answer)) throw misbehaved(what, 'expected a JSON object, got something else');
  return answer;
}
