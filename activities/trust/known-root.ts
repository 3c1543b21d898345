import type { TrustRoot } from './trust-root.ts';
import type { TufFailure } from './tuf/update.ts';

/** What is known of one trust root at a moment; replaced as a whole, never changed. */
export interface RootState {
  /** The newest one that was proven. */
  readonly usable?: UsableRoot;
  /** Why the last look was in vain; absent when it was not. */
  readonly failure?: TufFailure;
  /** Whether a look at its source has come to an end. */
  readonly attempted: boolean;
}

export interface UsableRoot {
  readonly root: TrustRoot;
  /** Unix time in ms when its metadata ends; `undefined` for plain keys, which don't. */
  readonly expires: number | undefined;
}

/** One trust root that policies name. */
export interface KnownRoot {
  readonly name: string;
  /** Where it comes from, for sentences. */
  readonly from: string;
  /** Whether looking again later may find something else. */
  readonly mayChange: boolean;
  /** Another source has another id. */
  readonly id: string;
  state(): RootState;
  /** Reads what needs no network. Never rejects. */
  open(): Promise<void>;
  /** Begins to look again and again. */
  start(): void;
  /** Looks now, or joins the look that is under way. Never rejects. */
  refresh(): Promise<void>;
  /** Ends all of it; nobody is told any more. */
  stop(): void;
}

/** What became of a trust root, for whoever keeps a log of it. */
export type TrustEvent =
  | {
      readonly kind: 'refreshed';
      readonly name: string;
      readonly revision: string;
      readonly changed: boolean;
      readonly expires: number | undefined;
    }
  /** `problem` is one line; `usableUntil` is absent when there is no older one to go on with. */
  | { readonly kind: 'failed'; readonly name: string; readonly problem: string; readonly usableUntil?: number }
  /** The trust root is in use, without parts of it that this version does not know. `problem` is one line. */
  | { readonly kind: 'passed-over'; readonly name: string; readonly problem: string }
  /** The trust root is in use, but a restart would not find it. */
  | { readonly kind: 'not-kept'; readonly name: string; readonly problem: string };
