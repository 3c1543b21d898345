import type { parse } from '@bufbuild/cel';
import { HAS, INDEX, SELECT } from './cel-access.ts';

/** A parsed CEL expression (cel-spec `cel.expr.Expr`). */
export type Expression = ReturnType<typeof parse>['expr'];

type Kind<C extends Expression['exprKind']['case']> = Extract<Expression['exprKind'], { readonly case: C }>;

/** How CEL calls `e[i]`. */
const INDEX_OPERATOR = '_[_]';

/**
 * The same expression with `has(e.f)`, `e.f` and `e[i]` as calls of the functions of `cel-access.ts`, because the planner
 * of `@bufbuild/cel` evaluates them itself and can't be told otherwise. As deep as the expression, which is bounded.
 */
export function withFieldAccess(expression: Expression): Expression {
  const { exprKind } = expression;
  switch (exprKind.case) {
    case 'selectExpr': {
      const { operand, field, testOnly } = exprKind.value;
      if (operand === undefined) return expression;
      const name = constant(expression, field);
      return call(expression, testOnly ? HAS : SELECT, [withFieldAccess(operand), name]);
    }
    case 'callExpr': {
      const { target, args, function: name } = exprKind.value;
      const inner = args.map(withFieldAccess);
      if (name === INDEX_OPERATOR) return call(expression, INDEX, inner);
      const value = { ...exprKind.value, args: inner };
      if (target !== undefined) value.target = withFieldAccess(target);
      return { ...expression, exprKind: { case: 'callExpr', value } };
    }
    case 'listExpr': {
      const value = { ...exprKind.value, elements: exprKind.value.elements.map(withFieldAccess) };
      return { ...expression, exprKind: { case: 'listExpr', value } };
    }
    case 'structExpr':
      return { ...expression, exprKind: { case: 'structExpr', value: withStructAccess(exprKind.value) } };
    case 'comprehensionExpr':
      return { ...expression, exprKind: { case: 'comprehensionExpr', value: withFoldAccess(exprKind.value) } };
    case 'constExpr':
    case 'identExpr':
    case undefined:
      return expression;
  }
}

function withStructAccess(struct: Kind<'structExpr'>['value']): Kind<'structExpr'>['value'] {
  const entries = struct.entries.map((entry) => {
    const changed = { ...entry };
    if (entry.keyKind.case === 'mapKey') {
      changed.keyKind = { case: 'mapKey', value: withFieldAccess(entry.keyKind.value) };
    }
    if (entry.value !== undefined) changed.value = withFieldAccess(entry.value);
    return changed;
  });
  return { ...struct, entries };
}

const FOLD_PARTS = ['iterRange', 'accuInit', 'loopCondition', 'loopStep', 'result'] as const;

function withFoldAccess(fold: Kind<'comprehensionExpr'>['value']): Kind<'comprehensionExpr'>['value'] {
  const changed = { ...fold };
  for (const part of FOLD_PARTS) {
    const expression = fold[part];
    if (expression !== undefined) changed[part] = withFieldAccess(expression);
  }
  return changed;
}

function call(at: Expression, name: string, args: Expression[]): Expression {
  const value = { $typeName: 'cel.expr.Expr.Call', function: name, args } as const;
  return { ...at, exprKind: { case: 'callExpr', value } };
}

function constant(at: Expression, text: string): Expression {
  const constantKind = { case: 'stringValue', value: text } as const;
  return { ...at, exprKind: { case: 'constExpr', value: { $typeName: 'cel.expr.Constant', constantKind } } };
}
