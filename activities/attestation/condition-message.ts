/** What the program that evaluates conditions is asked. */
export interface ConditionQuestion {
  readonly source: string;
  /** The statement, as JSON. */
  readonly statement: string;
}

/** What it says: once that it is there, then one answer to each question. Foreign text in it is raw. */
export type ConditionMessage = { readonly kind: 'ready' } | ConditionAnswer;

export type ConditionAnswer =
  | { readonly kind: 'value'; readonly holds: boolean }
  | { readonly kind: 'not-boolean'; readonly type: string }
  | { readonly kind: 'failed'; readonly problem: string };
