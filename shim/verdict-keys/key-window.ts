import { isRecord } from '../../workflows/format/record.ts';
import { parseRfc3339 } from '../../workflows/format/rfc3339.ts';
import { parseStrictJsonText } from '../../workflows/format/strict-json.ts';
import { CLOCK_SKEW_MS } from '../../workflows/verdict/deadlines.ts';

/** When a key is believed, in Unix ms; an end that is not set is infinite. */
export interface KeyWindow {
  readonly notBefore: number;
  readonly notAfter: number;
}

export const ALWAYS: KeyWindow = { notBefore: Number.NEGATIVE_INFINITY, notAfter: Number.POSITIVE_INFINITY };

export type KeyWindowResult =
  | { readonly ok: true; readonly window: KeyWindow }
  | { readonly ok: false; readonly problem: string };

/** Where in its window a time is; worker and node may disagree by {@link CLOCK_SKEW_MS} about what time it is. */
export function positionIn({ notBefore, notAfter }: KeyWindow, at: number): 'inside' | 'before' | 'after' {
  if (at > notAfter + CLOCK_SKEW_MS) return 'after';
  // no time that can be read is in no window
  return at >= notBefore - CLOCK_SKEW_MS ? 'inside' : 'before';
}

/** Of two windows for one key both count: it is believed when each of them says so. */
export function narrower(one: KeyWindow, other: KeyWindow): KeyWindow {
  return {
    notBefore: Math.max(one.notBefore, other.notBefore),
    notAfter: Math.min(one.notAfter, other.notAfter),
  };
}

const EXPECTED = 'expected {"notBefore": TIME, "notAfter": TIME} or one of them';

/**
 * Reads the JSON of a window. Nothing is passed over: a limit that was meant and could not be read must not leave a key
 * without one. `problem` completes a sentence that names the file.
 */
export function parseKeyWindow(text: string): KeyWindowResult {
  const parsed = parseStrictJsonText(text);
  if (!parsed.ok) return refuse(`${EXPECTED}, found no JSON object: ${parsed.problem}`);
  const json = parsed.value;
  if (!isRecord(json)) return refuse(`${EXPECTED}, found no JSON object`);
  const unknown = Object.keys(json).find((name) => name !== 'notBefore' && name !== 'notAfter');
  if (unknown !== undefined) return refuse(`${EXPECTED}, found ${JSON.stringify(unknown.slice(0, 40))}`);
  if (Object.keys(json).length === 0) return refuse(`${EXPECTED}, found neither`);
  const { notBefore, notAfter } = json;
  const from = 'notBefore' in json ? parseRfc3339(notBefore) : ALWAYS.notBefore;
  const to = 'notAfter' in json ? parseRfc3339(notAfter) : ALWAYS.notAfter;
  if (from === undefined) return refuse(timeProblem('notBefore', notBefore));
  if (to === undefined) return refuse(timeProblem('notAfter', notAfter));
  if (from >= to) return refuse('expected notBefore to be earlier than notAfter, found it later');
  return { ok: true, window: { notBefore: from, notAfter: to } };
}

function timeProblem(field: string, value: unknown): string {
  const found = (JSON.stringify(value) ?? 'nothing').slice(0, 60);
  return `expected ${field} to be a time like 2030-01-31T12:00:00Z (RFC 3339), found ${found}`;
}

function refuse(problem: string): KeyWindowResult {
  return { ok: false, problem };
}

/** One end of a window for people and logs; `undefined` where it is not set. */
export function endOfWindow(time: number): string | undefined {
  return Number.isFinite(time) ? new Date(time).toISOString() : undefined;
}
