import { type CelInput, celList, celMap, celType, isCelError } from '@bufbuild/cel';
import { isRecord } from '../../workflows/format/record.ts';
import { conditionEnvironment, type Evaluate, planExpression } from './cel-environment.ts';
import type { ConditionAnswer, ConditionQuestion } from './condition-message.ts';

/** Conditions that are kept planned; policies hold a handful. */
const MAX_PLANS = 1000;

const environment = conditionEnvironment();
const plans = new Map<string, Evaluate>();

/** Evaluates a condition over a statement, for as long as that takes: `condition-process.ts` ends it. Does not throw. */
export function answerCondition({ source, statement }: ConditionQuestion): ConditionAnswer {
  try {
    const value = planned(source)(bindings(statement));
    if (typeof value === 'boolean') return { kind: 'value', holds: value };
    if (isCelError(value)) return { kind: 'failed', problem: value.message };
    return { kind: 'not-boolean', type: typeName(value) };
  } catch (error) {
    return { kind: 'failed', problem: error instanceof Error ? error.message : 'an error' };
  }
}

function planned(source: string): Evaluate {
  const known = plans.get(source);
  if (known !== undefined) return known;
  const evaluate = planExpression(environment, source);
  if (plans.size >= MAX_PLANS) plans.clear();
  plans.set(source, evaluate);
  return evaluate;
}

function bindings(json: string): Record<string, CelInput> {
  const statement: unknown = JSON.parse(json);
  if (!isRecord(statement)) throw new Error('the statement is not an object');
  // Once: of a large SBOM a second copy would need as much memory again.
  const fields = new Map(Object.entries(statement).map(([name, field]) => [name, toCel(field)]));
  return {
    predicate: fields.get('predicate') ?? null,
    predicateType: fields.get('predicateType') ?? null,
    subject: fields.get('subject') ?? null,
    statement: celMap(fields),
  };
}

/**
 * Objects become maps: `@bufbuild/cel` reads a plain object that has a `$typeName` as a protobuf message, fails on one
 * that has a `constructor`, and copies all others each time it looks into them.
 */
function toCel(value: unknown): CelInput {
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'boolean':
      return value;
    default:
      if (Array.isArray(value)) return celList(value.map(toCel));
      if (isRecord(value)) return celMap(new Map(Object.entries(value).map(([name, field]) => [name, toCel(field)])));
      return null;
  }
}

function typeName(value: unknown): string {
  try {
    // A value that the library just made: what else it can be, `celType` refuses by throwing.
    return celType(value as Parameters<typeof celType>[0]).name;
  } catch {
    return 'unknown';
  }
}
