import type { Digest } from '../format/digest.ts';
import type { Envelope } from './verdict.ts';

/** What a node asks: may this digest enter under this name, by this revision of the policy? */
export interface VerificationInput {
  readonly decisionId: string;
  /** The name without its digest. */
  readonly name: string;
  readonly digest: Digest;
  readonly policyRevision: string;
  /** The signed statement that the node asks by, where it tells about keys in a KMS or logs: workers learn from it. */
  readonly statement?: Envelope;
}
