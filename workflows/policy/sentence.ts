import type {
  AuthorityOutcome,
  AuthorityReference,
  LogOutcome,
  MatchingAuthority,
  MatchingPolicy,
  PolicyResolution,
  SignatureSet,
} from '../activities.ts';
import type { Digest } from '../format/digest.ts';
import { parseName, repositoryOf } from '../format/name.ts';
import { plainTextWithin } from '../format/plain-text.ts';
import type { Reason } from '../verdict/reason.ts';
import type { Signer } from '../verdict/verdict.ts';
import { byTelling, mostTelling } from './rejection.ts';

/** The image a sentence is about. */
interface Subject {
  readonly name: string;
  readonly digest: Digest;
}

type Judged = readonly {
  readonly reference: AuthorityReference;
  readonly outcome: AuthorityOutcome;
  readonly log?: LogOutcome;
}[];

/** Text from outside that one sentence repeats; the rest is cut. */
const MAX_QUOTE = 300;

/** Policies and authorities that one sentence lists by name. */
const MAX_NAMES = 5;

export function revokedSentence({ digest }: Subject): string {
  return `${digest} was revoked by a Revocation of the policy, by its own digest or with an index that lists it; use another build of the image`;
}

/** Why nothing can pass while no policy is loaded. */
export function noPolicySentence(subject: Subject): string {
  return `no policy is loaded, so nothing may be pulled, nor ${image(subject)}; add a ClusterImagePolicy to the worker's policy directory`;
}

/** Why a name passes under no policy, and which policy it misses narrowly. */
export function noMatchingPolicySentence(subject: Subject, { loaded, near = [] }: PolicyResolution): string {
  const none = `no policy matches ${oneLine(subject.name)} (${count(loaded, 'policy', 'policies')} loaded)`;
  const missed = near.map(({ policy, glob }) => `"${glob}" (policy "${policy}")`);
  const list = shortened(missed).join(', ');
  switch (near[0]?.by) {
    case undefined:
      return `${none}; add its name to spec.images of a policy`;
    case 'tag':
      return `${none}; the name has a digest and no tag (the CRI drops a tag beside a digest), so no glob that names tags matches it: ${list}; add "${repository(subject)}" to spec.images of a policy, or pull by tag and without digest`;
    case 'host':
      return `${none}; another name of its host is matched by ${list}; pull by that name, or add "${repository(subject)}*" to spec.images of a policy`;
  }
}

/** That nothing was found where signatures live, where that was, and how to sign. */
export function unsignedReason(subject: Subject, matching: readonly MatchingPolicy[]): Reason {
  const sentence = [
    `no signature found for ${image(subject)}`,
    ...shortened(matching.map(wish)),
    `looked at ${places(matching)}`,
    howToSign(subject),
  ].join('; ');
  return { code: 'UNSIGNED', sentence };
}

/** That there is evidence, and why it is of no use: the most telling of what {@link unreadableReasons} names. */
export function unusableReason(
  subject: Subject,
  matching: readonly MatchingPolicy[],
  { code, sentence: trouble }: Reason,
): Reason {
  const sentence = [
    trouble,
    `no other signature found for ${image(subject)}`,
    ...shortened(matching.map(wish)),
    code === 'EVIDENCE_UNSUPPORTED' ? howToSign(subject) : 'replace it, or remove it and sign again',
  ].join('; ');
  return { code, sentence };
}

function wish(policy: MatchingPolicy): string {
  return `policy "${policy.name}"${applied(policy)} wants a signature by ${authorities(policy)}`;
}

function howToSign(subject: Subject): string {
  return `sign it with cosign sign --key KEY ${repository(subject)}@${subject.digest}`;
}

/** Where evidence was looked for; policies may name other repositories than the image's own. */
function places(matching: readonly MatchingPolicy[]): string {
  const sources = matching.flatMap((policy) => policy.authorities.flatMap((authority) => authority.sources));
  const elsewhere = [...new Set(sources.flatMap(({ repository: other }) => other ?? []))].toSorted();
  const where = elsewhere.length === 0 ? '' : ` in ${shortened(elsewhere).join(', ')}`;
  return `its referrers, the referrers tag, the .sig and the .att tag${where}`;
}

/** Evidence that was found and can't be used, as reasons of their own. */
export function unreadableReasons({ unreadable }: SignatureSet): readonly Reason[] {
  return unreadable
    .map(({ artefact, code, sentence }) => ({ code, sentence: `${oneLine(artefact)}: ${oneLine(sentence)}` }))
    .toSorted(byTelling);
}

/** Why none of the signatures that were found satisfies a policy. */
export function unsatisfiedReason(subject: Subject, policy: MatchingPolicy, judged: Judged): Reason {
  if (policy.authorities.length === 0) {
    return {
      code: 'NO_POLICY',
      sentence: `policy "${policy.name}" has no authority, so nothing can satisfy it; add one`,
    };
  }
  const own = policy.authorities.map(({ authority }) => authority);
  const rejected = judged
    .filter(({ reference }) => reference.policy === policy.name && own.includes(reference.authority))
    .flatMap(({ outcome, log }) => [...(log?.rejected ?? []), ...(outcome.satisfied ? [] : outcome.rejected)]);
  const telling = mostTelling(rejected);
  const wanted = policy.authorities.filter((authority) => authority.static === undefined);
  if (telling === undefined && wanted.length < policy.authorities.length) return staticReason(subject, policy);
  const why = telling === undefined ? 'no signature was accepted' : oneLine(telling.sentence);
  const blobs = new Set(rejected.map(({ blob }) => blob)).size;
  const wants = `policy "${policy.name}"${applied(policy)} wants a signature of ${image(subject)} by ${authorities(policy)}`;
  return { code: telling?.code ?? 'WRONG_KEY', sentence: `${why}; ${wants}; ${count(blobs, 'signature')} judged` };
}

function staticReason(subject: Subject, policy: MatchingPolicy): Reason {
  const message = policy.authorities.flatMap((authority) => authority.static?.message ?? [])[0];
  const says = message === undefined ? '' : `: ${oneLine(message)}`;
  return {
    code: 'STATIC_FAIL',
    sentence: `policy "${policy.name}"${applied(policy)} refuses ${image(subject)} whatever signs it${says}`,
  };
}

/** By whom a policy was satisfied. */
export function satisfiedReason(policy: MatchingPolicy, signers: readonly Signer[]): Reason {
  const by = [...new Set(signers.map((signer) => `${oneLine(signer.identity)} (${oneLine(signer.authority)})`))];
  if (by.length === 0) return { code: 'STATIC_PASS', sentence: `policy "${policy.name}" passes its names unsigned` };
  const attested = [...new Set(signers.flatMap(({ predicateType }) => predicateType ?? []))].map(oneLine);
  const what = attested.length === 0 ? 'signed' : `${shortened(attested).join(', ')} attested`;
  return {
    code: attested.length === 0 ? 'SIGNATURE_VERIFIED' : 'ATTESTATION_VERIFIED',
    sentence: `${what} by ${shortened(by).join(', ')}; policy "${policy.name}" is satisfied`,
  };
}

/** What a policy that only warns would have refused for. */
export function warningOf(policy: MatchingPolicy, { code, sentence }: Reason): Reason {
  const would = `policy "${policy.name}" only warns, and would refuse`;
  return { code: 'POLICY_WARNS', sentence: `${would}: ${code}: ${sentence}` };
}

/** Why a policy applies that does not match the name itself. */
function applied({ near }: MatchingPolicy): string {
  switch (near?.by) {
    case undefined:
      return '';
    case 'tag':
      return ` (it applies because "${near.glob}" names tags and the name has none)`;
    case 'host':
      return ` (it applies because "${near.glob}" matches another name of the same host)`;
  }
}

function authorities(policy: MatchingPolicy): string {
  const wanted = policy.authorities.filter((one: MatchingAuthority) => one.static === undefined);
  const names = wanted.map(({ authority }) => `"${authority}"`).toSorted();
  return `${names.length === 1 ? 'authority' : 'one of'} ${shortened(names).join(', ')}`;
}

function shortened(texts: readonly string[]): readonly string[] {
  return texts.length <= MAX_NAMES ? texts : [...texts.slice(0, MAX_NAMES), `and ${texts.length - MAX_NAMES} more`];
}

/** With a digest that tells two images apart at a glance; pod events are short. */
function image({ name, digest }: Subject): string {
  return `${oneLine(name)}@${digest.slice(0, 'sha256:'.length + 12)}..`;
}

function repository({ name }: Subject): string {
  const parsed = parseName(name);
  return parsed === undefined ? oneLine(name) : repositoryOf(parsed);
}

function count(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}

function oneLine(text: string): string {
  const flat = plainTextWithin(text, MAX_QUOTE);
  return text.length > MAX_QUOTE ? `${flat}..` : flat;
}
