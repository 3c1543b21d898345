/** A compiled condition over an attestation. Made only by `compileCondition`. */
export interface Condition {
  readonly source: string;
}
