import type { Envelope } from '../../workflows/verdict/verdict.ts';
import { goodUntil, usableUntil, workerSilenceMs } from '../../workflows/verdict/verdict-times.ts';
import type { PolicyWatch } from '../backend/policy-watch.ts';
import type { Decision, PullRequest } from '../decision.ts';
import type { CacheKey } from '../memory/verdict-cache/verdict-cache.ts';
import { isComparable } from '../revoked.ts';
import { checkVerdict } from '../verdict-keys/verdict-check.ts';
import type { VerdictKeys } from '../verdict-keys/verdict-keys.ts';

/** Verdicts that were carried here earlier: signed, checked afresh each time, and never anything but an allow. */
export interface KeptVerdicts {
  /** By a verdict whose time is not over, under the policy that is current; `undefined` when there is none. */
  fresh(request: PullRequest): Decision | undefined;
  /**
   * By a verdict that the policy permits to be used while the backend can't be reached, under the policy that was current
   * when it was last reached. `goneMs` is for how long it has been gone: without end when Temporal can't be reached, and while
   * only workers are silent at least as long as the policy wants.
   */
  offline(request: PullRequest, goneMs: number): Decision | undefined;
}

/** Uses the first good one of what `find` has kept. Nothing that comes from there is believed unchecked. */
export function keptVerdicts(
  find: (key: CacheKey) => readonly Envelope[],
  policy: Pick<PolicyWatch, 'known' | 'newest' | 'revoked'>,
  fleet: string,
  keys: () => VerdictKeys,
  onVerdict: (keyId: string) => void,
): KeptVerdicts {
  function use(request: PullRequest, policyRevision: string | undefined, goneMs?: number) {
    if (policyRevision === undefined) return undefined;
    const key = { ...request, policyRevision, fleet };
    const now = Date.now();
    for (const envelope of find(key)) {
      const check = checkVerdict({ envelope }, key, keys(), now);
      if (check.kind === 'refused' || check.verdict.outcome !== 'allow') continue;
      if (!isComparable(policy.revoked(), check.verdict)) continue;
      if (goneMs !== undefined && goneMs < workerSilenceMs(check.verdict)) continue;
      if ((goneMs === undefined ? goodUntil(check.verdict) : usableUntil(check.verdict)) <= now) continue;
      const from = goneMs === undefined ? 'kept' : 'offline';
      onVerdict(check.keyId);
      return { by: 'verdict', verdict: check.verdict, from, workflowId: undefined } satisfies Decision;
    }
    return undefined;
  }
  return {
    fresh: (request) => use(request, policy.known()?.policyRevision),
    offline: (request, goneMs) => use(request, policy.newest()?.policyRevision, goneMs),
  };
}
