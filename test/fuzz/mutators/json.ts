import type { Random } from '../random.ts';
import { MAX_GROWN } from './bytes.ts';

type Path = readonly (string | number)[];

/** How a text inside JSON is changed, where it is base64 of something. */
export type MutateInner = (bytes: Buffer, random: Random) => Buffer;

/** Values of every type, and at their edges. */
const VALUES: readonly unknown[] = [
  ...[null, true, false, 0, -1, 1, 0.5, 1e21, 2 ** 53, 2 ** 63, -(2 ** 63), '', '0', '-1', '00', '1e3'],
  ...['9223372036854775807', '9223372036854775808', '18446744073709551616', 'NaN', 'AA==', '=', '\u0000', '\ud800'],
  ...[[], {}, [[]], [null], { '': null }, { toString: 1 }, { __proto__: null }],
];
const NAMES = ['', '__proto__', 'constructor', 'toString', 'length', '$typeName', '\u0000', 'a.b', 'MEDIATYPE'];

/** Changes one value of a JSON document; `undefined` when the bytes are none. */
export function mutateJson(bytes: Buffer, random: Random, mutateInner: MutateInner): Buffer | undefined {
  const text = bytes.toString();
  const document = parse(text);
  if (document === undefined) return undefined;
  if (random.oneIn(20)) return Buffer.from(withNameTwice(text, random));
  const paths = pathsOf(document.value);
  const path = random.pick(paths);
  const changed = changeAt(document.value, path, (value) => change(value, random, mutateInner, document.value, paths));
  const written = JSON.stringify(changed);
  return written === undefined || written.length > MAX_GROWN ? undefined : Buffer.from(written);
}

function parse(text: string): { readonly value: unknown } | undefined {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

/** At most some thousand: what grew by the thousand elements is not more interesting in each of them. */
function pathsOf(root: unknown): readonly Path[] {
  const paths: Path[] = [];
  const open: { readonly path: Path; readonly value: unknown }[] = [{ path: [], value: root }];
  while (open.length > 0 && paths.length < 3000) {
    const { path, value } = open.pop() ?? { path: [], value: undefined };
    paths.push(path);
    if (typeof value !== 'object' || value === null || path.length > 100) continue;
    for (const [key, inner] of Object.entries(value)) open.push({ path: [...path, key], value: inner });
  }
  return paths;
}

/** `undefined` from the change takes the value away. */
function changeAt(value: unknown, [key, ...rest]: Path, change: (value: unknown) => unknown): unknown {
  if (key === undefined) return change(value);
  if (Array.isArray(value)) {
    return value.flatMap((item, i) => {
      const inner = String(i) === String(key) ? changeAt(item, rest, change) : item;
      return inner === undefined ? [] : [inner];
    });
  }
  const entries = Object.entries(Object(value)).flatMap(([name, item]) => {
    const inner = name === key ? changeAt(item, rest, change) : item;
    return inner === undefined ? [] : [[name, inner] as const];
  });
  return Object.fromEntries(entries);
}

function change(
  value: unknown,
  random: Random,
  mutateInner: MutateInner,
  root: unknown,
  paths: readonly Path[],
): unknown {
  switch (random.below(10)) {
    case 0:
      return undefined;
    case 1:
      return random.pick(VALUES);
    case 2:
      return valueAt(root, random.pick(paths));
    case 3:
      return Array.from({ length: 10 ** random.below(4) }, () => value);
    case 4:
      return nested(value, 1 + random.below(random.oneIn(3) ? 2000 : 5));
    case 5:
      return typeof value === 'object' && value !== null && !Array.isArray(value)
        ? { ...value, [random.pick(NAMES)]: random.pick(VALUES) }
        : random.pick(VALUES);
    default:
      return changeLeaf(value, random, mutateInner);
  }
}

function changeLeaf(value: unknown, random: Random, mutateInner: MutateInner): unknown {
  switch (typeof value) {
    case 'string': {
      const isBase64 = value.length >= 8 && value.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(value);
      if (isBase64 && !random.oneIn(4)) return mutateInner(Buffer.from(value, 'base64'), random).toString('base64');
      if (/^\d+$/.test(value) && value.length < 20) return String(BigInt(value) + BigInt(random.below(3) - 1));
      return mutateInner(Buffer.from(value), random).toString();
    }
    case 'number':
      return value + random.pick([-1, 1, 0.5, 2 ** 31, 2 ** 53]);
    case 'boolean':
      return !value;
    default:
      return Array.isArray(value) ? [...value, ...value] : random.pick(VALUES);
  }
}

function valueAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, key) => Object(value)[key], root);
}

function nested(value: unknown, levels: number): unknown {
  let outer = value;
  for (let i = 0; i < levels; i++) outer = i % 2 === 0 ? [outer] : { a: outer };
  return outer;
}

/** No value of JavaScript has a name twice: it is written into the text. */
function withNameTwice(text: string, random: Random): string {
  const names = [...text.matchAll(/"[^"\\]{1,60}":/g)];
  if (names.length === 0) return text;
  const { 0: name, index } = random.pick(names);
  return `${text.slice(0, index)}${name}${random.pick(['null', '""', '0', '{}', '[]'])},${text.slice(index)}`;
}
