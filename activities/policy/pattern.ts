import { compilePattern, exactly, MAX_PATTERN_LENGTH, type TextPattern } from '../sigstore/requirement/text-pattern.ts';
import { type Field, readLine, reject } from '../yaml/field.ts';
import { quote } from '../yaml/problem.ts';

/** Reads a regular expression (RE2), which has to match the whole of a text. */
export function readPattern(field: Field, fixBlank?: string): TextPattern | undefined {
  const source = readLine(field, MAX_PATTERN_LENGTH, fixBlank);
  if (source === undefined) return undefined;
  const result = compilePattern(source);
  if (result.ok) return result.pattern;
  return reject(
    field,
    `expected a pattern, found ${quote(source)}, which is not usable: ${result.problem}; correct it`,
  );
}

/** Reads a text that has to be the same, character by character. */
export function readExact(field: Field, fixBlank?: string): TextPattern | undefined {
  const text = readLine(field, MAX_PATTERN_LENGTH, fixBlank);
  return text === undefined ? undefined : exactly(text);
}
