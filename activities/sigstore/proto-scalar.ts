import { parseRfc3339 } from '../../workflows/format/rfc3339.ts';
import { decodeBase64, readBase64 } from '../text/base64.ts';
import { quote } from '../text/quote.ts';

/** A value in the one form that the readers of `@sigstore/protobuf-specs` take without guessing, or what is wrong with it. */
export type ScalarResult = { readonly value: unknown } | { readonly problem: string };

/** The names of an enum and their numbers, as `@sigstore/protobuf-specs` exports it: it maps both ways. */
export type ProtoEnum = Readonly<Record<string, string | number>>;

/** Reads a proto string. A surrogate without its partner is no text. */
export function readString(value: unknown): ScalarResult {
  return typeof value === 'string' && value.isWellFormed() ? { value } : expected('a string', value);
}

/** Reads proto bytes as {@link readBase64} does. Answers standard base64 with padding: one spelling for the same bytes. */
export function readBytes(value: unknown): ScalarResult {
  if (typeof value !== 'string') return expected('base64', value);
  if (decodeBase64(value) !== undefined) return { value };
  const bytes = readBase64(value);
  return bytes === undefined ? expected('base64', value) : { value: bytes.toString('base64') };
}

const WHOLE = /^(?:0|-?[1-9][0-9]{0,18})$/;
const INT64 = { least: -(2n ** 63n), most: 2n ** 63n - 1n } as const;

/**
 * Reads an int64: decimal text without a plus, leading zeros, fraction or exponent, or a JSON number that is whole and
 * that JSON readers have not rounded. Answers text.
 */
export function readInt64(value: unknown): ScalarResult {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return { value: String(value) };
  if (typeof value !== 'string' || !WHOLE.test(value)) return expected('a whole number', value);
  const number = BigInt(value);
  return number >= INT64.least && number <= INT64.most ? { value } : expected('a number of 64 bits', value);
}

/** Reads a `google.protobuf.Timestamp`, which JSON has as RFC 3339 with a zone. */
export function readTimestamp(value: unknown): ScalarResult {
  return parseRfc3339(value) === undefined ? expected('a time like "2026-01-31T12:00:00Z"', value) : { value };
}

/** Reads an enum by its name or its number. Answers the number, or `undefined` for a value that is not known. */
export function readEnum(value: unknown, known: ProtoEnum): ScalarResult {
  if (typeof value === 'string') {
    const number = Object.hasOwn(known, value) ? known[value] : undefined;
    return { value: typeof number === 'number' ? number : undefined };
  }
  if (typeof value !== 'number' || !Number.isInteger(value))
    return expected('the name or the number of a value', value);
  return { value: Object.hasOwn(known, String(value)) ? value : undefined };
}

/** Says what was found, without repeating more of it than its beginning. */
export function expected(what: string, value: unknown): { readonly problem: string } {
  return { problem: `expected ${what}, found ${describe(value)}` };
}

function describe(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  switch (typeof value) {
    case 'string':
      return quote(value.slice(0, 40));
    case 'number':
      return String(value);
    case 'boolean':
      return String(value);
    case 'object':
      return 'an object';
    default:
      return 'nothing';
  }
}
