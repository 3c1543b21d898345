import { isMap, isScalar, isSeq } from 'yaml';
import { offsetOf, type Report } from './document.ts';
import { quote } from './problem.ts';

/** One value of a document and where it stands. */
export interface Field {
  /** For example `spec.images[0].glob`; empty for the document. */
  readonly path: string;
  readonly node: unknown;
  /** Of the value, or of its key where the value is empty. */
  readonly offset: number;
  readonly report: Report;
}

/** What becomes of each field that a mapping may have: `read`, or why it is refused and what to do instead. */
export type FieldTable = Readonly<Record<string, 'read' | { readonly refused: string }>>;

/** Reports what is wrong with a field. */
export function reject(field: Field, message: string): undefined {
  field.report(field.offset, field.path, message);
  return undefined;
}

/**
 * Reads a mapping, field by field. Every field must be in the table: one that is refused or unknown is a problem, so
 * that nothing a policy says is left out silently. Answers `undefined` (and reports) for anything but a mapping.
 */
export function readMapping(field: Field, table: FieldTable): ReadonlyMap<string, Field> | undefined {
  if (!isMap(field.node))
    return reject(field, `expected a mapping, found ${kindOf(field.node)}; indent its fields below`);
  const fields = new Map<string, Field>();
  for (const { key, value } of field.node.items) {
    const name = isScalar(key) ? String(key.value) : '';
    const shown = name.replaceAll(/[^\x21-\x7e]/g, '?');
    const path = field.path === '' ? shown : `${field.path}.${shown}`;
    const offset = isEmptyValue(value) ? offsetOf(key) : offsetOf(value);
    const entry: Field = { path: path.slice(0, 120), node: value, offset, report: field.report };
    // Own properties only: `__proto__` and `constructor` are names like any other.
    const rule = Object.hasOwn(table, name) ? table[name] : undefined;
    if (rule === 'read') fields.set(name, entry);
    else if (rule === undefined) {
      const known = Object.keys(table).filter((one) => table[one] === 'read');
      reject(
        { ...entry, offset: offsetOf(key) },
        `expected ${known.join(', ')}, found the unknown field ${quote(name)}; remove it`,
      );
    } else reject({ ...entry, offset: offsetOf(key) }, `expected no such field, found ${quote(name)}: ${rule.refused}`);
  }
  return fields;
}

/** A field that has to be there; reports its absence at the mapping that should hold it. */
export function required(
  parent: Field,
  fields: ReadonlyMap<string, Field>,
  name: string,
  fix: string,
): Field | undefined {
  const field = fields.get(name);
  if (field !== undefined) return field;
  const path = parent.path === '' ? name : `${parent.path}.${name}`;
  return reject({ ...parent, path }, `expected a value, found no such field; ${fix}`);
}

/** Tells whether a mapping has a field, read or refused. */
export function hasField(field: Field, name: string): boolean {
  return isMap(field.node) && field.node.has(name);
}

/** Reads a list with at least one and at most `most` items. */
export function readList(field: Field, most: number): readonly Field[] | undefined {
  if (!isSeq(field.node))
    return reject(field, `expected a list, found ${kindOf(field.node)}; begin each item with "- "`);
  const items: readonly unknown[] = field.node.items;
  if (items.length === 0) return reject(field, 'expected at least one item, found none; add one');
  if (items.length > most) return reject(field, `expected at most ${most} items, found ${items.length}; split it`);
  return items.map((node, i) => {
    const offset = isEmptyValue(node) ? field.offset : offsetOf(node);
    return { path: `${field.path}[${i}]`, node, offset, report: field.report };
  });
}

/** Whether a value is a list without items. */
export function isEmptyList(field: Field): boolean {
  return isSeq(field.node) && field.node.items.length === 0;
}

/** Whether a value is a string. */
export function isText({ node }: Field): boolean {
  return isScalar(node) && typeof node.value === 'string';
}

/** Reads a string; a number or a boolean is not one, and neither is nothing. `fixBlank` says what to do about a field without a value. */
export function readText(field: Field, fixBlank = 'write a value or remove the field'): string | undefined {
  const value: unknown = isScalar(field.node) ? field.node.value : undefined;
  if (typeof value === 'string' && value !== '') return value;
  const found = value === '' ? 'an empty one' : kindOf(field.node);
  const isBlank = value === '' || found === 'nothing';
  const fix = isScalar(field.node) ? 'write it in quotes' : 'write a string in its place';
  return reject(field, `expected a string, found ${found}; ${isBlank ? fixBlank : fix}`);
}

/** Reads a string of one line and at most `most` characters. */
export function readLine(field: Field, most: number, fixBlank?: string): string | undefined {
  const text = readText(field, fixBlank);
  if (text === undefined) return undefined;
  if (/\p{Cc}/u.test(text)) {
    return reject(field, `expected one line of text, found ${quote(text)}; remove line breaks and control characters`);
  }
  if (text.length <= most) return text;
  return reject(field, `expected at most ${most} characters, found ${text.length}; shorten it`);
}

/** Reads one of some words; `fix` says what to do about another one. */
export function readWord<T extends string>(field: Field, words: readonly T[], fix: string): T | undefined {
  const text = readText(field);
  const known = words.find((word) => word === text);
  if (text === undefined || known !== undefined) return known;
  return reject(field, `expected ${words.join(' or ')}, found ${quote(text)}; ${fix}`);
}

export function readBoolean(field: Field): boolean | undefined {
  const value: unknown = isScalar(field.node) ? field.node.value : undefined;
  if (typeof value === 'boolean') return value;
  return reject(field, `expected true or false, found ${kindOf(field.node)}; write it without quotes`);
}

/** Reads a whole number from `least` to `most`. */
export function readCount(field: Field, least: number, most: number): number | undefined {
  const value: unknown = isScalar(field.node) ? field.node.value : undefined;
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
  const found = typeof value === 'number' ? String(value) : kindOf(field.node);
  return reject(field, `expected a number from ${least} to ${most}, found ${found}; correct it`);
}

/** Longer than the address of any service. */
const MAX_URL_LENGTH = 2048;

/** Reads the address of a service: http or https, without credentials. Answers it as it stands. */
export function readUrl(field: Field): string | undefined {
  const text = readLine(field, MAX_URL_LENGTH);
  if (text === undefined) return undefined;
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '') return text;
  // Not quoted: it may hold a password.
  return reject(field, 'expected an http or https URL without credentials, found another text; correct it');
}

/** A Kubernetes object name (RFC 1123 subdomain), which also is a safe file name. */
const OBJECT_NAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;

/** Reads a name that Kubernetes would take for an object, and that is safe as the name of a file. */
export function readObjectName(field: Field): string | undefined {
  const text = readText(field);
  if (text === undefined || OBJECT_NAME.test(text)) return text;
  return reject(field, `expected lower-case letters, digits, - and ., found ${quote(text)}; rename it`);
}

function isEmptyValue(node: unknown): boolean {
  return node === null || (isScalar(node) && (node.value === null || node.range === undefined));
}

function kindOf(node: unknown): string {
  if (isMap(node)) return 'a mapping';
  if (isSeq(node)) return 'a list';
  const value: unknown = isScalar(node) ? node.value : null;
  return value === null || value === undefined ? 'nothing' : `a ${typeof value}`;
}
