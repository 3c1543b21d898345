import type { Reason } from '../workflows/verdict/reason.ts';
import type { PullRequest } from './decision.ts';

/**
 * A rule that the node decides by itself, before it asks anybody: the bootstrap list, the canary. `undefined` means that
 * the rule has nothing to say. An allow by such a rule is told as its reason, DIGEST_LISTED or CANARY_PASSED.
 */
export type LocalRule = (request: PullRequest) => Reason | undefined;
