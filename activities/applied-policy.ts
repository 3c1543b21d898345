import type { AuthorityReference } from '../workflows/activities.ts';
import type { Dependencies } from './dependencies.ts';
import { EvidenceError } from './evidence-error.ts';
import { formatProblem } from './policy/policy-problem.ts';
import type { Authority, PolicySet } from './policy/policy-set.ts';

/** The revision that this worker applies, valid or not. */
export function appliedRevision({ policy }: Dependencies): string {
  const load = policy.current();
  return load.ok ? load.set.revision : load.revision;
}

/**
 * The policy set of the asked revision. Throws POLICY_INVALID with the first problem when none could be loaded, and
 * POLICY_CHANGED when this worker applies another revision: asking again finds the current one.
 */
export function policySet({ policy }: Dependencies, policyRevision: string): PolicySet {
  const load = policy.current();
  if (!load.ok) {
    const [first] = load.problems;
    const what = first === undefined ? 'the policy could not be loaded' : formatProblem(first);
    throw new EvidenceError('POLICY_INVALID', `${what}; run "portcullis policy check" where the policy lives`, {
      retryable: false,
    });
  }
  if (load.set.revision !== policyRevision) {
    const sentence = `this worker applies policy revision ${load.set.revision.slice(0, 12)}, asked for ${policyRevision.slice(0, 12)}; pull again`;
    throw new EvidenceError('POLICY_CHANGED', sentence, { retryable: false });
  }
  return load.set;
}

/** One authority of the asked revision. Throws what {@link policySet} throws, and INTERNAL for one that isn't there. */
export function findAuthority(
  dependencies: Dependencies,
  reference: AuthorityReference & { readonly policyRevision: string },
): Authority {
  const policy = policySet(dependencies, reference.policyRevision).policies.find(
    (one) => one.name === reference.policy,
  );
  const authority = policy?.authorities.find((one) => one.name === reference.authority);
  if (authority === undefined) {
    throw new EvidenceError('INTERNAL', `policy ${reference.policy} has no authority ${reference.authority}`, {
      retryable: false,
    });
  }
  return authority;
}
