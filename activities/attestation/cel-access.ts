import {
  type CelFunc,
  CelScalar,
  type CelValue,
  celFunc,
  celType,
  isCelList,
  isCelMap,
  isCelUint,
  mapType,
} from '@bufbuild/cel';

/**
 * Field access as cel-spec has it (langdef "Field Selection", v0.25.1). `@bufbuild/cel` answers `has` with `false` for
 * everything that has no fields, treats a field that is `null` as absent, reads fields of timestamps and takes a boolean as
 * the index of a list. Expressions are rewritten to call these functions (`field-access.ts`); no one can write their names.
 */
export const HAS = '@has';
export const SELECT = '@select';
export const INDEX = '@index';

const { BOOL, DOUBLE, DYN, INT, STRING, UINT } = CelScalar;
const MAP = mapType(DYN, DYN);

/** The functions behind `has(e.f)`, `e.f`, `e[i]` and `k in m`. */
export const ACCESS_FUNCTIONS: readonly CelFunc[] = [
  celFunc(HAS, [DYN, STRING], BOOL, hasField),
  celFunc(SELECT, [DYN, STRING], DYN, selectField),
  celFunc(INDEX, [DYN, DYN], DYN, valueAt),
  celFunc('@in', [STRING, MAP], BOOL, (key, map) => map.get(key) !== undefined),
  celFunc('@in', [BOOL, MAP], BOOL, (key, map) => map.get(key) !== undefined),
  celFunc('@in', [INT, MAP], BOOL, (key, map) => map.get(key) !== undefined),
  celFunc('@in', [UINT, MAP], BOOL, (key, map) => map.get(key) !== undefined),
  celFunc('@in', [DOUBLE, MAP], BOOL, (key, map) => map.get(key) !== undefined),
];

function hasField(from: CelValue, name: string): boolean {
  if (!isCelMap(from)) throw new Error(`has() asks for the field ${name} of a value of type ${celType(from).name}`);
  return from.get(name) !== undefined;
}

function selectField(from: CelValue, name: string): CelValue {
  if (!isCelMap(from)) throw new Error(`a value of type ${celType(from).name} has no field ${name}`);
  return found(from.get(name), `field not found: ${name}`);
}

function valueAt(from: CelValue, key: CelValue): CelValue {
  if (isCelList(from)) {
    const index = isCelUint(key) ? key.value : key;
    if (typeof index !== 'bigint' && !(typeof index === 'number' && Number.isInteger(index))) {
      throw new Error(`a list has no index of type ${celType(key).name} that is not a whole number`);
    }
    return found(from.get(Number(index)), `index out of bounds: ${index}`);
  }
  if (!isCelMap(from)) throw new Error(`a value of type ${celType(from).name} has no elements`);
  if (typeof key === 'string' || typeof key === 'boolean' || typeof key === 'bigint' || typeof key === 'number') {
    return found(from.get(key), `key not found: ${key}`);
  }
  if (isCelUint(key)) return found(from.get(key), `key not found: ${key.value}`);
  throw new Error(`a map has no key of type ${celType(key).name}`);
}

function found(value: CelValue | undefined, problem: string): CelValue {
  if (value === undefined) throw new Error(problem);
  return value;
}
