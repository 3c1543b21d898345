import type { MatchingAuthority } from './activities.ts';
import type { Reason } from './verdict/reason.ts';

/** What a step found, or why it came to no answer. */
export type Gathered<T> =
  | { readonly ok: true; readonly value: T }
  | {
      readonly ok: false;
      readonly inability: Reason;
      /** What was found out all the same. */
      readonly also?: readonly Reason[];
    };

/** An authority whose evidence is gathered. */
export interface AskedAuthority extends MatchingAuthority {
  /** Whether a failed check is worth minutes: not where the policy only warns. */
  readonly durably: boolean;
}
