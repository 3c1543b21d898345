import type { Digest } from '../../workflows/digest.ts';
import type { ReasonCode } from '../../workflows/reason.ts';

/** What a signature has to be about. */
export interface ExpectedImage {
  readonly digest: Digest;
  /** `registry/repository`, as `repositoryOf` writes it. */
  readonly repository: string;
}

/** What one signature proved about one key and one image. The sentence is one line and quotes foreign text inertly. */
export type SignatureJudgement =
  | { readonly valid: true }
  | { readonly valid: false; readonly code: ReasonCode; readonly sentence: string };

/** A step of a judgement: what it produced, or the refusal that ends the judgement. */
export type Step<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly refusal: Refusal };

export type Refusal = Extract<SignatureJudgement, { readonly valid: false }>;

/** A refusal with its code and sentence. */
export function refuse(code: ReasonCode, sentence: string): Refusal {
  return { valid: false, code, sentence };
}
