import { isRecord } from '../../workflows/format/record.ts';
import { MAX_UNKNOWN_FIELDS } from '../limits.ts';
import { quote } from '../text/quote.ts';
import { nearMiss, sameLetters } from './near-miss.ts';
import {
  expected,
  type ProtoEnum,
  readBytes,
  readEnum,
  readInt64,
  readString,
  readTimestamp,
  type ScalarResult,
} from './proto-scalar.ts';

/** What the value of a field is. */
export type ProtoKind = 'string' | 'bytes' | 'int64' | 'timestamp' | ProtoEnumKind | ProtoMessageKind;

interface ProtoEnumKind {
  readonly values: ProtoEnum;
}

interface ProtoMessageKind {
  readonly message: ProtoMessage;
}

export interface ProtoField {
  readonly kind: ProtoKind;
  readonly repeated?: true;
  /** The name in the `.proto` file, where it does not follow from the JSON name. */
  readonly original?: string;
}

/** The fields of a message by their JSON names. */
export type ProtoMessage = Readonly<Record<string, ProtoField>>;

/**
 * What becomes of a field that the message does not have. `refuse`: a document that an operator writes says nothing that
 * is passed over. `tolerate`: a document that comes signed, or from elsewhere, may have fields of a later version; it is
 * refused all the same where the name is a near miss of a known one, for then something was meant that would not count.
 */
export type UnknownFields = 'refuse' | 'tolerate';

/** A field, or the value of an enum, that is not known here. */
export interface Unknown {
  readonly what: 'field' | 'value';
  /** For example `tlogs[0].publicKey.keyDetails`. */
  readonly path: string;
}

export type ProtoResult =
  | {
      readonly ok: true;
      /** JSON names, standard base64, int64 as text, enums as numbers, absent instead of null. */
      readonly value: Readonly<Record<string, unknown>>;
      readonly unknown: readonly Unknown[];
    }
  /** One line: where, what was expected, what was found, what to do. */
  | { readonly ok: false; readonly problem: string };

export interface ProtoOptions {
  readonly unknownFields: UnknownFields;
  /** Names that are never tolerated by mistake, wherever they stand. */
  readonly reserved?: readonly string[];
}

/**
 * Reads a message out of proto JSON (protobuf.dev "ProtoJSON Format"), as strictly as Go's `protojson` and stricter: each
 * field by its JSON name or its original name and only once, whole and canonical values, and null for an absent
 * field only. `@sigstore/protobuf-specs` itself reads whatever it finds. The JSON has to come from a strict parser.
 */
export function readProto(message: ProtoMessage, json: unknown, options: ProtoOptions): ProtoResult {
  const reader = new Reader(options);
  try {
    return { ok: true, value: reader.message(message, json, ''), unknown: reader.unknown };
  } catch (error) {
    if (error instanceof Problem) return { ok: false, problem: error.message };
    throw error;
  }
}

/** Carries the first problem out of the walk; never leaves this file. */
class Problem extends Error {
  constructor(path: string, problem: string) {
    super(path === '' ? problem : `${path}: ${problem}`);
  }
}

class Reader {
  readonly unknown: Unknown[] = [];
  readonly #options: ProtoOptions;

  constructor(options: ProtoOptions) {
    this.#options = options;
  }

  message(message: ProtoMessage, json: unknown, path: string): Readonly<Record<string, unknown>> {
    if (!isRecord(json)) throw new Problem(path, `${expected('an object', json).problem}; correct it`);
    const names = namesOf(message);
    const read: Record<string, unknown> = {};
    const seen = new Set<string>();
    for (const [spelling, value] of Object.entries(json)) {
      const name = names.get(spelling);
      const field = name === undefined ? undefined : message[name];
      if (name === undefined || field === undefined) {
        this.#note(message, spelling, path);
        continue;
      }
      const place = path === '' ? name : `${path}.${name}`;
      if (seen.has(name)) throw new Problem(place, 'expected the field once, found it in both spellings; remove one');
      seen.add(name);
      if (value !== null) read[name] = this.#field(field, value, place);
    }
    return read;
  }

  #field({ kind, repeated }: ProtoField, value: unknown, path: string): unknown {
    if (repeated === undefined) return this.#value(kind, value, path);
    if (!Array.isArray(value)) throw new Problem(path, `${expected('a list', value).problem}; correct it`);
    const items: readonly unknown[] = value;
    return items.map((item, i) => this.#value(kind, item, `${path}[${i}]`));
  }

  #value(kind: ProtoKind, value: unknown, path: string): unknown {
    if (typeof kind === 'object' && 'message' in kind) return this.message(kind.message, value, path);
    const result = readScalar(kind, value);
    if ('problem' in result) throw new Problem(path, `${result.problem}; correct it`);
    if (result.value === undefined && typeof kind === 'object') this.#noteValue(kind.values, value, path);
    return result.value;
  }

  #note(message: ProtoMessage, name: string, path: string): void {
    const shown = quote(name.slice(0, 60));
    const known = [...Object.keys(message), ...(this.#options.reserved ?? [])];
    const meant = this.unknown.length < MAX_UNKNOWN_FIELDS ? nearMiss(name, known) : undefined;
    if (meant !== undefined) {
      throw new Problem(path, `expected a known field, found ${shown}; write ${meant} where it belongs, or remove it`);
    }
    if (this.#options.unknownFields === 'refuse') {
      const fields = Object.keys(message).join(', ');
      throw new Problem(path, `expected ${fields}, found the unknown field ${shown}; remove it`);
    }
    this.#add({ what: 'field', path: path === '' ? shown : `${path}.${shown}` });
  }

  #noteValue(known: ProtoEnum, value: unknown, path: string): void {
    const names = Object.keys(known).filter((name) => !/^\d+$/.test(name));
    const meant = typeof value === 'string' ? sameLetters(value, names) : undefined;
    if (meant !== undefined) {
      throw new Problem(path, `expected a known value, found ${quote(String(value).slice(0, 60))}; write ${meant}`);
    }
    this.#add({ what: 'value', path });
  }

  #add(unknown: Unknown): void {
    this.unknown.push(unknown);
    if (this.unknown.length > MAX_UNKNOWN_FIELDS) {
      throw new Problem('', `expected at most ${MAX_UNKNOWN_FIELDS} unknown fields, found more; remove them`);
    }
  }
}

function readScalar(kind: Exclude<ProtoKind, ProtoMessageKind>, value: unknown): ScalarResult {
  switch (kind) {
    case 'string':
      return readString(value);
    case 'bytes':
      return readBytes(value);
    case 'int64':
      return readInt64(value);
    case 'timestamp':
      return readTimestamp(value);
    default:
      return readEnum(value, kind.values);
  }
}

const NAMES = new WeakMap<ProtoMessage, ReadonlyMap<string, string>>();

/** Both spellings of each field, and the JSON name that they stand for. */
function namesOf(message: ProtoMessage): ReadonlyMap<string, string> {
  const known = NAMES.get(message);
  if (known !== undefined) return known;
  const names = new Map(
    Object.entries(message).flatMap(([name, { original }]) => [
      [original ?? name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), name] as const,
      [name, name] as const,
    ]),
  );
  NAMES.set(message, names);
  return names;
}
