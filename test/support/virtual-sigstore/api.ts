import { isRecord } from '../../../workflows/format/record.ts';
import type { Answer } from '../registry-fault.ts';

/** A request as the services see it. */
export interface ApiRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** A service: answers what it knows, `undefined` is 404. */
export type Service = (request: ApiRequest) => Answer | undefined;

export function json(value: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): Answer {
  return {
    status,
    headers: { 'content-type': 'application/json', ...headers },
    body: Buffer.from(JSON.stringify(value)),
  };
}

export function bytes(body: Uint8Array | string, contentType: string, status = 200): Answer {
  return { status, headers: { 'content-type': contentType }, body: Buffer.from(body) };
}

/** What Go's APIs say when something is wrong. */
export function problem(status: number, message: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return json({ code: status, message }, status, headers);
}

/** Reads JSON step by step where a missing member is a client's mistake: it throws, and the server answers 400. */
export class Json {
  readonly value: unknown;

  constructor(value: unknown) {
    this.value = value;
  }

  static parse(text: string | Uint8Array): Json {
    return new Json(JSON.parse(Buffer.from(text).toString()));
  }

  /** A member, however deep; `undefined` inside where it is not there. */
  at(...path: readonly (string | number)[]): Json {
    return path.reduce<Json>((json, name) => new Json(memberOf(json.value, name)), this);
  }

  get exists(): boolean {
    return this.value !== undefined && this.value !== null;
  }

  text(): string {
    if (typeof this.value === 'string') return this.value;
    throw new Error(`expected a string, found ${JSON.stringify(this.value)}`);
  }

  /** The text, or `undefined` where there is none. */
  maybeText(): string | undefined {
    return typeof this.value === 'string' ? this.value : undefined;
  }

  list(): readonly Json[] {
    return Array.isArray(this.value) ? this.value.map((item) => new Json(item)) : [];
  }
}

function memberOf(value: unknown, name: string | number): unknown {
  if (Array.isArray(value)) return value[Number(name)];
  return isRecord(value) ? value[name] : undefined;
}
