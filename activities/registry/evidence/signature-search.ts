import type { SignatureReference } from '../../../workflows/activities.ts';
import { EvidenceError } from '../../evidence-error.ts';
import { MAX_EVIDENCE, MAX_LIGHT_EVIDENCE_BYTES, MAX_PARALLEL_READS, MAX_SIGNATURES } from '../../limits.ts';
import { MAX_FAILED_PLACES, MAX_LATER_LISTING_BYTES, MAX_LATER_REFERRER_PAGES } from '../listing-limits.ts';
import { isOtherKind } from '../media-types.ts';
import { mapParallel } from '../parallel.ts';
import { FIRST_LISTING, type ListingLimits } from '../referrers.ts';
import type { Registry } from '../registry.ts';
import { findCoveringIndex } from './covering-index.ts';
import { type EvidencePlace, type EvidenceRequest, evidencePlace, parseImage } from './evidence-place.ts';
import { joinFailures } from './failed-places.ts';
import { inJudgingOrder, partOf } from './judging-order.ts';
import { ReadArtefacts } from './read-artefacts.ts';
import { type FoundSignature, readArtefact } from './signature-artefact.ts';
import {
  type Candidate,
  type Candidates,
  inReadingOrder,
  joinCandidates,
  listCandidates,
  NO_CANDIDATES,
  orFailure,
} from './signature-places.ts';
import { bounded, flood, malformed, notServed, tooLarge, type Unreadable } from './unreadable.ts';

/** Which part of the evidence is looked for, and how long one place may take. */
export interface SearchRequest extends EvidenceRequest {
  /** From 0; the next one when the evidence of this one proves nothing. */
  readonly part?: number;
  /** ms for each list and each artefact, so that one that hangs leaves time for the others. */
  readonly placeMs?: number;
}

/** One part of the evidence. */
export interface FoundEvidence {
  readonly signatures: readonly SignatureReference[];
  /** Junk: it never hides what is good. */
  readonly unreadable: readonly Unreadable[];
  /** What could not be found out; the rest is good without it. */
  readonly failures: readonly EvidenceError[];
  /** Whether there is another part. */
  readonly more: boolean;
}

/** How much of a list is read once the evidence of the first part proved nothing. */
const LATER_LISTING: ListingLimits = { pages: MAX_LATER_REFERRER_PAGES, bytes: MAX_LATER_LISTING_BYTES };

/** Of all searches of this worker. */
const readArtefacts = new ReadArtefacts();

/** Where and how one search reads. */
interface Search {
  readonly registry: Registry;
  /** Reads what the name's tag points to. */
  readonly images: Registry;
  readonly where: EvidencePlace;
  readonly request: SearchRequest;
  readonly signal: AbortSignal;
}

/**
 * Looks for signatures and attestations in every place where they can live: referrers, the referrers tag, cosign's
 * signature and attestation tags. Evidence comes in parts of {@link MAX_SIGNATURES}, so that junk only delays it: the
 * order is the same each time, and what is pushed meanwhile moves evidence to a later part, never to an earlier one.
 * The bytes are left in the registry's cache. `images` reads what the name's tag points to, where the source's own
 * credentials are not meant for the image's repository. Throws REQUEST_INVALID.
 */
export async function searchSignatures(
  registry: Registry,
  request: SearchRequest,
  signal: AbortSignal,
  images: Registry = registry,
): Promise<FoundEvidence> {
  const where = evidencePlace(parseImage(request.name), request.source);
  const search: Search = { registry, images, where, request, signal };
  const listed = await listEverywhere(search, (request.part ?? 0) === 0 ? FIRST_LISTING : LATER_LISTING);
  const reader = new PartReader(search, inReadingOrder(listed.candidates));
  const { part = 0 } = request;
  for (let passed = 0; passed < part; passed++) await reader.next();
  const read = await reader.next();
  const fetched = await prefetchAll(search, read.signatures);
  const unreadable = [...listed.unreadable, ...read.unreadable, ...fetched.unreadable];
  const left = reader.left;
  return {
    signatures: fetched.signatures,
    unreadable: [...bounded(request.name, unreadable), ...(left === 0 ? [] : [flood(request.name, left)])],
    failures: [...listed.failures, ...reader.failures, ...fetched.failures],
    more: left > 0 || (part === 0 && !listed.complete),
  };
}

/**
 * Looks for all evidence at once, where a piece that is missing could decide. Throws REQUEST_INVALID, the REGISTRY_ codes for
 * any place that gives no answer, and EVIDENCE_UNJUDGED where there is more than {@link MAX_EVIDENCE}.
 */
export async function searchEverySignature(
  registry: Registry,
  request: Omit<SearchRequest, 'part'>,
  signal: AbortSignal,
  images: Registry = registry,
): Promise<FoundEvidence> {
  const where = evidencePlace(parseImage(request.name), request.source);
  const search: Search = { registry, images, where, request, signal };
  const listed = await listEverywhere(search, LATER_LISTING);
  if (!listed.complete || listed.candidates.length > MAX_EVIDENCE) throw tooMany(request.name);
  const reader = new PartReader(search, inReadingOrder(listed.candidates));
  const read: Part[] = [];
  while (reader.left > 0 && reader.failures.length === 0) read.push(await reader.next());
  const fetched = await prefetchAll(
    search,
    read.flatMap(({ signatures }) => signatures),
  );
  const failure = joinFailures([...listed.failures, ...reader.failures, ...fetched.failures]);
  if (failure !== undefined) throw failure;
  if (fetched.signatures.length > MAX_EVIDENCE) throw tooMany(request.name);
  const junk = [...listed.unreadable, ...read.flatMap(({ unreadable }) => unreadable), ...fetched.unreadable];
  return { signatures: fetched.signatures, unreadable: bounded(request.name, junk), failures: [], more: false };
}

function tooMany(name: string): EvidenceError {
  const sentence = `${name} has more evidence than the ${MAX_EVIDENCE} pieces among which the newest attestation is looked for; remove what is not needed`;
  return new EvidenceError('EVIDENCE_UNJUDGED', sentence, { retryable: false });
}

async function listEverywhere(search: Search, limits: ListingLimits): Promise<Candidates> {
  const { registry, where, request } = search;
  const signal = placeSignal(search);
  return joinCandidates(
    await Promise.all([
      listCandidates(registry, where, request.digest, limits, signal),
      request.source.coversIndexChildren === true ? orFailure(listAboutIndex(search, limits, signal)) : NO_CANDIDATES,
    ]),
  );
}

async function listAboutIndex(
  { registry, images, where, request }: Search,
  limits: ListingLimits,
  signal: AbortSignal,
): Promise<Candidates> {
  const index = await findCoveringIndex(images, parseImage(request.name), request.digest, signal);
  if (index === undefined) return NO_CANDIDATES;
  if (typeof index === 'string') return listCandidates(registry, where, index, limits, signal);
  return { ...NO_CANDIDATES, unreadable: [index] };
}

interface Part {
  readonly signatures: readonly FoundSignature[];
  readonly unreadable: readonly Unreadable[];
}

/** Reads candidates in their order and hands out what they hold in parts. */
class PartReader {
  readonly #search: Search;
  readonly #candidates: readonly Candidate[];
  readonly #failures: EvidenceError[] = [];
  #at = 0;
  #found: readonly FoundSignature[] = [];

  constructor(search: Search, candidates: readonly Candidate[]) {
    this.#search = search;
    this.#candidates = candidates;
  }

  get failures(): readonly EvidenceError[] {
    return this.#failures;
  }

  /** Candidates that were not read, and signatures that were not handed out. */
  get left(): number {
    return this.#candidates.length - this.#at + this.#found.length;
  }

  /** Artefacts that hold no evidence take no place in a part. */
  async next(): Promise<Part> {
    const unreadable: Unreadable[] = [];
    const found = [...this.#found];
    do {
      const chunk = this.#candidates.slice(this.#at, this.#at + MAX_SIGNATURES);
      const read = await mapParallel(chunk, MAX_PARALLEL_READS, (candidate) => readCandidate(this.#search, candidate));
      this.#at += chunk.length;
      for (const one of read) {
        if (one instanceof EvidenceError) this.#failures.push(one);
        else {
          found.push(...one.found);
          unreadable.push(...one.unreadable);
        }
      }
    } while (found.length < MAX_SIGNATURES && this.#at < this.#candidates.length && !this.#isStuck);
    const ordered = inJudgingOrder(found);
    const count = partOf(ordered);
    this.#found = ordered.slice(count);
    return { signatures: ordered.slice(0, count), unreadable };
  }

  /** What is listed and gone costs as little as junk, and anyone who may push can bring it about. */
  get #isStuck(): boolean {
    const silent = this.#failures.filter(({ code }) => code !== 'EVIDENCE_NOT_SERVED');
    return this.#search.signal.aborted || silent.length >= MAX_FAILED_PLACES;
  }
}

async function readCandidate(search: Search, candidate: Candidate) {
  const { registry, where, request } = search;
  const sought = { image: request.digest, source: request.source, maxBytes: registry.maxEvidenceBytes };
  const known = readArtefacts.get(where, candidate, sought);
  if (known !== undefined) return known;
  try {
    const signal = placeSignal(search);
    // A client writes this list, so it may name what is gone.
    const isGone =
      candidate.place === 'referrers-tag' &&
      registry.remembers(candidate.digest) &&
      !(await registry.has(where, 'manifests', candidate.digest, signal));
    const manifest = isGone ? undefined : await registry.getManifest(where, candidate.digest, signal);
    if (manifest !== undefined) {
      const read = readArtefact(candidate, manifest, sought);
      readArtefacts.keep(where, candidate, sought, manifest.bytes.byteLength, read);
      return read;
    }
    return missing(search, candidate);
  } catch (error) {
    const trouble = junkOrFailure(candidate.digest, error);
    return trouble instanceof EvidenceError ? trouble : { found: [], unreadable: [trouble] };
  }
}

/**
 * A manifest that is listed and not there. Where the newest attestation counts, a list that a client wrote must not keep
 * an image out for as long as it names what is gone.
 */
function missing({ where, request: { source } }: Search, { place, digest, artifactType }: Candidate) {
  if (isOtherKind(artifactType)) return { found: [], unreadable: [] };
  const isOfClient = place === 'referrers-tag' && source.everyPart === true;
  if (!isOfClient) return notServed(where, `the manifest ${digest}`);
  return {
    found: [],
    unreadable: [malformed(digest, 'the referrers tag lists it, and the registry answers 404 to it')],
  };
}

/** Reads the bytes into the cache, and leaves out what has none. */
async function prefetchAll(search: Search, found: readonly FoundSignature[]) {
  const fetched = await mapParallel(found, MAX_PARALLEL_READS, (one) => prefetch(search, one));
  return {
    signatures: found.filter((_, index) => fetched[index] === undefined).map(({ reference }) => reference),
    unreadable: fetched.flatMap((one) => (one === undefined || one instanceof EvidenceError ? [] : [one])),
    failures: fetched.filter((one) => one instanceof EvidenceError),
  };
}

/**
 * Fetches a signature ahead of its judgement. What is large is only asked for: it is read when it is judged, which is once
 * for each authority, and not each time that the image is pulled.
 */
async function prefetch(
  search: Search,
  { reference: { manifest, blob }, size }: FoundSignature,
): Promise<Unreadable | EvidenceError | undefined> {
  const { registry, where } = search;
  const signal = placeSignal(search);
  try {
    // What the cache remembers may be gone from the registry.
    const isAskedFor = size > MAX_LIGHT_EVIDENCE_BYTES || registry.remembers(blob);
    const isThere = isAskedFor
      ? await registry.has(where, 'blobs', blob, signal)
      : (await registry.getBlob(where, blob, signal, { maxBytes: MAX_LIGHT_EVIDENCE_BYTES })) !== undefined;
    return isThere ? undefined : notServed(where, `the layer ${blob} of the manifest ${manifest}`);
  } catch (error) {
    return junkOrFailure(manifest, error);
  }
}

/** Trouble that is the artefact's own, or an inability. */
function junkOrFailure(artefact: string, error: unknown): Unreadable | EvidenceError {
  try {
    return tooLarge(artefact, error);
  } catch {
    if (error instanceof EvidenceError) return error;
    throw error;
  }
}

function placeSignal({ signal, request: { placeMs } }: Search): AbortSignal {
  return placeMs === undefined ? signal : AbortSignal.any([signal, AbortSignal.timeout(placeMs)]);
}
