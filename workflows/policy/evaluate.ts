import type {
  AuthorityOutcome,
  AuthorityReference,
  LogOutcome,
  MatchingPolicy,
  PolicyResolution,
  SignatureSet,
  SignatureSource,
} from '../activities.ts';
import type { Digest } from '../format/digest.ts';
import type { Outcome, Reason } from '../verdict/reason.ts';
import type { Signer } from '../verdict/verdict.ts';
import { byTelling, compareText } from './rejection.ts';
import {
  noMatchingPolicySentence,
  noPolicySentence,
  revokedSentence,
  satisfiedReason,
  unreadableReasons,
  unsatisfiedReason,
  unsignedReason,
  unusableReason,
  warningOf,
} from './sentence.ts';

/** What one authority, and the logs that it wants asked, made of the evidence. */
export interface JudgedAuthority {
  readonly reference: AuthorityReference;
  readonly outcome: AuthorityOutcome;
  /** Where it is there, evidence that it does not confirm does not count. */
  readonly log?: LogOutcome;
}

/** An authority that could not be asked. */
export interface UnableAuthority {
  readonly reference: AuthorityReference;
  readonly inability: Reason;
}

/** All that is known about one image when its verdict is due. */
export interface Evidence {
  readonly input: { readonly name: string; readonly digest: Digest };
  readonly resolution: PolicyResolution;
  readonly signatures: SignatureSet;
  /** An authority without an entry is an authority that is not satisfied. */
  readonly outcomes: readonly JudgedAuthority[];
  /** Only told, where a policy warns: what could not be found out about one that enforces never gets here. */
  readonly unable: readonly UnableAuthority[];
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
 * authorities is enough for that; a policy that warns refuses nothing; no policy at all or none that matches refuses.
 * Never answers inconclusive: what could not be found out never gets here. The order of the evidence makes no difference.
 */
export function evaluate(evidence: Evidence): Evaluation {
  const { input, resolution } = evidence;
  if (resolution.revoked === true) return deny([{ code: 'REVOKED', sentence: revokedSentence(input) }]);
  if (resolution.loaded === 0) return deny([{ code: 'NO_POLICY', sentence: noPolicySentence(input) }]);
  const matching = resolution.matching.toSorted((a, b) => compareText(a.name, b.name));
  if (matching.length === 0) {
    return deny([{ code: 'NO_MATCHING_POLICY', sentence: noMatchingPolicySentence(input, resolution) }]);
  }
  const judged = matching.map((policy) => judge(policy, evidence));
  const enforced = judged.filter(({ policy, satisfied }) => policy.mode === 'enforce' && !satisfied);
  if (enforced.length > 0) return deny(refusals(enforced, evidence));
  const warned = judged.filter(({ satisfied }) => !satisfied);
  const [first, ...rest] = [
    ...judged.filter(({ satisfied }) => satisfied).map(({ policy, signers }) => satisfiedReason(policy, signers)),
    ...warned.map(({ policy }) => warningOf(policy, refusal(policy, evidence))),
  ];
  // Without a policy nothing was satisfied; that was refused above, and the gate stays shut all the same.
  if (first === undefined) throw new Error('nothing can be allowed without a policy');
  return { outcome: 'allow', reasons: bounded([first, ...rest]), signers: judged.flatMap(({ signers }) => signers) };
}

interface JudgedPolicy {
  readonly policy: MatchingPolicy;
  readonly satisfied: boolean;
  /** None where a static authority alone satisfies it. */
  readonly signers: readonly Signer[];
}

/** Whether an authority accepts some evidence, and the logs that were asked bear out all of it. */
export function isAccepted({ outcome, log }: JudgedAuthority): boolean {
  return outcome.satisfied && outcome.signers.every(({ evidence }) => log?.confirmed.includes(evidence) ?? true);
}

/** Evidence counts only when it is among what was found, and when the logs that the policy wants asked confirm it. */
function judge(policy: MatchingPolicy, { outcomes, signatures }: Evidence): JudgedPolicy {
  const found = new Set(signatures.signatures.map((signature) => signature.blob));
  const accepted = outcomes.filter((judged) => {
    const { reference, outcome, log } = judged;
    const authority = policy.authorities.find((one) => one.authority === reference.authority);
    if (reference.policy !== policy.name || authority === undefined || authority.static !== undefined) return false;
    if (!outcome.satisfied || outcome.signers.length === 0) return false;
    if (authority.log !== undefined && log === undefined) return false;
    return isAccepted(judged) && outcome.signers.every(({ evidence }) => found.has(evidence));
  });
  const signers = accepted.flatMap(({ outcome }) => (outcome.satisfied ? outcome.signers : [])).toSorted(bySigner);
  const passes = policy.authorities.some((authority) => authority.static?.action === 'pass');
  return { policy, satisfied: accepted.length > 0 || passes, signers };
}

/** Why policies that are not satisfied refuse, the most telling reason first, and what evidence can't be used. */
function refusals(unsatisfied: readonly JudgedPolicy[], evidence: Evidence): readonly [Reason, ...Reason[]] {
  const policies = unsatisfied.map(({ policy }) => policy);
  const without = policies.filter((policy) => hasNoSignature(policy, evidence));
  const reasons = policies.filter((policy) => !without.includes(policy)).map((policy) => refusal(policy, evidence));
  const [first, ...rest] = reasons.toSorted(byTelling);
  const unreadable = unreadableReasons(evidence.signatures);
  if (without.length === 0 && first !== undefined) return [first, ...rest, ...unreadable];
  const others = [...(first === undefined ? [] : [first, ...rest]), ...unreadable.slice(1)];
  return [withoutSignature(without, evidence), ...others];
}

function refusal(policy: MatchingPolicy, evidence: Evidence): Reason {
  const unable = evidence.unable.find(({ reference }) => reference.policy === policy.name);
  if (unable !== undefined) return unable.inability;
  if (hasNoSignature(policy, evidence)) return withoutSignature([policy], evidence);
  return unsatisfiedReason(evidence.input, policy, evidence.outcomes);
}

/** An image is unsigned where nothing was found; what was found and can't be used is another reason. */
function withoutSignature(policies: readonly MatchingPolicy[], { input, signatures }: Evidence): Reason {
  const [trouble] = unreadableReasons(signatures);
  return trouble === undefined ? unsignedReason(input, policies) : unusableReason(input, policies, trouble);
}

/** Wants evidence, and there is none in the places that it names. */
function hasNoSignature({ authorities }: MatchingPolicy, { signatures: { signatures } }: Evidence): boolean {
  const wanted = authorities.filter((authority) => authority.static === undefined);
  const places = wanted.flatMap(({ sources }) => (sources.length > 0 ? sources : [{}]));
  return wanted.length > 0 && !signatures.some(({ source }) => places.some((place) => isSamePlace(place, source)));
}

/** Whether two sources are one place: a repository, and how its tags begin. */
export function isSamePlace(a: SignatureSource, b: SignatureSource): boolean {
  return a.repository === b.repository && (a.tagPrefix ?? '') === (b.tagPrefix ?? '');
}

function deny(reasons: readonly [Reason, ...Reason[]]): Evaluation {
  return { outcome: 'deny', reasons: bounded(reasons), signers: [] };
}

function bySigner(a: Signer, b: Signer): number {
  return (
    compareText(a.authority, b.authority) ||
    compareText(a.identity, b.identity) ||
    compareText(a.evidence, b.evidence) ||
    compareText(a.predicateType ?? '', b.predicateType ?? '')
  );
}

function bounded([first, ...rest]: readonly [Reason, ...Reason[]]): readonly [Reason, ...Reason[]] {
  return [first, ...rest.slice(0, MAX_REASONS - 1)];
}
