import type { Digest } from '../../workflows/digest.ts';
import type { LocalRule } from '../local-rule.ts';

/** Repositories of the canary, below a registry on loopback. */
export const REFUSED_REPOSITORY = 'portcullis-canary/refused';
export const PASSED_REPOSITORY = 'portcullis-canary/passed';

const REFUSED = new RegExp(`^127\\.0\\.0\\.1:\\d{1,5}/${REFUSED_REPOSITORY}:`);

/**
 * Refuses the bad half of every canary by its name, whoever runs it: a refusal is no hole. The good half is allowed by the
 * digests of a run that is under way in this process, and by nothing that its name says.
 */
export function canaryRule(passed: ReadonlySet<Digest>): LocalRule {
  return ({ name, digest }) => {
    if (REFUSED.test(name)) return { code: 'CANARY_REFUSED', sentence: `${digest} is a canary that has to be refused` };
    if (passed.has(digest)) return { code: 'CANARY_PASSED', sentence: `${digest} is a canary that has to pass` };
    return undefined;
  };
}
