import { createHash } from 'node:crypto';
import type { AuthorityReference } from '../../workflows/activities.ts';
import type { Dependencies } from '../dependencies.ts';
import { EvidenceError } from '../evidence-error.ts';
import type { Authority, PolicySet } from '../policy/policy-set.ts';
import { trustRootNames } from '../policy/trust-root-names.ts';
import { formatProblem } from '../yaml/problem.ts';

type Applied = Pick<Dependencies, 'policy' | 'trust'>;

/** The revision that this worker applies, valid or not: of the policy directory and of the trust roots that it names. */
export function appliedRevision({ policy, trust }: Applied): string {
  const load = policy.current();
  return load.ok ? revisionWith(load.set, trust.revision()) : load.revision;
}

/** The revision of the trust roots that a policy set names; empty when it names none. */
export function trustRevisionOf({ trust }: Pick<Dependencies, 'trust'>, set: PolicySet): string {
  return trustRootNames(set).size === 0 ? '' : trust.revision();
}

/** The same for a revision of the policy; empty for one that this worker does not apply. */
export function trustRevision(dependencies: Applied, policyRevision: string): string {
  const load = dependencies.policy.current();
  const applied = load.ok && appliedRevision(dependencies) === policyRevision;
  return applied ? trustRevisionOf(dependencies, load.set) : '';
}

/** A trust root is as much a part of what is applied as the policy: when one changes, what was decided before is void. */
function revisionWith(set: PolicySet, trust: string): string {
  if (trustRootNames(set).size === 0) return set.contentHash;
  return createHash('sha256').update(`portcullis applied 1\n${set.contentHash}\n${trust}\n`).digest('hex');
}

/**
 * The policy set of the asked revision. Throws POLICY_INVALID with the first problem when none could be loaded, and
 * POLICY_CHANGED when this worker applies another revision: asking again finds the current one.
 */
export function policySet({ policy, trust }: Applied, policyRevision: string): PolicySet {
  const load = policy.current();
  if (!load.ok) {
    const [first] = load.problems;
    const what = first === undefined ? 'the policy could not be loaded' : formatProblem(first);
    throw new EvidenceError('POLICY_INVALID', `${what}; run "portcullis policy check" where the policy lives`, {
      retryable: false,
    });
  }
  const applied = revisionWith(load.set, trust.revision());
  if (applied !== policyRevision) {
    const sentence = `this worker applies policy revision ${applied.slice(0, 12)}, asked for ${policyRevision.slice(0, 12)}; pull again`;
    throw new EvidenceError('POLICY_CHANGED', sentence, { retryable: false });
  }
  return load.set;
}

/** One authority of the asked revision. Throws what {@link policySet} throws, and INTERNAL for one that isn't there. */
export function findAuthority(
  dependencies: Applied,
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
