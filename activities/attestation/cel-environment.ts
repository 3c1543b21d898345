import { type CelEnv, celEnv } from '@bufbuild/cel';
import { strings } from '@bufbuild/cel/ext';
import { RE2JS } from 're2js';

/** What a condition can name. */
export const CONDITION_VARIABLES: ReadonlySet<string> = new Set(['predicate', 'predicateType', 'subject', 'statement']);

/** Patterns that are kept compiled: a comprehension asks for the same few again and again. */
const MAX_PATTERNS = 100;

/**
 * CEL as conditions use it: the standard functions and macros, the `strings` extension, and patterns in RE2, which are
 * searched for anywhere in the text as CEL says.
 */
export function conditionEnvironment(): CelEnv {
  const patterns = new Map<string, RE2JS>();
  return celEnv({ funcs: strings, re2: { compile: (source) => compiled(patterns, source) } });
}

/** Compiles an RE2 pattern of a condition. Throws what `re2js` throws. */
export function compileRegex(source: string): RE2JS {
  return RE2JS.compile(source);
}

function compiled(patterns: Map<string, RE2JS>, source: string): RE2JS {
  const known = patterns.get(source);
  if (known !== undefined) return known;
  const pattern = compileRegex(source);
  if (patterns.size >= MAX_PATTERNS) patterns.clear();
  patterns.set(source, pattern);
  return pattern;
}
