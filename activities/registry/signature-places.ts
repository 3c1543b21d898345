import type { SignaturePlace } from '../../workflows/activities.ts';
import type { Digest } from '../../workflows/digest.ts';
import { cosignTag, type EvidencePlace, referrersTag } from './evidence-place.ts';
import { COSIGN_SIGNATURE_ARTEFACT, IN_TOTO, isBundleType } from './media-types.ts';
import { parseReferrerList, type ReferrerEntry } from './referrer-list.ts';
import type { Registry } from './registry.ts';
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
}

/** Candidates, each digest once for a subject, and the lists that could not be read. */
export interface Candidates {
  readonly candidates: readonly Candidate[];
  readonly unreadable: readonly Unreadable[];
}

export const NO_CANDIDATES: Candidates = { candidates: [], unreadable: [] };

/** The predicate type of the statement by which cosign 3 signs an image. */
export const SIGNATURE_PREDICATE = 'https://sigstore.dev/cosign/sign/v1';

/**
 * Asks all places at once: a registry that learned the referrers API may have older signatures under tags, and
 * clients that don't know the API go on writing there. Throws the REGISTRY_ codes when one of them can't answer.
 */
export async function listCandidates(
  registry: Registry,
  where: EvidencePlace,
  subject: Digest,
  signal: AbortSignal,
): Promise<Candidates> {
  const places = await Promise.all([
    listReferrers(registry, where, subject, signal),
    listReferrersTag(registry, where, subject, signal),
    readTag(registry, where, subject, 'signature-tag', signal),
    readTag(registry, where, subject, 'attestation-tag', signal),
  ]);
  const byDigest = new Map<Digest, Candidate>();
  for (const candidate of places.flatMap(({ candidates }) => candidates)) {
    if (!byDigest.has(candidate.digest)) byDigest.set(candidate.digest, candidate);
  }
  return { candidates: [...byDigest.values()], unreadable: places.flatMap(({ unreadable }) => unreadable) };
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
  const isOther = (candidate: Candidate) => kindOf(candidate) === 'other';
  return [...turns(candidates.filter((one) => !isOther(one))), ...turns(candidates.filter(isOther))];
}

/** A closed set, so that nobody can make up kinds to have more turns. */
function kindOf({ place, artifactType, predicateType }: Candidate): string {
  if (place === 'signature-tag' || artifactType === COSIGN_SIGNATURE_ARTEFACT) return 'cosign signature';
  if (place === 'attestation-tag' || artifactType === IN_TOTO) return 'cosign attestation';
  if (isBundleType(artifactType)) return `bundle ${evidenceKind(predicateType)}`;
  return artifactType === '' || artifactType === 'application/vnd.oci.empty.v1+json' ? 'unknown' : 'other';
}

/** Whether a predicate type is that of a signature. */
export function evidenceKind(predicateType: string): 'signature' | 'attestation' | 'unknown' {
  if (predicateType === '') return 'unknown';
  return predicateType === SIGNATURE_PREDICATE ? 'signature' : 'attestation';
}

async function listReferrers(
  registry: Registry,
  where: EvidencePlace,
  subject: Digest,
  signal: AbortSignal,
): Promise<Candidates> {
  const listing = await registry.listReferrers(where, subject, signal);
  if (listing === undefined) return NO_CANDIDATES;
  const unreadable = entriesWithoutDigest(`referrers of ${subject}`, listing.unreadable);
  const sentence = 'the list has more pages than are followed; remove what is not needed';
  return {
    candidates: listing.entries.map((entry) => candidateOf('referrers', subject, entry)),
    unreadable: listing.complete ? unreadable : [...unreadable, excessive(`referrers of ${subject}`, sentence)],
  };
}

async function listReferrersTag(
  registry: Registry,
  where: EvidencePlace,
  subject: Digest,
  signal: AbortSignal,
): Promise<Candidates> {
  const tag = referrersTag(subject);
  const index = await getTag(registry, where, tag, signal);
  if (index === undefined) return NO_CANDIDATES;
  const list = 'bytes' in index ? parseReferrerList(index.bytes) : undefined;
  if (list !== undefined) {
    const candidates = list.entries.map((entry) => candidateOf('referrers-tag', subject, entry));
    return { candidates, unreadable: entriesWithoutDigest(tag, list.unreadable) };
  }
  const trouble = 'bytes' in index ? malformed(tag, 'expected an image index in JSON, found something else') : index;
  return { candidates: [], unreadable: [trouble] };
}

/** One of cosign's tags: its manifest is the candidate. */
async function readTag(
  registry: Registry,
  where: EvidencePlace,
  subject: Digest,
  place: 'signature-tag' | 'attestation-tag',
  signal: AbortSignal,
): Promise<Candidates> {
  const tag = cosignTag(where, subject, place === 'signature-tag' ? 'sig' : 'att');
  const manifest = await getTag(registry, where, tag, signal);
  if (manifest === undefined) return NO_CANDIDATES;
  if (!('bytes' in manifest)) return { candidates: [], unreadable: [manifest] };
  // Its bytes are in the registry's cache by now.
  const entry = { digest: manifest.digest, artifactType: '', predicateType: '' };
  return { candidates: [candidateOf(place, subject, entry)], unreadable: [] };
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
