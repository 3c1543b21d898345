import type { Check } from '../workflows/checklist.ts';
import type { Digest } from '../workflows/digest.ts';
import { type Outcome, REASON_OUTCOME, type Reason } from '../workflows/reason.ts';
import type { Verdict } from '../workflows/verdict.ts';

/** A pull, asked about: well formed, and its descriptor agrees with itself. */
export interface PullRequest {
  /** The name without its digest, in one spelling. */
  readonly name: string;
  readonly digest: Digest;
}

/** What a front was asked: a pull, or the sentence that says why it is none. */
export type Question =
  | { readonly ok: true; readonly request: PullRequest }
  | { readonly ok: false; readonly sentence: string };

/**
 * What the node concluded about one pull: a verdict that was carried here and checked, or a refusal of the node's own.
 * There is no third way to a decision, and only a checked verdict can allow.
 */
export type Decision =
  | { readonly by: 'verdict'; readonly verdict: Verdict; readonly workflowId: string }
  | {
      readonly by: 'node';
      readonly reasons: readonly [Reason, ...Reason[]];
      readonly request: PullRequest | undefined;
      readonly decisionId: string | undefined;
      readonly workflowId: string | undefined;
    };

/** Called with the steps so far while a decision is being made. */
export type Watcher = (checks: readonly Check[]) => void;

export function outcomeOf(decision: Decision): Outcome {
  if (decision.by === 'verdict') return decision.verdict.outcome;
  // A node by itself never allows: it only has reasons not to.
  return REASON_OUTCOME[decision.reasons[0].code] === 'deny' ? 'deny' : 'inconclusive';
}

export function reasonsOf(decision: Decision): readonly [Reason, ...Reason[]] {
  return decision.by === 'verdict' ? decision.verdict.reasons : decision.reasons;
}

export function decisionIdOf(decision: Decision): string | undefined {
  return decision.by === 'verdict' ? decision.verdict.decisionId : decision.decisionId;
}

/** What the decision is about; `undefined` when the question was not well formed. */
export function subjectOf(decision: Decision): PullRequest | undefined {
  return decision.by === 'verdict' ? decision.verdict : decision.request;
}

/** A refusal that no verification stands behind, so that there is nothing to explain later. */
export function refuseAtOnce(reason: Reason, request?: PullRequest): Decision {
  return { by: 'node', reasons: [reason], request, decisionId: undefined, workflowId: undefined };
}
