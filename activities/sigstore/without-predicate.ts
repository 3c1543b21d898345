import { Buffer } from 'node:buffer';

const [QUOTE, BACKSLASH, COLON, OPEN_OBJECT, OPEN_ARRAY] = [0x22, 0x5c, 0x3a, 0x7b, 0x5b];
const NAME = Buffer.from('"predicate"');

/** Levels below the statement: deeper than any document is for the parser to refuse. */
const MAX_DEPTH = 62;

/**
 * The bytes of a statement with an empty object or list in the place of its predicate, found in one pass that makes nothing
 * itself: an SBOM of 40 MiB costs its parser a second and 300 MiB. The same bytes where that is not simple: where the name is
 * escaped, the value is neither, a bracket closes another one, or something in it is no part of JSON. What is left is for the
 * strict parser, which sees all names of the statement.
 */
export function withoutPredicate(statement: Uint8Array): Uint8Array {
  const start = startOfPredicate(statement);
  const end = start === undefined ? undefined : endOfValue(statement, start);
  if (start === undefined || end === undefined) return statement;
  const empty = statement[start] === OPEN_OBJECT ? '{}' : '[]';
  return Buffer.concat([statement.subarray(0, start), Buffer.from(empty), statement.subarray(end)]);
}

/** Where the value of the first field `predicate` of the outermost object begins, if that is an object or a list. */
function startOfPredicate(bytes: Uint8Array): number | undefined {
  let depth = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) depth++;
    else if (byte === 0x7d || byte === 0x5d) depth--;
    else if (byte === QUOTE) {
      const end = endOfString(bytes, at);
      if (end === undefined) return undefined;
      const colon = skipSpace(bytes, end);
      if (depth === 1 && bytes[colon] === COLON && NAME.equals(bytes.subarray(at, end))) {
        const start = skipSpace(bytes, colon + 1);
        return bytes[start] === OPEN_OBJECT || bytes[start] === OPEN_ARRAY ? start : undefined;
      }
      at = end - 1;
    }
  }
  return undefined;
}

/** Behind the value that begins at `start`; `undefined` where a bracket closes another, or a byte is no part of JSON. */
function endOfValue(bytes: Uint8Array, start: number): number | undefined {
  const closing: number[] = [];
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === QUOTE) {
      const end = endOfString(bytes, at);
      if (end === undefined) return undefined;
      at = end - 1;
    } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      // The bracket that closes it is two further.
      if (closing.push(byte + 2) > MAX_DEPTH) return undefined;
    } else if (byte === 0x7d || byte === 0x5d) {
      if (closing.pop() !== byte) return undefined;
      if (closing.length === 0) return at + 1;
    } else if (!BARE.has(byte)) return undefined;
  }
  return undefined;
}

/** White space, separators, and what numbers and the three words are made of. */
const BARE: ReadonlySet<number> = new Set(Buffer.from(' \t\n\r,:0123456789+-.eEtrufalsn'));

/** Behind the quote that ends the string that begins at `start`. A byte of UTF-8 beyond ASCII is never a quote. */
function endOfString(bytes: Uint8Array, start: number): number | undefined {
  for (let at = start + 1; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === QUOTE) return at + 1;
    if (byte < 0x20) return undefined;
    if (byte === BACKSLASH) at++;
  }
  return undefined;
}

function skipSpace(bytes: Uint8Array, start: number): number {
  let at = start;
  while (bytes[at] === 0x20 || bytes[at] === 0x0a || bytes[at] === 0x0d || bytes[at] === 0x09) at++;
  return at;
}
