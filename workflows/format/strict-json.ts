import { measureJson } from './json-effort.ts';
import { isRecord } from './record.ts';

/** Deeper than any Sigstore document (a bundle nests 7 levels, a cosign statement 4), shallow enough for any stack. */
const MAX_DEPTH = 64;

export type JsonResult =
  | { readonly ok: true; readonly value: unknown }
  /** `tooLarge`: the document was not parsed, because it would cost more than any real one. */
  | { readonly ok: false; readonly problem: string; readonly tooLarge?: true };

/**
 * Parses JSON text of which no two readers can have two opinions: no name twice in one object (as containers/image@5
 * `ParanoidUnmarshalJSONObject`), no number beyond a double, at most 64 levels. The caller bounds the size; what has more than `maxTokens` values and names is not parsed.
 */
export function parseStrictJsonText(text: string, maxTokens: number = Number.POSITIVE_INFINITY): JsonResult {
  const effort = measureJson(text, maxTokens, MAX_DEPTH);
  if (effort === 'too deep') return { ok: false, problem: `it nests deeper than ${MAX_DEPTH} levels` };
  if (effort === 'too many tokens') {
    return { ok: false, problem: `it has more than ${maxTokens} values and names`, tooLarge: true };
  }
  try {
    const value: unknown = JSON.parse(text);
    const fields = fieldsIn(value);
    if (fields === 'infinite') return { ok: false, problem: 'it has a number that is larger than any double' };
    // A name that comes twice leaves one field.
    if (fields !== effort.names) return { ok: false, problem: 'it names one field twice' };
    return { ok: true, value };
  } catch {
    return { ok: false, problem: 'it is not JSON' };
  }
}

/**
 * How many fields all objects of a value have. `infinite`: it has a number such as 1e999, which is infinity to some readers,
 * null to others, and an error to the rest.
 */
function fieldsIn(document: unknown): number | 'infinite' {
  const left: unknown[] = [document];
  let fields = 0;
  for (let value = left.pop(); value !== undefined; value = left.pop()) {
    if (isInfinite(value)) return 'infinite';
    if (typeof value !== 'object' || value === null) continue;
    const values: readonly unknown[] = Array.isArray(value) ? value : Object.values(value);
    if (!Array.isArray(value)) fields += values.length;
    for (const one of values) {
      if (isInfinite(one)) return 'infinite';
      if (typeof one === 'object' && one !== null) left.push(one);
    }
  }
  return fields;
}

function isInfinite(value: unknown): boolean {
  return value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY;
}

/** Tells whether an object has exactly these fields. */
export function hasExactly(value: unknown, fields: readonly string[]): value is Readonly<Record<string, unknown>> {
  return (
    isRecord(value) &&
    Object.keys(value).length === fields.length &&
    fields.every((field) => Object.hasOwn(value, field))
  );
}
