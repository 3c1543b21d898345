import { type CelFunc, CelScalar, celFunc, celUint } from '@bufbuild/cel';

const { BOOL, BYTES, DOUBLE, INT, STRING, UINT } = CelScalar;

/**
 * Conversions from text as cel-spec has them (langdef "Types and Conversions", v0.25.1, with the syntax of cel-go).
 * `@bufbuild/cel` takes what JavaScript takes: the empty text is 0, `0x10` is 16, spaces don't count, and `double("n/a")` is
 * NaN, which no comparison finds to be too high. Here they are errors, and so is the one
 * modulus that overflows.
 */
export const CONVERSIONS: readonly CelFunc[] = [
  celFunc('int', [STRING], INT, toInt),
  celFunc('uint', [STRING], UINT, (text) => celUint(toUint(text))),
  celFunc('double', [STRING], DOUBLE, toDouble),
  celFunc('bool', [STRING], BOOL, toBool),
  celFunc('string', [BYTES], STRING, toText),
  celFunc('_%_', [INT, INT], INT, modulo),
];

const INTEGER = /^[+-]?0*([0-9]{1,19})$/;
const UNSIGNED = /^0*([0-9]{1,20})$/;
const DECIMAL = /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/;

const MAX_INT = 2n ** 63n - 1n;
const MAX_UINT = 2n ** 64n - 1n;

/** Overflows where the division does (langdef "Overflow"). */
function modulo(left: bigint, right: bigint): bigint {
  if (right === 0n) throw new Error('modulus by zero');
  if (left === -MAX_INT - 1n && right === -1n) throw new Error('the integers of a modulus overflow');
  return left % right;
}

function toInt(text: string): bigint {
  const digits = INTEGER.exec(text)?.[1];
  if (digits === undefined) throw new Error('int() expects decimal digits');
  const value = text.startsWith('-') ? -BigInt(digits) : BigInt(digits);
  if (value > MAX_INT || value < -MAX_INT - 1n) throw new Error('int() is given a number that is out of range');
  return value;
}

function toUint(text: string): bigint {
  const digits = UNSIGNED.exec(text)?.[1];
  if (digits === undefined) throw new Error('uint() expects decimal digits');
  const value = BigInt(digits);
  if (value > MAX_UINT) throw new Error('uint() is given a number that is out of range');
  return value;
}

/** "NaN" and "Infinity", which cel-go reads, are no numbers that an attestation could mean: neither is JSON. */
function toDouble(text: string): number {
  const value = DECIMAL.test(text) ? Number(text) : Number.NaN;
  if (!Number.isFinite(value)) throw new Error('double() expects a decimal number that is in range');
  return value;
}

const TRUE = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);
const FALSE = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False']);

function toBool(text: string): boolean {
  if (TRUE.has(text)) return true;
  if (FALSE.has(text)) return false;
  throw new Error('bool() expects true or false');
}

/** A byte order mark is a character of the text like any other. */
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function toText(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    throw new Error('string() expects bytes in UTF-8');
  }
}
