import { type CelFunc, CelScalar, celFunc, celMethod, listType } from '@bufbuild/cel';

const { BOOL, INT, STRING } = CelScalar;
const LIST = listType(CelScalar.DYN);

/**
 * Text as cel-spec has it, by code points: the order of texts, and the functions of the `strings` extension that take or
 * give a place or a number (cel-go `ext/README.md`, "Strings"). `@bufbuild/cel` counts UTF-16 units, drops what is left over
 * at the limit of `split`, and replaces nothing at a negative limit.
 */
export const TEXT_FUNCTIONS: readonly CelFunc[] = [
  celFunc('_<_', [STRING, STRING], BOOL, (left, right) => compare(left, right) < 0),
  celFunc('_<=_', [STRING, STRING], BOOL, (left, right) => compare(left, right) <= 0),
  celFunc('_>_', [STRING, STRING], BOOL, (left, right) => compare(left, right) > 0),
  celFunc('_>=_', [STRING, STRING], BOOL, (left, right) => compare(left, right) >= 0),
  celMethod('charAt', STRING, [INT], STRING, function (at) {
    return charAt(this, at);
  }),
  celMethod('indexOf', STRING, [STRING], INT, function (part) {
    return indexOf(this, part, 0n);
  }),
  celMethod('indexOf', STRING, [STRING, INT], INT, function (part, from) {
    return indexOf(this, part, from);
  }),
  celMethod('lastIndexOf', STRING, [STRING], INT, function (part) {
    return lastIndexOf(this, part, undefined);
  }),
  celMethod('lastIndexOf', STRING, [STRING, INT], INT, function (part, from) {
    return lastIndexOf(this, part, from);
  }),
  celMethod('substring', STRING, [INT], STRING, function (start) {
    return substring(this, start, undefined);
  }),
  celMethod('substring', STRING, [INT, INT], STRING, function (start, end) {
    return substring(this, start, end);
  }),
  celMethod('split', STRING, [STRING], LIST, function (separator) {
    return split(this, separator, -1n);
  }),
  celMethod('split', STRING, [STRING, INT], LIST, function (separator, limit) {
    return split(this, separator, limit);
  }),
  celMethod('replace', STRING, [STRING, STRING], STRING, function (part, by) {
    return replace(this, part, by, -1n);
  }),
  celMethod('replace', STRING, [STRING, STRING, INT], STRING, function (part, by, limit) {
    return replace(this, part, by, limit);
  }),
];

/** Surrogates come before the last BMP characters in UTF-16, but stand for code points behind them. */
function compare(left: string, right: string): number {
  const shorter = Math.min(left.length, right.length);
  for (let at = 0; at < shorter; at++) {
    const [one, other] = [left.charCodeAt(at), right.charCodeAt(at)];
    if (one !== other) return rank(one) - rank(other);
  }
  return left.length - right.length;
}

function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

function charAt(text: string, at: bigint): string {
  const points = [...text];
  if (at < 0n || at > points.length) throw outOfRange(at);
  return points[Number(at)] ?? '';
}

function indexOf(text: string, part: string, from: bigint): bigint {
  const points = [...text];
  if (from < 0n || from > points.length) throw outOfRange(from);
  if (part === '') return from;
  const start = points.slice(0, Number(from)).join('').length;
  return toPlace(text, text.indexOf(part, start));
}

function lastIndexOf(text: string, part: string, from: bigint | undefined): bigint {
  const points = [...text];
  if (from !== undefined && (from < 0n || from > points.length)) throw outOfRange(from);
  if (part === '') return from ?? BigInt(points.length);
  if (from === undefined) return toPlace(text, text.lastIndexOf(part));
  return toPlace(text, text.lastIndexOf(part, points.slice(0, Number(from)).join('').length));
}

/** A place in UTF-16 units as a place in code points. */
function toPlace(text: string, unit: number): bigint {
  return unit < 0 ? -1n : BigInt([...text.slice(0, unit)].length);
}

function substring(text: string, start: bigint, end: bigint | undefined): string {
  const points = [...text];
  const stop = end ?? BigInt(points.length);
  if (start < 0n || start > points.length) throw outOfRange(start);
  if (stop < start || stop > points.length) throw outOfRange(stop);
  return points.slice(Number(start), Number(stop)).join('');
}

/** At most `limit` parts, of which the last has the rest; a negative limit is none. */
function split(text: string, separator: string, limit: bigint): string[] {
  if (limit === 0n) return [];
  const parts = separator === '' ? [...text] : text.split(separator);
  if (limit < 0n || limit >= parts.length) return parts;
  const kept = Number(limit) - 1;
  return [...parts.slice(0, kept), parts.slice(kept).join(separator)];
}

/** At most `limit` times; a negative limit is none. */
function replace(text: string, part: string, by: string, limit: bigint): string {
  if (part === '') return replaceNothing([...text], by, limit);
  const parts = split(text, part, limit < 0n ? limit : limit + 1n);
  return parts.join(by);
}

/** Between all characters, before the first and behind the last. */
function replaceNothing(points: readonly string[], by: string, limit: bigint): string {
  const places = limit < 0n ? points.length + 1 : Math.min(points.length + 1, Number(limit));
  return points.map((point, at) => (at < places ? by + point : point)).join('') + (places > points.length ? by : '');
}

function outOfRange(place: bigint): Error {
  return new Error(`there is no place ${place} in the text`);
}
