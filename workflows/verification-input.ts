import type { Digest } from './digest.ts';

/** What a node asks: may this digest enter under this name, by this revision of the policy? */
export interface VerificationInput {
  readonly decisionId: string;
  /** The name without its digest. */
  readonly name: string;
  readonly digest: Digest;
  readonly policyRevision: string;
}
