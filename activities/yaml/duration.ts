import { type Field, readText, reject } from './field.ts';
import { quote } from './problem.ts';

const MINUTE = 60_000;

const UNITS = new Map([
  ['s', 1_000],
  ['m', MINUTE],
  ['h', 60 * MINUTE],
]);

/** Reads a duration as Go writes it (`time.ParseDuration`), as far as `90s`, `5m` and `1h` go; bounds and answer in ms. */
export function readDuration(
  field: Field,
  { least, most }: { readonly least: number; readonly most: number },
): number | undefined {
  const text = readText(field);
  if (text === undefined) return undefined;
  const [, count, unit] = /^([1-9][0-9]{0,5})(s|m|h)$/.exec(text) ?? [];
  const ms = Number(count) * (UNITS.get(unit ?? '') ?? Number.NaN);
  if (ms >= least && ms <= most) return ms;
  const expected = `expected ${least / 1_000}s to ${most / MINUTE}m, as in 90s, 5m or 1h`;
  return reject(field, `${expected}, found ${quote(text)}; correct it`);
}
