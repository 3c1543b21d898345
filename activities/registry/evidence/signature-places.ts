import type { SignaturePlace } from '../../../workflows/activities.ts';
import type { Digest } from '../../../workflows/format/digest.ts';
import { EvidenceError } from '../../evidence-error.ts';
import { LARGE_MANIFEST_BYTES } from '../listing-limits.ts';
import { COSIGN_SIGNATURE_ARTEFACT, IN_TOTO, isBundleType, isOtherKind } from '../media-types.ts';
import type { ReferrerEntry } from '../referrer-list.ts';
import type { Listing, ListingLimits } from '../referrers.ts';
import type { Manifest, Registry } from '../registry.ts';
import { claimsEvidence, parseArtefact } from './artefact.ts';
import { cosignTag, type EvidencePlace, referrersTag } from './evidence-place.ts';
import { inTurns } from './turns.ts';
import { excessive, malformed, tooLarge, type Unreadable } from './unreadable.ts';

/** A manifest that may carry signatures. */
export interface Candidate {
  readonly place: SignaturePlace;
  readonly digest: Digest;
  /** What its signatures have to be about: the image, or the index that covers it. */
  readonly subject: Digest;
  readonly artifactType: string;
  readonly predicateType: string;
  /** What the list says. */
  readonly size: number;
}

/** Candidates, each digest once for a subject, the lists that could not be read, and the places that gave no answer. */
export interface Candidates {
  readonly candidates: readonly Candidate[];
  readonly unreadable: readonly Unreadable[];
  readonly failures: readonly EvidenceError[];
  /** False when a list goes on beyond what was read. */
  readonly complete: boolean;
}

export const NO_CANDIDATES: Candidates = { candidates: [], unreadable: [], failures: [], complete: true };

/** The predicate type of the statement by which cosign 3 signs an image. */
export const SIGNATURE_PREDICATE = 'https://sigstore.dev/cosign/sign/v1';

/**
 * Asks all places at once: a registry that learned the referrers API may have older signatures under tags, and
 * clients that don't know the API go on writing there. A place that can't answer hides no other one.
 */
export async function listCandidates(
  registry: Registry,
  where: EvidencePlace,
  subject: Digest,
  limits: ListingLimits,
  signal: AbortSignal,
): Promise<Candidates> {
  const place = { registry, where, subject, limits, signal };
  const lists = [
    listReferrers(place),
    listReferrersTag(place),
    readTag(place, 'signature-tag'),
    readTag(place, 'attestation-tag'),
  ];
  return joinCandidates(await Promise.all(lists.map(orFailure)));
}

/** Several lists as one. */
export function joinCandidates(lists: readonly Candidates[]): Candidates {
  const bySubject = new Map<string, Candidate>();
  for (const candidate of lists.flatMap(({ candidates }) => candidates)) {
    const key = `${candidate.subject} ${candidate.digest}`;
    if (!bySubject.has(key)) bySubject.set(key, candidate);
  }
  return {
    candidates: [...bySubject.values()],
    unreadable: lists.flatMap(({ unreadable }) => unreadable),
    failures: lists.flatMap(({ failures }) => failures),
    complete: lists.every(({ complete }) => complete),
  };
}

/** An inability is an answer of its own. */
export async function orFailure(list: Promise<Candidates>): Promise<Candidates> {
  try {
    return await list;
  } catch (error) {
    if (error instanceof EvidenceError) return { ...NO_CANDIDATES, failures: [error] };
    throw error;
  }
}

/** One image or index whose evidence is looked for, and where. */
interface PlaceQuestion {
  readonly registry: Registry;
  readonly where: EvidencePlace;
  readonly subject: Digest;
  readonly limits: ListingLimits;
  readonly signal: AbortSignal;
}

/**
 * The order of reading: every place and kind in turn; what says that it is something else comes last. These are hints
 * that registries and strangers write: they decide about the order, and nothing is left out because of them.
 */
export function inReadingOrder(candidates: readonly Candidate[]): readonly Candidate[] {
  const turns = (some: readonly Candidate[]) =>
    inTurns(
      some,
      (candidate) => `${candidate.subject} ${candidate.place} ${kindOf(candidate)}`,
      ({ predicateType }) => predicateType,
    );
  const classes = Map.groupBy(candidates, readingClass);
  return [0, 1, 2, 3].flatMap((one) => turns(classes.get(one) ?? []));
}

/** What is small and may be evidence first: the list says so, and each artefact that is read costs its size. */
function readingClass(candidate: Candidate): number {
  return (kindOf(candidate) === 'other' ? 2 : 0) + (candidate.size > LARGE_MANIFEST_BYTES ? 1 : 0);
}

/** A closed set, so that nobody can make up kinds to have more turns. */
function kindOf({ place, artifactType, predicateType }: Candidate): string {
  if (place === 'signature-tag' || artifactType === COSIGN_SIGNATURE_ARTEFACT) return 'cosign signature';
  if (place === 'attestation-tag' || artifactType === IN_TOTO) return 'cosign attestation';
  if (isBundleType(artifactType)) return `bundle ${evidenceKind(predicateType)}`;
  return isOtherKind(artifactType) ? 'other' : 'unknown';
}

/** Whether a predicate type is that of a signature. */
export function evidenceKind(predicateType: string): 'signature' | 'attestation' | 'unknown' {
  if (predicateType === '') return 'unknown';
  return predicateType === SIGNATURE_PREDICATE ? 'signature' : 'attestation';
}

async function listReferrers({ registry, where, subject, limits, signal }: PlaceQuestion): Promise<Candidates> {
  const listing = await registry.listReferrers(where, subject, signal, limits);
  return listing === undefined ? NO_CANDIDATES : listed('referrers', subject, `referrers of ${subject}`, listing);
}

async function listReferrersTag({ registry, where, subject, limits, signal }: PlaceQuestion): Promise<Candidates> {
  const tag = referrersTag(subject);
  const listing = await registry.listTagged(where, tag, signal, limits);
  if (listing === undefined) return NO_CANDIDATES;
  if (listing !== 'no-index') return listed('referrers-tag', subject, tag, listing);
  const manifest = await getTag(registry, where, tag, signal);
  return { ...NO_CANDIDATES, unreadable: manifest === undefined ? [] : troubleAt(tag, manifest) };
}

/** What is wrong with something else than an index at the tag of the referrers; the image itself is only in the way. */
function troubleAt(tag: string, manifest: Manifest | Unreadable): readonly Unreadable[] {
  if (!('bytes' in manifest)) return [manifest];
  const artefact = parseArtefact(manifest.bytes);
  if (typeof artefact !== 'object') return [malformed(tag, 'expected an image index in JSON, found something else')];
  if (!claimsEvidence(artefact)) return [];
  return [malformed(tag, 'expected an image index, found the manifest of a signature')];
}

/** What a list says, and what is wrong with it. */
function listed(place: SignaturePlace, subject: Digest, name: string, listing: Listing): Candidates {
  const { entries, unreadable, complete, failure } = listing;
  const sentence = 'the list has more pages than are followed; remove what is not needed';
  return {
    candidates: entries.map((entry) => candidateOf(place, subject, entry)),
    unreadable: [
      ...entriesWithoutDigest(name, unreadable),
      ...(complete || failure !== undefined ? [] : [excessive(name, sentence)]),
    ],
    failures: failure === undefined ? [] : [failure],
    complete: complete || failure !== undefined,
  };
}

/** One of cosign's tags: its manifest is the candidate. */
async function readTag(
  { registry, where, subject, signal }: PlaceQuestion,
  place: 'signature-tag' | 'attestation-tag',
): Promise<Candidates> {
  const tag = cosignTag(where, subject, place === 'signature-tag' ? 'sig' : 'att');
  const manifest = await getTag(registry, where, tag, signal);
  if (manifest === undefined) return NO_CANDIDATES;
  if (!('bytes' in manifest)) return { ...NO_CANDIDATES, unreadable: [manifest] };
  // Its bytes are in the registry's cache by now.
  const entry = { digest: manifest.digest, artifactType: '', predicateType: '', size: 0 };
  return { ...NO_CANDIDATES, candidates: [candidateOf(place, subject, entry)] };
}

/** A tag can be pushed by anybody who can push: a manifest beyond the limit is junk, and no inability. */
async function getTag(registry: Registry, where: EvidencePlace, tag: string, signal: AbortSignal) {
  try {
    return await registry.getManifest(where, tag, signal);
  } catch (error) {
    return tooLarge(tag, error);
  }
}

function candidateOf(place: SignaturePlace, subject: Digest, entry: ReferrerEntry): Candidate {
  return { place, subject, ...entry };
}

function entriesWithoutDigest(artefact: string, count: number): readonly Unreadable[] {
  return count === 0 ? [] : [malformed(artefact, `${count} entries of the list have no sha256 digest`)];
}
