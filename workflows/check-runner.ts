import { proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { Activities } from './activities.ts';
import type { Checklist } from './checklist.ts';
import { plainText } from './format/plain-text.ts';
import { DURABLE_ATTEMPT_MS, DURABLE_BUDGET_MS, FAST_ATTEMPT_MS, FAST_BUDGET_MS } from './verdict/deadlines.ts';
import { type Inability, inabilityOf } from './verdict/inability.ts';
import type { ReasonCode } from './verdict/reason.ts';

/** In the worker's own process: milliseconds, one history event, no trace of a failed attempt. */
const fast = proxyLocalActivities<Activities>({
  startToCloseTimeout: FAST_ATTEMPT_MS,
  scheduleToCloseTimeout: FAST_BUDGET_MS,
  retry: { initialInterval: 100, backoffCoefficient: 2, maximumAttempts: 2 },
});

/** Through the server: retried for minutes whatever happens to this worker, with attempts and last failure in the UI. */
const durable = proxyActivities<Activities>({
  startToCloseTimeout: DURABLE_ATTEMPT_MS,
  scheduleToCloseTimeout: DURABLE_BUDGET_MS,
  retry: { initialInterval: 500, backoffCoefficient: 1.5, maximumInterval: 5_000 },
});

/** What a check found, or why it came to no answer. */
export type CheckResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly inability: Inability };

/** The activities as a check calls them: the fast ones and the durable ones are called alike. */
export type CallableActivities = typeof fast | typeof durable;

export interface CheckRun<T> {
  /** What is checked, for people. */
  readonly title: string;
  /** Of which subject; also the summary of the activity in the UI. */
  readonly summary: string;
  /** The code of an attempt that was cut off without a reason of its own. */
  readonly onTimeout: ReasonCode;
  /** A check that refuses nothing is not worth waiting minutes for. */
  readonly durably?: boolean;
  readonly call: (activities: CallableActivities, options: { readonly summary: string }) => Promise<T>;
}

/**
 * Runs one check the fast way, and hands it to the durable way when it failed for a reason that may pass. What it
 * found is for the caller to write on the checklist; that it waits, and for what, is written here.
 */
export async function runCheck<T>(run: CheckRun<T>, checklist: Checklist): Promise<CheckResult<T>> {
  const options = { summary: plainText(run.summary) };
  checklist.set(run.title, 'running', run.summary);
  try {
    return { ok: true, value: await run.call(fast, options) };
  } catch (error) {
    const inability = inabilityOf(error, run.onTimeout);
    if (!inability.retryable || run.durably === false) return fail(inability);
    checklist.set(run.title, 'retrying', inability.sentence, inability.code);
  }
  try {
    return { ok: true, value: await run.call(durable, options) };
  } catch (error) {
    return fail(inabilityOf(error, run.onTimeout));
  }

  function fail(inability: Inability): CheckResult<T> {
    checklist.set(run.title, 'failed', inability.sentence, inability.code);
    return { ok: false, inability };
  }
}
