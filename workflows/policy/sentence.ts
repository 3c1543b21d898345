import type { AuthorityOutcome, AuthorityReference, MatchingPolicy, SignatureSet } from '../activities.ts';
import type { Digest } from '../digest.ts';
import { parseName, repositoryOf } from '../name.ts';
import type { Reason } from '../reason.ts';
import type { Signer } from '../verdict.ts';
import { byTelling, mostTelling } from './rejection.ts';

/** The image a sentence is about. */
interface Subject {
  readonly name: string;
  readonly digest: Digest;
}

type Judged = readonly { readonly reference: AuthorityReference; readonly outcome: AuthorityOutcome }[];

/** Text from outside that one sentence repeats; the rest is cut. */
const MAX_QUOTE = 300;

/** Policies and authorities that one sentence lists by name. */
const MAX_NAMES = 5;

/** Why nothing can pass while no policy is loaded. */
export function noPolicySentence(subject: Subject): string {
  return `no policy is loaded, so nothing may be pulled, nor ${image(subject)}; add a ClusterImagePolicy to the worker's policy directory`;
}

/** Why a name passes under no policy. */
export function noMatchingPolicySentence(subject: Subject, loaded: number): string {
  return `no policy matches ${oneLine(subject.name)} (${count(loaded, 'policy', 'policies')} loaded); add its name to spec.images of a policy`;
}

/** That nothing was found where signatures live, where that was, and how to sign. */
export function unsignedSentence(
  subject: Subject,
  matching: readonly MatchingPolicy[],
  { unreadable }: SignatureSet,
): string {
  const found = unreadable.length === 0 ? '' : ` (${count(unreadable.length, 'artefact')} there could not be read)`;
  const wants = matching.map((policy) => `policy "${policy.name}" wants a signature by ${authorities(policy)}`);
  return [
    `no signature found for ${image(subject)}${found}`,
    ...shortened(wants),
    'looked at its referrers, the referrers tag and the .sig tag',
    `sign it with cosign sign --key KEY ${repository(subject)}@${subject.digest}`,
  ].join('; ');
}

/** What was listed as a signature and could not be read, as reasons of their own. */
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
  const rejected = judged.flatMap(({ reference, outcome }) =>
    reference.policy === policy.name && own.includes(reference.authority) && !outcome.satisfied ? outcome.rejected : [],
  );
  const telling = mostTelling(rejected);
  const why = telling === undefined ? 'no signature was accepted' : oneLine(telling.sentence);
  const blobs = new Set(rejected.map(({ blob }) => blob)).size;
  const wants = `policy "${policy.name}" wants a signature of ${image(subject)} by ${authorities(policy)}`;
  return { code: telling?.code ?? 'WRONG_KEY', sentence: `${why}; ${wants}; ${count(blobs, 'signature')} judged` };
}

/** By whom a policy was satisfied. */
export function verifiedSentence(policy: MatchingPolicy, signers: readonly Signer[]): string {
  const by = [...new Set(signers.map((signer) => `${oneLine(signer.identity)} (${oneLine(signer.authority)})`))];
  return `signed by ${shortened(by).join(', ')}; policy "${policy.name}" is satisfied`;
}

function authorities(policy: MatchingPolicy): string {
  const names = policy.authorities.map(({ authority }) => `"${authority}"`).toSorted();
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
  const flat = text.slice(0, MAX_QUOTE).replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu, ' ');
  return text.length > MAX_QUOTE ? `${flat}..` : flat;
}
