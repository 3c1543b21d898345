import type { FoundEntry } from './log/looked-up-entry.ts';

/** What a judgement needs to know beside evidence and requirement. */
export interface JudgeContext {
  /** The time of judging: what a certificate that nobody saw has to be valid at. */
  readonly now: Date;
  /** Log entries that a look-up found for this evidence; they count as if they were in it. */
  readonly foundEntries?: readonly FoundEntry[];
  /** `unread` where only the presence of an attestation counts and not what it says; read without it. */
  readonly predicate?: 'read' | 'unread';
}
