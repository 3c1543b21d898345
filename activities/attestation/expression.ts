import type { CelEnv, CelFunc } from '@bufbuild/cel';
import { quote } from '../text/quote.ts';
import { CONDITION_VARIABLES, compileRegex } from './cel-environment.ts';
import type { Expression } from './field-access.ts';

/** Deeper than anything a person writes, shallow enough for the stack of the thread that evaluates it. */
const MAX_DEPTH = 200;

/** What the planner of `@bufbuild/cel` does itself, so that no function of that name is registered. */
const OPERATORS = new Set(['_&&_', '_||_', '_?_:_', '_[_]', '@not_strictly_false']);

/** Names of types, as in `type(predicate.score) == double`. */
const TYPE_NAMES = new Set([
  ...['bool', 'bytes', 'double', 'int', 'list', 'map', 'null_type', 'string', 'type', 'uint'],
]);

/** What can be told of an expression before there is a statement. */
export interface ExpressionCheck {
  readonly functions: CelEnv['funcs'];
  /** Names that are bound where the expression stands, by the macros around it. */
  readonly bound: ReadonlySet<string>;
  readonly depth: number;
}

/**
 * Finds what makes an expression unusable, whatever the statement: a variable or function that does not exist (the
 * library tells of them only when it comes to them), a pattern that is none, an integer that JSON can't carry exactly,
 * a result that can't be true. `undefined`: nothing found.
 */
export function findProblem(expression: Expression, functions: CelEnv['funcs']): string | undefined {
  return findResultProblem(expression, functions) ?? walk(expression, { functions, bound: new Set(), depth: 0 });
}

function findResultProblem({ exprKind }: Expression, functions: CelEnv['funcs']): string | undefined {
  switch (exprKind.case) {
    case 'constExpr':
      return exprKind.value.constantKind.case === 'boolValue' ? undefined : 'expected a comparison, found a value';
    case 'listExpr':
    case 'structExpr':
      return 'expected a comparison, found a list, map or message';
    case 'callExpr': {
      const found = candidates(functions, exprKind.value.function);
      const yields = (name: string): boolean => found.some(({ result }) => result.name === name);
      if (found.length === 0 || yields('bool') || yields('dyn')) return undefined;
      return `expected a comparison, found the result of ${quote(exprKind.value.function)}, which is no boolean`;
    }
    default:
      return undefined;
  }
}

function walk(expression: Expression | undefined, check: ExpressionCheck): string | undefined {
  if (expression === undefined) return undefined;
  if (check.depth > MAX_DEPTH) return `it nests deeper than ${MAX_DEPTH} levels`;
  const inner = { ...check, depth: check.depth + 1 };
  const { exprKind } = expression;
  switch (exprKind.case) {
    case 'constExpr':
      return findConstantProblem(exprKind.value.constantKind);
    case 'identExpr':
      return findNameProblem(exprKind.value.name, check);
    case 'selectExpr':
      return walk(exprKind.value.operand, inner);
    case 'callExpr':
      return findCallProblem(exprKind.value, inner);
    case 'listExpr':
      return first(exprKind.value.elements, (element) => walk(element, inner));
    case 'structExpr': {
      const { messageName, entries } = exprKind.value;
      if (messageName !== '') return `messages (${quote(messageName)}) have no place in a condition`;
      return first(
        entries,
        ({ keyKind, value }) =>
          (keyKind.case === 'mapKey' ? walk(keyKind.value, inner) : undefined) ?? walk(value, inner),
      );
    }
    case 'comprehensionExpr':
      return findFoldProblem(exprKind.value, inner);
    case undefined:
      return 'a part of it is empty';
  }
}

type Kind<C extends Expression['exprKind']['case']> = Extract<Expression['exprKind'], { readonly case: C }>;

/** JSON numbers are doubles here, and `JSON.parse` has rounded them: a larger integer would equal its neighbours. */
function findConstantProblem(constant: Kind<'constExpr'>['value']['constantKind']): string | undefined {
  if (constant.case === 'doubleValue' && !Number.isFinite(constant.value)) {
    return 'it has a number that is larger than any double';
  }
  if (constant.case !== 'int64Value' && constant.case !== 'uint64Value') return undefined;
  const exact = constant.value >= BigInt(Number.MIN_SAFE_INTEGER) && constant.value <= BigInt(Number.MAX_SAFE_INTEGER);
  const found = String(constant.value);
  return exact
    ? undefined
    : `the integer ${found.length > 40 ? `${found.slice(0, 40)}...` : found} is outside of what JSON numbers say exactly (2^53 - 1)`;
}

function findNameProblem(name: string, { bound }: ExpressionCheck): string | undefined {
  if (bound.has(name) || CONDITION_VARIABLES.has(name) || TYPE_NAMES.has(name)) return undefined;
  return `it names ${quote(name)}, which does not exist: ${[...CONDITION_VARIABLES].join(', ')} do`;
}

function findCallProblem(call: Kind<'callExpr'>['value'], check: ExpressionCheck): string | undefined {
  const { args, target } = call;
  const method = target !== undefined;
  const fits = candidates(check.functions, call.function).some(
    (candidate) => (candidate.target !== undefined) === method && candidate.arguments.length === args.length,
  );
  if (!fits && !OPERATORS.has(call.function)) {
    return `there is no ${method ? 'method' : 'function'} ${quote(call.function)} of ${args.length} arguments`;
  }
  return (
    (call.function === 'matches' ? findRegexProblem(args.at(-1)) : undefined) ??
    walk(target, check) ??
    first(args, (arg) => walk(arg, check))
  );
}

function findRegexProblem(pattern: Expression | undefined): string | undefined {
  if (pattern?.exprKind.case !== 'constExpr') return undefined;
  const { constantKind } = pattern.exprKind.value;
  if (constantKind.case !== 'stringValue') return undefined;
  try {
    compileRegex(constantKind.value);
    return undefined;
  } catch (error) {
    return `expected a pattern in RE2 syntax, found ${quote(error instanceof Error ? error.message : constantKind.value)}`;
  }
}

/** A macro such as `list.all(x, ...)`: its variables are bound in the steps and the result, not in the list. */
function findFoldProblem(fold: Kind<'comprehensionExpr'>['value'], check: ExpressionCheck): string | undefined {
  const inResult = { ...check, bound: new Set([...check.bound, fold.accuVar]) };
  const inStep = { ...check, bound: new Set([...inResult.bound, fold.iterVar]) };
  return (
    walk(fold.iterRange, check) ??
    walk(fold.accuInit, check) ??
    walk(fold.loopCondition, inStep) ??
    walk(fold.loopStep, inStep) ??
    walk(fold.result, inResult)
  );
}

function candidates(functions: CelEnv['funcs'], name: string): readonly CelFunc[] {
  return [...(functions.find(name) ?? [])];
}

function first<T>(items: readonly T[], find: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const problem = find(item);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
