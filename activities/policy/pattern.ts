import { compilePattern, type TextPattern } from '../sigstore/text-pattern.ts';
import { type Field, readText, reject } from './field.ts';
import { quote } from './policy-problem.ts';

/** Reads a regular expression (RE2), which has to match the whole of a text. */
export function readPattern(field: Field): TextPattern | undefined {
  const source = readText(field);
  if (source === undefined) return undefined;
  const result = compilePattern(source);
  if (result.ok) return result.pattern;
  return reject(
    field,
    `expected a pattern, found ${quote(source)}, which is not usable: ${result.problem}; correct it`,
  );
}
