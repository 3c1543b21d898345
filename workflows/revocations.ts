import { type Digest, parseDigest } from './format/digest.ts';
import { isRecord } from './format/record.ts';

/** One Revocation document as workers state it and nodes keep it. */
export interface RevocationList {
  /** `metadata.name` of the document. */
  readonly name: string;
  /** `spec.revision` of the document, 0 where it has none: a number that its author only raises. */
  readonly revision: number;
  /** Sorted, each once. Empty: everything that earlier revisions of this list revoked may be used again. */
  readonly digests: readonly Digest[];
}

/** Revocation lists, sorted by name, one for each name. */
export type Revocations = readonly RevocationList[];

export const NO_REVOCATIONS: Revocations = [];

/** Digests and lists of one statement; a worker bounds what it states by its bytes, which are fewer. */
export const MAX_STATED_DIGESTS = 3_000;
export const MAX_STATED_LISTS = 1_000;

/** What a node or a worker keeps: more than any fleet revokes, and some MB at most. */
const MAX_KEPT_DIGESTS = 20_000;
const MAX_KEPT_LISTS = 2_000;

/**
 * Adds what a statement says to what is known. Of two revisions of one list the higher one counts; of two versions of
 * one revision both count, so that a directory which lost a part, or went back to an older state, ends no revocation.
 * A list that a statement does not name stays as it is. The order of the statements makes no difference. Answers
 * `undefined` when the result is more than may be kept: then the statement cannot be accepted.
 */
export function mergeRevocations(known: Revocations, stated: Revocations): Revocations | undefined {
  const lists = new Map<string, RevocationList>();
  for (const list of [...known, ...stated]) lists.set(list.name, newerOf(lists.get(list.name), list));
  if (lists.size > MAX_KEPT_LISTS) return undefined;
  const merged = [...lists.values()].toSorted((a, b) => compare(a.name, b.name));
  return countDigests(merged) > MAX_KEPT_DIGESTS ? undefined : merged;
}

function newerOf(known: RevocationList | undefined, stated: RevocationList): RevocationList {
  if (known !== undefined && known.revision > stated.revision) return known;
  const digests = known?.revision === stated.revision ? [...known.digests, ...stated.digests] : stated.digests;
  const { name, revision } = stated;
  return { name, revision, digests: [...new Set(digests)].toSorted(compare) };
}

/** Whether a statement adds something to what is known. */
export function addsRevocations(known: Revocations, stated: Revocations): boolean {
  return JSON.stringify(mergeRevocations(known, stated)) !== JSON.stringify(known);
}

/** Every digest that is revoked now, with the name of a list that revokes it. */
export function revokedDigests(revocations: Revocations): ReadonlyMap<Digest, string> {
  return new Map(revocations.flatMap(({ name, digests }) => digests.map((digest) => [digest, name] as const)));
}

/** Digests of all lists together. */
export function countDigests(revocations: Revocations): number {
  return revocations.reduce((sum, { digests }) => sum + digests.length, 0);
}

/** The name of what statements revoked before lists had names; a Revocation document of this name can end it. */
const UNNAMED_LIST = 'unnamed';

/** Reads the flat list of digests that statements had before lists had names; `undefined` for anything else. */
export function parseUnnamedRevocations(json: unknown): Revocations | undefined {
  return parseRevocations([{ name: UNNAMED_LIST, revision: 0, digests: json }]);
}

/**
 * Reads revocation lists as a statement or a state file has them, in any order; `undefined` for anything else, for a
 * list that is there twice, and for more than may be kept.
 */
export function parseRevocations(json: unknown): Revocations | undefined {
  if (!Array.isArray(json) || json.length > MAX_KEPT_LISTS) return undefined;
  const lists: RevocationList[] = [];
  for (const one of json) {
    const list = parseList(one);
    if (list === undefined) return undefined;
    lists.push(list);
  }
  if (new Set(lists.map(({ name }) => name)).size !== lists.length) return undefined;
  return mergeRevocations(NO_REVOCATIONS, lists);
}

function parseList(json: unknown): RevocationList | undefined {
  if (!isRecord(json)) return undefined;
  const { name, revision, digests } = json as { [K in keyof RevocationList]?: unknown };
  if (typeof name !== 'string' || !/^[A-Za-z0-9._-]{1,253}$/.test(name) || !isRevision(revision)) return undefined;
  if (!Array.isArray(digests) || digests.length > MAX_KEPT_DIGESTS) return undefined;
  const read = digests.map((one) => (typeof one === 'string' ? parseDigest(one) : undefined));
  const known = read.filter((digest) => digest !== undefined);
  return known.length === read.length ? { name, revision, digests: known } : undefined;
}

/** Whether a value is a revision of a list: a whole number from 0, small enough to be exact. */
export function isRevision(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
