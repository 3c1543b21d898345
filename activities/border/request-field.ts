import { type Digest, parseDigest } from '../../workflows/format/digest.ts';
import { nameWithoutDigest, parseName } from '../../workflows/format/name.ts';
import { EvidenceError } from '../evidence-error.ts';

/** An object that came through Temporal: nothing about it is known. */
export type Fields = Readonly<Record<string, unknown>>;

const HEX_SHA256 = /^[0-9a-f]{64}$/;
/** Longest piece of a request that an error repeats. */
const MAX_QUOTE = 80;

/** The object of a request, or of something in it. Throws REQUEST_INVALID, as everything in this file. */
export function readFields(value: unknown, what: string): Fields {
  if (!isFields(value)) throw invalid(what, 'an object', value);
  return value;
}

/** A field that is one of some words, or has a form. */
export function readText<T extends string>(fields: Fields, field: string, expected: readonly T[]): T;
export function readText(fields: Fields, field: string, expected: RegExp): string;
export function readText(fields: Fields, field: string, expected: RegExp | readonly string[]): string {
  const value = fields[field];
  const passes =
    typeof value === 'string' && (expected instanceof RegExp ? expected.test(value) : expected.includes(value));
  if (!passes) throw invalid(field, expected instanceof RegExp ? String(expected) : expected.join(' or '), value);
  return value;
}

/** An image name in the one spelling that nodes ask in, without a digest. */
export function readName(fields: Fields): string {
  const { name: value } = fields as { name?: unknown };
  const name = typeof value === 'string' ? parseName(value) : undefined;
  if (name === undefined || nameWithoutDigest(name) !== value) {
    throw invalid('name', 'an image name in full and without a digest', value);
  }
  return value;
}

export function readDigest(fields: Fields, field: string): Digest {
  const value = fields[field];
  const digest = typeof value === 'string' ? parseDigest(value) : undefined;
  if (digest === undefined) throw invalid(field, 'sha256: and 64 hex digits', value);
  return digest;
}

/** A SHA-256 in hex: a key id, a policy revision. */
export function readHash(fields: Fields, field: string): string {
  return readText(fields, field, HEX_SHA256);
}

/** A list that is bounded before its elements are looked at. */
export function readList<T>(fields: Fields, field: string, most: number, read: (element: unknown) => T): readonly T[] {
  const value = fields[field];
  if (!Array.isArray(value) || value.length > most) throw invalid(field, `a list of at most ${most}`, value);
  return value.map(read);
}

/** A request that no workflow of ours makes: another version, or somebody else with access to the namespace. */
export function invalid(field: string, expected: string, found: unknown): EvidenceError {
  const sentence = `expected ${expected} as ${field} of the request, found ${describe(found)}; compare the versions of node and worker, and see who may start workflows`;
  return new EvidenceError('REQUEST_INVALID', sentence, { retryable: false });
}

function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, MAX_QUOTE));
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return value === null ? 'null' : `something of type ${typeof value}`;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
