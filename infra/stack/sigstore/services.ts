import type { CtLog } from './ct-log.ts';
import type { Fulcio } from './fulcio.ts';
import type { Rekor } from './rekor.ts';
import type { RekorV1 } from './rekor-v1.ts';
import type { TimestampAuthority } from './timestamp-authority.ts';

/** What a signer needs, and what its signatures are verified against. */
export interface SigstoreServices {
  readonly fulcio: Fulcio;
  readonly ctLog: CtLog;
  readonly rekor: Rekor;
  /** Only when it was asked for: a log of the first generation. */
  readonly rekorV1: RekorV1 | undefined;
  readonly timestampAuthority: TimestampAuthority;
}
