/** A compiled condition over an attestation. Made only by `compileCondition`. */
export interface Condition {
  readonly source: string;
}

export type ConditionResult =
  | { readonly ok: true; readonly condition: Condition }
  | { readonly ok: false; readonly problem: string };

/** Reads a condition, an expression in CEL. `problem` completes "the condition is not usable: ". */
export function compileCondition(source: string): ConditionResult {
  if (source.trim() === '') return { ok: false, problem: 'it is empty' };
  return { ok: true, condition: { source } };
}
