import type {
  AuthorityOutcome,
  AuthorityReference,
  MatchingPolicy,
  PolicyResolution,
  SignatureSet,
} from '../activities.ts';
import type { Digest } from '../digest.ts';
import type { Outcome, Reason } from '../reason.ts';
import type { Signer } from '../verdict.ts';
import { byTelling, compareText } from './rejection.ts';
import {
  noMatchingPolicySentence,
  noPolicySentence,
  unreadableReasons,
  unsatisfiedReason,
  unsignedSentence,
  verifiedSentence,
} from './sentence.ts';

/** All that is known about one image when its verdict is due. */
export interface Evidence {
  readonly input: { readonly name: string; readonly digest: Digest };
  readonly resolution: PolicyResolution;
  readonly signatures: SignatureSet;
  /** An authority without an entry is an authority that is not satisfied. */
  readonly outcomes: readonly { readonly reference: AuthorityReference; readonly outcome: AuthorityOutcome }[];
}

/** What the evidence says. */
export interface Evaluation {
  readonly outcome: Outcome;
  /** The decisive one first. */
  readonly reasons: readonly [Reason, ...Reason[]];
  readonly signers: readonly Signer[];
}

/** Reasons of one verdict; more would bury the decisive one. */
const MAX_REASONS = 8;

/**
 * Decides by the rule of sigstore's ClusterImagePolicy: every policy that matches has to be satisfied, and one of its
 * authorities is enough for that; no policy at all or none that matches refuses. Never answers inconclusive: what
 * could not be found out never gets here. The order of the evidence makes no difference.
 */
export function evaluate(evidence: Evidence): Evaluation {
  const { input, resolution, signatures } = evidence;
  if (resolution.loaded === 0) return deny([{ code: 'NO_POLICY', sentence: noPolicySentence(input) }]);
  const matching = resolution.matching.toSorted((a, b) => compareText(a.name, b.name));
  if (matching.length === 0) {
    return deny([{ code: 'NO_MATCHING_POLICY', sentence: noMatchingPolicySentence(input, resolution.loaded) }]);
  }
  if (signatures.signatures.length === 0) {
    const unsigned: Reason = { code: 'UNSIGNED', sentence: unsignedSentence(input, matching, signatures) };
    return deny([unsigned, ...unreadableReasons(signatures)]);
  }
  const judged = matching.map((policy) => ({ policy, signers: signersOf(policy, evidence) }));
  const [first, ...rest] = judged
    .filter(({ signers }) => signers.length === 0)
    .map(({ policy }) => unsatisfiedReason(input, policy, evidence.outcomes))
    .toSorted(byTelling);
  if (first !== undefined) return deny([first, ...rest]);
  return allow(judged);
}

/** Those who satisfied a policy. A signer counts only with evidence among the signatures that were found. */
function signersOf(policy: MatchingPolicy, { outcomes, signatures }: Evidence): readonly Signer[] {
  const found = new Set(signatures.signatures.map((signature) => signature.blob));
  return policy.authorities.flatMap(({ authority }) =>
    outcomes.flatMap(({ reference, outcome }) => {
      const own = reference.policy === policy.name && reference.authority === authority;
      return own && outcome.satisfied && found.has(outcome.signer.evidence) ? [outcome.signer] : [];
    }),
  );
}

function deny(reasons: readonly [Reason, ...Reason[]]): Evaluation {
  return { outcome: 'deny', reasons: bounded(reasons), signers: [] };
}

function allow(
  judged: readonly { readonly policy: MatchingPolicy; readonly signers: readonly Signer[] }[],
): Evaluation {
  const signers = judged.flatMap((one) => one.signers.toSorted(bySigner));
  const [first, ...rest] = judged.map(
    ({ policy, signers: by }): Reason => ({
      code: 'SIGNATURE_VERIFIED',
      sentence: verifiedSentence(policy, by.toSorted(bySigner)),
    }),
  );
  // Without a policy nothing was satisfied; the caller has refused that before, and the gate stays shut all the same.
  if (first === undefined) throw new Error('nothing can be allowed without a policy');
  return { outcome: 'allow', reasons: bounded([first, ...rest]), signers };
}

function bySigner(a: Signer, b: Signer): number {
  return (
    compareText(a.authority, b.authority) || compareText(a.identity, b.identity) || compareText(a.evidence, b.evidence)
  );
}

function bounded([first, ...rest]: readonly [Reason, ...Reason[]]): readonly [Reason, ...Reason[]] {
  return [first, ...rest.slice(0, MAX_REASONS - 1)];
}
