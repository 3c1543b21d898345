import type { SignaturePlace } from '../../workflows/activities.ts';
import { type Digest, digestHex } from '../../workflows/digest.ts';
import { EvidenceError } from '../evidence-error.ts';
import { COSIGN_SIGNATURE_ARTEFACT, isBundleType } from './media-types.ts';
import { parseReferrerList, type ReferrerEntry } from './referrer-list.ts';
import type { Registry } from './registry.ts';
import type { Repository } from './repository.ts';
import { malformed, type Unreadable } from './signature-artefact.ts';

/** A manifest that may carry signatures. */
export interface Candidate {
  readonly place: SignaturePlace;
  readonly digest: Digest;
  readonly artifactType: string;
}

/** Candidates in the order of reading, each digest once, and the lists that could not be read. */
export interface Candidates {
  readonly candidates: readonly Candidate[];
  readonly unreadable: readonly Unreadable[];
}

/**
 * Asks all three places at once: a registry that learned the referrers API may have older signatures under tags, and
 * clients that don't know the API go on writing there. Throws the REGISTRY_ codes when one of them can't answer.
 */
export async function listCandidates(
  registry: Registry,
  name: Repository,
  image: Digest,
  signal: AbortSignal,
): Promise<Candidates> {
  const places = await Promise.all([
    listSignatureTag(registry, name, image, signal),
    listReferrers(registry, name, image, signal),
    listReferrersTag(registry, name, image, signal),
  ]);
  const byDigest = new Map<Digest, Candidate>();
  for (const candidate of places.flatMap(({ candidates }) => candidates)) {
    if (!byDigest.has(candidate.digest)) byDigest.set(candidate.digest, candidate);
  }
  return {
    candidates: [...byDigest.values()].sort((left, right) => rank(left) - rank(right)),
    unreadable: places.flatMap(({ unreadable }) => unreadable),
  };
}

/** What says that it is a signature comes first, what says nothing next, what says that it is something else last. */
function rank({ place, artifactType }: Candidate): number {
  if (place === 'signature-tag' || isBundleType(artifactType) || artifactType === COSIGN_SIGNATURE_ARTEFACT) return 0;
  return artifactType === '' || artifactType === 'application/vnd.oci.empty.v1+json' ? 1 : 2;
}

async function listReferrers(
  registry: Registry,
  name: Repository,
  image: Digest,
  signal: AbortSignal,
): Promise<Candidates> {
  const listing = await registry.listReferrers(name, image, signal);
  if (listing === undefined) return { candidates: [], unreadable: [] };
  const unreadable = entriesWithoutDigest(`referrers of ${image}`, listing.unreadable);
  const sentence = 'the list has more pages than are followed; remove what is not needed';
  return {
    candidates: listing.entries.map((entry) => candidateOf('referrers', entry)),
    unreadable: listing.complete
      ? unreadable
      : [...unreadable, { artefact: `referrers of ${image}`, code: 'EVIDENCE_TOO_LARGE', sentence }],
  };
}

async function listReferrersTag(
  registry: Registry,
  name: Repository,
  image: Digest,
  signal: AbortSignal,
): Promise<Candidates> {
  const tag = `sha256-${digestHex(image)}`;
  const index = await getTag(registry, name, tag, signal);
  if (index === undefined) return { candidates: [], unreadable: [] };
  const list = 'bytes' in index ? parseReferrerList(index.bytes) : undefined;
  if (list !== undefined) {
    const candidates = list.entries.map((entry) => candidateOf('referrers-tag', entry));
    return { candidates, unreadable: entriesWithoutDigest(tag, list.unreadable) };
  }
  const trouble = 'bytes' in index ? malformed(tag, 'expected an image index in JSON, found something else') : index;
  return { candidates: [], unreadable: [trouble] };
}

async function listSignatureTag(
  registry: Registry,
  name: Repository,
  image: Digest,
  signal: AbortSignal,
): Promise<Candidates> {
  const manifest = await getTag(registry, name, `sha256-${digestHex(image)}.sig`, signal);
  if (manifest === undefined) return { candidates: [], unreadable: [] };
  if (!('bytes' in manifest)) return { candidates: [], unreadable: [manifest] };
  // Its bytes are in the registry's cache by now.
  const entry = { digest: manifest.digest, artifactType: COSIGN_SIGNATURE_ARTEFACT };
  return { candidates: [candidateOf('signature-tag', entry)], unreadable: [] };
}

/** A tag can be pushed by anybody who can push: a manifest beyond the limit is junk, and no inability. */
async function getTag(registry: Registry, name: Repository, tag: string, signal: AbortSignal) {
  try {
    return await registry.getManifest(name, tag, signal);
  } catch (error) {
    return tooLarge(tag, error);
  }
}

/** Trouble that is the artefact's own; an inability is thrown on, for the artefact may be the one good signature. */
export function tooLarge(artefact: string, error: unknown): Unreadable {
  if (!(error instanceof EvidenceError) || error.code !== 'EVIDENCE_TOO_LARGE') throw error;
  return { artefact, code: error.code, sentence: error.message };
}

function candidateOf(place: SignaturePlace, { digest, artifactType }: ReferrerEntry): Candidate {
  return { place, digest, artifactType };
}

function entriesWithoutDigest(artefact: string, count: number): readonly Unreadable[] {
  return count === 0 ? [] : [malformed(artefact, `${count} entries of the list have no sha256 digest`)];
}
