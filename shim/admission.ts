import type { Reason } from '../workflows/reason.ts';
import type { PullRequest } from './decision.ts';

/** How many questions a node has under way at the backend at once, who waits, and who is sent away. */
export interface Admission {
  /**
   * Waits for a turn, at most until `deadline` (Unix ms). Answers how to give the turn back, or the reason (SHIM_BUSY) why
   * there is none. Turns are handed out fairly between repositories, first come first served within one.
   */
  enter(request: PullRequest, deadline: number): Promise<Turn | Reason>;
  /** For metrics. */
  stats(): { readonly running: number; readonly waiting: number };
}

/** A place among those who ask the backend; `leave` may be called more than once. */
export interface Turn {
  readonly leave: () => void;
}
