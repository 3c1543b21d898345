import {
  type CelInput,
  type CelValue,
  celMap,
  celUint,
  isCelList,
  isCelMap,
  isCelType,
  isCelUint,
} from '@bufbuild/cel';
import type { SimpleTest } from '@bufbuild/cel-spec/cel/expr/conformance/test/simple_pb.js';
import type { Value } from '@bufbuild/cel-spec/cel/expr/value_pb.js';
import { getTestRegistry } from '@bufbuild/cel-spec/testdata/registry.js';
import { toJson } from '@bufbuild/protobuf';
import { isReflectMessage } from '@bufbuild/protobuf/reflect';
import { anyUnpack } from '@bufbuild/protobuf/wkt';

const registry = getTestRegistry();

/** The variables of a test. */
export function bindingsOf({ bindings }: SimpleTest): Record<string, CelInput> {
  const entries = Object.entries(bindings).map(([name, { kind }]): [string, CelInput] => {
    if (kind.case !== 'value') throw new Error(`the variable ${name} has no value`);
    return [name, toInput(kind.value)];
  });
  return Object.fromEntries(entries);
}

/** The answer that a test asks for, as type and value in one text; `error` for an error. */
export function wantedOf({ resultMatcher }: SimpleTest): string {
  switch (resultMatcher.case) {
    case 'value':
      return typedText(resultMatcher.value);
    case 'typedResult':
      return resultMatcher.value.result === undefined ? 'nothing' : typedText(resultMatcher.value.result);
    case undefined:
      return 'bool true';
    default:
      return 'error';
  }
}

function typedText(value: Value): string {
  const { kind } = value;
  switch (kind.case) {
    case 'objectValue': {
      const message = anyUnpack(kind.value, registry);
      const name = message?.$typeName ?? 'unknown';
      const schema = registry.getMessage(name);
      if (message === undefined || schema === undefined) return 'unknown';
      return `${name} ${JSON.stringify(toJson(schema, message, { registry }))}`;
    }
    default:
      return `${typeNameOf(value)} ${written(toInput(value))}`;
  }
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  ...{ nullValue: 'null_type', boolValue: 'bool', int64Value: 'int', uint64Value: 'uint', doubleValue: 'double' },
  ...{
    stringValue: 'string',
    bytesValue: 'bytes',
    enumValue: 'int',
    mapValue: 'map',
    listValue: 'list',
    typeValue: 'type',
  },
};

function typeNameOf({ kind }: Value): string {
  return TYPE_NAMES[kind.case ?? ''] ?? 'unknown';
}

function toInput({ kind }: Value): CelInput {
  switch (kind.case) {
    case 'nullValue':
    case undefined:
      return null;
    case 'uint64Value':
      return celUint(kind.value);
    case 'enumValue':
      return BigInt(kind.value.value);
    case 'listValue':
      return kind.value.values.map(toInput);
    case 'mapValue':
      return celMap(new Map(kind.value.entries.map(({ key, value }) => [toKey(key), value ? toInput(value) : null])));
    case 'typeValue':
      return `type ${kind.value}`;
    case 'objectValue':
      return anyUnpack(kind.value, registry) ?? kind.value;
    default:
      return kind.value;
  }
}

function toKey(key: Value | undefined): string | bigint | boolean {
  const value = key === undefined ? null : toInput(key);
  if (isCelUint(value)) return value.value;
  if (typeof value !== 'string' && typeof value !== 'bigint' && typeof value !== 'boolean') throw new Error('no key');
  return value;
}

/** A value as one text that is the same for the same values. */
export function written(value: CelValue | CelInput): string {
  if (isCelUint(value)) return String(value.value);
  if (isCelType(value)) return `type ${value.name}`;
  if (isReflectMessage(value)) return JSON.stringify(toJson(value.desc, value.message, { registry }));
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (Array.isArray(value)) return `[${value.map(written).join()}]`;
  if (isCelList(value)) return `[${[...value].map(written).join()}]`;
  if (isCelMap(value)) {
    return `{${[...value]
      .map(([key, inner]) => `${written(key)}:${written(inner)}`)
      .sort()
      .join()}}`;
  }
  return Object.is(value, -0) ? '-0' : String(value);
}
