import type { SignatureReference, SignatureSet, SignatureSource } from '../../workflows/activities.ts';
import type { Digest } from '../../workflows/digest.ts';
import { EvidenceError } from '../evidence-error.ts';
import { MAX_PARALLEL_READS, MAX_SIGNATURES, MAX_UNREADABLE } from '../limits.ts';
import type { SignatureContent } from '../sigstore/content.ts';
import { findCoveringIndex } from './covering-index.ts';
import { type EvidencePlace, evidencePlace, parseImage } from './evidence-place.ts';
import { misbehaved } from './failure.ts';
import { mapParallel } from './parallel.ts';
import type { Registry } from './registry.ts';
import type { Repository } from './repository.ts';
import {
  annotationsAt,
  type FoundSignature,
  type ReadArtefact,
  readArtefact,
  type Sought,
} from './signature-artefact.ts';
import {
  type Candidate,
  type Candidates,
  evidenceKind,
  inReadingOrder,
  listCandidates,
  NO_CANDIDATES,
} from './signature-places.ts';
import { inTurns } from './turns.ts';
import { excessive, malformed, tooLarge, type Unreadable } from './unreadable.ts';

/** An image, and the repository in which its evidence may live. */
export interface EvidenceRequest {
  readonly name: string;
  readonly digest: Digest;
  readonly source: SignatureSource;
}

/**
 * Looks for signatures and attestations in every place where they can live: referrers, the referrers tag, cosign's
 * signature and attestation tags. What is junk goes to `unreadable` and never hides a good one; what could not be found
 * out is thrown with a REGISTRY_ code, so an empty answer means that the registry positively has none. The bytes are
 * left in the registry's cache. `images` reads what the name's tag points to, where the source's own credentials
 * are not meant for the image's repository.
 */
export async function findSignatures(
  registry: Registry,
  request: EvidenceRequest,
  signal: AbortSignal,
  images: Registry = registry,
): Promise<SignatureSet> {
  const where = evidencePlace(parseImage(request.name), request.source);
  const lists = await Promise.all([
    listCandidates(registry, where, request.digest, signal),
    request.source.coversIndexChildren === true
      ? listAboutIndex(registry, images, where, request, signal)
      : NO_CANDIDATES,
  ]);
  const candidates = inReadingOrder(lists.flatMap((list) => list.candidates));
  const looked = candidates.slice(0, MAX_SIGNATURES);
  const sought = { image: request.digest, source: request.source };
  const read = await mapParallel(looked, MAX_PARALLEL_READS, (candidate) =>
    readCandidate(registry, where, candidate, sought, signal),
  );
  const listed = inJudgingOrder(read.flatMap(({ found }) => found));
  const kept = listed.slice(0, MAX_SIGNATURES);
  const fetched = await mapParallel(kept, MAX_PARALLEL_READS, (signature) =>
    prefetch(registry, where, signature, signal),
  );
  const omitted = candidates.length - looked.length + (listed.length - kept.length);
  const unreadable = [
    ...lists.flatMap((list) => list.unreadable),
    ...read.flatMap((artefact) => artefact.unreadable),
    ...fetched.filter((trouble) => trouble !== undefined),
  ];
  return {
    signatures: kept.filter((_, index) => fetched[index] === undefined),
    unreadable: [...bounded(request.name, unreadable), ...(omitted === 0 ? [] : [flood(request.name, omitted)])],
  };
}

/** The bytes of a signature that was found; costs no request while the cache holds them. Throws the REGISTRY_ codes. */
export async function readSignature(
  registry: Registry,
  name: string,
  reference: SignatureReference,
  signal: AbortSignal,
): Promise<SignatureContent> {
  const where = evidencePlace(parseImage(name), reference.source);
  const blob = await registry.getBlob(where, reference.blob, signal);
  if (blob === undefined) throw vanished(where, reference.blob);
  if (reference.format === 'bundle') return { format: 'bundle', bundle: blob };
  const manifest = await registry.getManifest(where, reference.manifest, signal);
  if (manifest === undefined) throw vanished(where, reference.manifest);
  const annotations = annotationsAt(manifest, reference);
  if (annotations === undefined) {
    const message = `${reference.manifest}: expected ${reference.format} in layer ${reference.layer}, found none`;
    throw new EvidenceError('EVIDENCE_MALFORMED', message, { retryable: false });
  }
  switch (reference.format) {
    case 'simple-signing':
      return { format: 'simple-signing', payload: blob, annotations };
    case 'envelope':
      return { format: 'envelope', envelope: blob, annotations };
  }
}

async function listAboutIndex(
  registry: Registry,
  images: Registry,
  where: EvidencePlace,
  request: EvidenceRequest,
  signal: AbortSignal,
): Promise<Candidates> {
  const index = await findCoveringIndex(images, parseImage(request.name), request.digest, signal);
  if (index === undefined) return NO_CANDIDATES;
  if (typeof index === 'string') return listCandidates(registry, where, index, signal);
  return { candidates: [], unreadable: [index] };
}

async function readCandidate(
  registry: Registry,
  where: EvidencePlace,
  candidate: Candidate,
  sought: Sought,
  signal: AbortSignal,
): Promise<ReadArtefact> {
  try {
    const manifest = await registry.getManifest(where, candidate.digest, signal);
    if (manifest !== undefined) return readArtefact(candidate, manifest, sought);
    const trouble = malformed(candidate.digest, 'the registry lists it and answers 404 when it is asked for');
    return { found: [], unreadable: [trouble] };
  } catch (error) {
    return { found: [], unreadable: [tooLarge(candidate.digest, error)] };
  }
}

/** Every place and kind has its turn, and within attestations every predicate type. */
function inJudgingOrder(found: readonly FoundSignature[]): readonly SignatureReference[] {
  return inTurns(
    found,
    ({ reference: { index = '', place, format }, predicateType }) =>
      `${index} ${place} ${format} ${evidenceKind(predicateType)}`,
    ({ predicateType }) => predicateType,
  ).map(({ reference }) => reference);
}

async function prefetch(
  registry: Registry,
  where: EvidencePlace,
  { manifest, blob }: SignatureReference,
  signal: AbortSignal,
): Promise<Unreadable | undefined> {
  try {
    const content = await registry.getBlob(where, blob, signal);
    return content === undefined ? malformed(manifest, `the registry answers 404 for its layer ${blob}`) : undefined;
  } catch (error) {
    return tooLarge(manifest, error);
  }
}

function bounded(name: string, unreadable: readonly Unreadable[]): readonly Unreadable[] {
  const more = unreadable.length - MAX_UNREADABLE;
  if (more <= 0) return unreadable;
  const rest = excessive(name, `${more} more artefacts that can't be read; remove what is not needed`);
  return [...unreadable.slice(0, MAX_UNREADABLE), rest];
}

function flood(name: string, omitted: number): Unreadable {
  const sentence = `${omitted} more artefacts than the ${MAX_SIGNATURES} that are looked at; remove what is not needed`;
  return excessive(name, sentence);
}

function vanished({ registry, repository }: Repository, what: string): EvidenceError {
  return misbehaved(`GET ${what} of ${registry}/${repository}`, 'it was there a moment ago, and now it is not', true);
}
