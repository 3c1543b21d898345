import { isRecord } from './record.ts';

/** Deeper than any Sigstore document (a bundle nests 7 levels, a cosign statement 4), shallow enough for any stack. */
const MAX_DEPTH = 64;

export type JsonResult =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly problem: string };

/**
 * Parses JSON text of which no two readers can have two opinions: no name twice in one object (as containers/image@5
 * `ParanoidUnmarshalJSONObject`), at most 64 levels. The caller bounds the size.
 */
export function parseStrictJsonText(text: string): JsonResult {
  const problem = scan(text);
  if (problem !== undefined) return { ok: false, problem };
  try {
    const value: unknown = JSON.parse(text);
    return { ok: true, value };
  } catch {
    return { ok: false, problem: 'it is not JSON' };
  }
}

/** Finds what `JSON.parse` lets pass. It follows strings and brackets only; the grammar is for `JSON.parse` to judge. */
function scan(text: string): string | undefined {
  const names: Set<string>[] = [];
  for (let i = 0; i < text.length; i++) {
    switch (text[i]) {
      case '{':
      case '[':
        if (names.push(new Set()) > MAX_DEPTH) return `it nests deeper than ${MAX_DEPTH} levels`;
        break;
      case '}':
      case ']':
        names.pop();
        break;
      case '"': {
        const end = endOfString(text, i);
        if (end === undefined) return 'it is not JSON: a string does not end';
        const name = followedByColon(text, end) ? decode(text.slice(i, end)) : undefined;
        const seen = names.at(-1);
        if (name !== undefined && seen?.has(name) === true) return 'it names one field twice';
        if (name !== undefined) seen?.add(name);
        i = end - 1;
      }
    }
  }
  return undefined;
}

/** The index after the closing quote of the string that opens at `start`. */
function endOfString(text: string, start: number): number | undefined {
  for (let quote = text.indexOf('"', start + 1); quote >= 0; quote = text.indexOf('"', quote + 1)) {
    let backslashes = 0;
    while (text[quote - 1 - backslashes] === '\\') backslashes++;
    if (backslashes % 2 === 0) return quote + 1;
  }
  return undefined;
}

function followedByColon(text: string, from: number): boolean {
  let i = from;
  while (text[i] === ' ' || text[i] === '\t' || text[i] === '\n' || text[i] === '\r') i++;
  return text[i] === ':';
}

/** Two spellings of one name are one name. A literal that can't be decoded is refused by the parse that follows. */
function decode(literal: string): string {
  try {
    const name: unknown = JSON.parse(literal);
    return typeof name === 'string' ? name : literal;
  } catch {
    return literal;
  }
}

/** Tells whether an object has exactly these fields. */
export function hasExactly(value: unknown, fields: readonly string[]): value is Readonly<Record<string, unknown>> {
  return (
    isRecord(value) &&
    Object.keys(value).length === fields.length &&
    fields.every((field) => Object.hasOwn(value, field))
  );
}
