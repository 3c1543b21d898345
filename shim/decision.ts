import type { Check } from '../workflows/checklist.ts';
import type { Digest } from '../workflows/format/digest.ts';
import { type Outcome, REASON_OUTCOME, type Reason } from '../workflows/verdict/reason.ts';
import type { Verdict } from '../workflows/verdict/verdict.ts';
import type { Absence } from './backend/backend.ts';

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
 * What the node concluded about one pull: a verdict that was carried here and checked, a rule that its operator wrote for
 * this node, or a refusal of the node's own. There is no other way to a decision, and the last one never allows.
 */
export type Decision =
  | {
      readonly by: 'verdict';
      readonly verdict: Verdict;
      /** `kept` was carried here earlier; `offline` too, and its time is over, but the policy permits it without a backend. */
      readonly from: 'backend' | 'kept' | 'offline';
      /** Of the verification that answered; a kept verdict doesn't know it. */
      readonly workflowId: string | undefined;
    }
  | { readonly by: 'rule'; readonly reason: Reason; readonly request: PullRequest; readonly workflowId?: undefined }
  | {
      readonly by: 'node';
      readonly reasons: readonly [Reason, ...Reason[]];
      readonly request: PullRequest | undefined;
      readonly decisionId: string | undefined;
      readonly workflowId: string | undefined;
      /**
       * Set when this node itself found the backend to be gone. A reason alone does not say so: some are told by
       * workflows, in which anyone with the rights of the namespace can write.
       */
      readonly absence?: Absence;
    };

/** Called with the steps so far while a decision is being made. */
export type Watcher = (checks: readonly Check[]) => void;

export function outcomeOf(decision: Decision): Outcome {
  switch (decision.by) {
    case 'verdict':
      return decision.verdict.outcome;
    case 'rule':
      return REASON_OUTCOME[decision.reason.code];
    case 'node':
      // A node by itself never allows: it only has reasons not to.
      return REASON_OUTCOME[decision.reasons[0].code] === 'deny' ? 'deny' : 'inconclusive';
  }
}

export function reasonsOf(decision: Decision): readonly [Reason, ...Reason[]] {
  switch (decision.by) {
    case 'verdict':
      return decision.verdict.reasons;
    case 'rule':
      return [decision.reason];
    case 'node':
      return decision.reasons;
  }
}

export function decisionIdOf(decision: Decision): string | undefined {
  switch (decision.by) {
    case 'verdict':
      return decision.verdict.decisionId;
    case 'rule':
      return undefined; // nothing was verified, so there is nothing to explain later
    case 'node':
      return decision.decisionId;
  }
}

/** What the decision is about; `undefined` when the question was not well formed. */
export function subjectOf(decision: Decision): PullRequest | undefined {
  return decision.by === 'verdict' ? decision.verdict : decision.request;
}

/** A refusal that no verification stands behind, so that there is nothing to explain later. */
export function refuseAtOnce(reason: Reason, request?: PullRequest): Decision {
  return { by: 'node', reasons: [reason], request, decisionId: undefined, workflowId: undefined };
}
