import { type CelEnv, CelScalar, celEnv, celFunc, parse, plan } from '@bufbuild/cel';
import { strings } from '@bufbuild/cel/ext';
import { RE2JS } from 're2js';
import { ACCESS_FUNCTIONS } from './cel-access.ts';
import { CONVERSIONS } from './cel-conversions.ts';
import { LIST_FUNCTIONS } from './cel-list.ts';
import { TEXT_FUNCTIONS } from './cel-text.ts';
import { TIME_FUNCTIONS } from './cel-time.ts';
import { withFieldAccess } from './field-access.ts';

/** What a condition can name. */
export const CONDITION_VARIABLES: ReadonlySet<string> = new Set(['predicate', 'predicateType', 'subject', 'statement']);

/** Patterns that are kept compiled: a comprehension asks for the same few again and again. */
const MAX_PATTERNS = 100;

/** Evaluates a planned expression. Gives a CEL value or a CEL error; does not throw for what the bindings hold. */
export type Evaluate = ReturnType<typeof plan>;

/**
 * CEL as conditions use it: the standard functions and macros, the `strings` extension, and patterns in RE2, which are
 * searched for anywhere in the text as CEL says. Where `@bufbuild/cel` gives a value and the specification an error, the
 * functions of this folder take the place of its own.
 */
export function conditionEnvironment(): CelEnv {
  const { BOOL, STRING } = CelScalar;
  const patterns = new Map<string, RE2JS>();
  const compile = (source: string): RE2JS => compiled(patterns, source);
  const matches = celFunc('matches', [STRING, STRING], BOOL, (text, pattern) => compile(pattern).test(text));
  const own = [...ACCESS_FUNCTIONS, ...CONVERSIONS, ...LIST_FUNCTIONS, ...TEXT_FUNCTIONS, ...TIME_FUNCTIONS, matches];
  return celEnv({ funcs: [...strings, ...own], re2: { compile } });
}

/** Plans an expression in an environment of `conditionEnvironment`. Throws when it can't be parsed or planned. */
export function planExpression(environment: CelEnv, source: string): Evaluate {
  return plan(environment, withFieldAccess(parse(source).expr));
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
