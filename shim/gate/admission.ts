import { parseName, repositoryOf } from '../../workflows/format/name.ts';
import { SHIM_DEADLINE_MS } from '../../workflows/verdict/deadlines.ts';
import type { Reason } from '../../workflows/verdict/reason.ts';
import type { PullRequest } from '../decision.ts';
import { FairQueue } from './admission-queue.ts';

/** How many questions a node has under way at the backend at once, who waits, and who is sent away. */
export interface Admission {
  /**
   * Waits for a turn, at most until `deadline` (Unix ms). Answers how to give the turn back, or the reason (SHIM_BUSY) why
   * there is none. Turns are handed out fairly between repositories, first come first served within one. A caller who
   * goes away says so by `signal`, and waits no more from then on.
   */
  enter(request: PullRequest, deadline: number, signal?: AbortSignal): Promise<Turn | Reason>;
  /** For metrics. */
  stats(): { readonly running: number; readonly waiting: number };
}

/** A place among those who ask the backend; `leave` may be called more than once. */
export interface Turn {
  readonly leave: () => void;
}

export interface AdmissionLimits {
  /** Questions at the backend at once. */
  readonly running: number;
  /** Questions that wait for a turn; more are sent away. */
  readonly waiting: number;
}

/**
 * A node pulls some images at once, and hundreds when it starts: 64 at the backend keep that busy from one node without
 * flooding it from a thousand, and 1,000 that wait are twice what a node has and hold next to nothing.
 */
export const ADMISSION_LIMITS: AdmissionLimits = { running: 64, waiting: 1_000 };

/** What a caller needs to hear the reason, in ms. */
const ANSWER_MS = 100;

interface Waiter {
  readonly repository: string;
  /** Ends the wait, once; later calls do nothing. */
  readonly settle: (answer: Turn | Reason) => void;
}

/** Opens the gate to the backend. Nothing is measured and nothing is guessed: turns go round the repositories that wait. */
export function openAdmission(limits: AdmissionLimits = ADMISSION_LIMITS): Admission {
  const queue = new FairQueue<Waiter>();
  let running = 0;

  const takeTurn = (): Turn => {
    running++;
    let left = false;
    return {
      leave() {
        if (left) return;
        left = true;
        running--;
        handOut();
      },
    };
  };
  const handOut = () => {
    while (running < limits.running) {
      const next = queue.shift();
      if (next === undefined) return;
      next.settle(takeTurn());
    }
  };
  const busy = (ahead: number): Reason => ({
    code: 'SHIM_BUSY',
    sentence: `${running} images are verified for this node and ${ahead} wait before this one; pull again`,
  });
  const sendAway = (waiter: Waiter) => {
    const reason = busy(queue.ahead(waiter.repository, waiter));
    queue.delete(waiter.repository, waiter);
    waiter.settle(reason);
  };

  return {
    async enter(request, deadline, signal) {
      if (running < limits.running) return takeTurn();
      const repository = repositoryIn(request);
      const patience = Math.min(deadline - Date.now(), SHIM_DEADLINE_MS) - ANSWER_MS;
      if (!(patience > 0) || signal?.aborted === true) return busy(queue.size);
      if (queue.size >= limits.waiting) {
        const last = queue.lastOfLongest(repository);
        if (last === undefined) return busy(queue.size);
        sendAway(last);
      }
      return await new Promise<Turn | Reason>((resolve) => {
        const gone = () => sendAway(waiter);
        const timer = setTimeout(gone, patience);
        signal?.addEventListener('abort', gone);
        const waiter: Waiter = {
          repository,
          settle(answer) {
            clearTimeout(timer);
            signal?.removeEventListener('abort', gone);
            resolve(answer);
          },
        };
        queue.push(repository, waiter);
      });
    },
    stats: () => ({ running, waiting: queue.size }),
  };
}

/** Whose turn it is: a job's images mostly are of one repository, whatever their tags. */
function repositoryIn({ name }: PullRequest): string {
  const parsed = parseName(name);
  return parsed === undefined ? name : repositoryOf(parsed);
}
