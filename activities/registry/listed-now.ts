import type { SignatureReference } from '../../workflows/activities.ts';
import type { Digest } from '../../workflows/format/digest.ts';
import { cosignTag, evidencePlace, parseImage, referrersTag } from './evidence/evidence-place.ts';
import { readArtefact } from './evidence/signature-artefact.ts';
import { MAX_LATER_LISTING_BYTES, MAX_LATER_REFERRER_PAGES } from './listing-limits.ts';
import type { Registry } from './registry.ts';
import type { Repository } from './repository.ts';

/** The image that evidence is about. */
export interface ListedSubject {
  readonly name: string;
  readonly digest: Digest;
}

/**
 * Whether the registry lists a signature now: its manifest in the place that the reference names, the signature in that
 * manifest, its content in the repository, and for evidence about an index that the name's tag points to that index. The
 * registry is asked anew, for a cache remembers what was deleted. All questions are asked at once. `images` reads what
 * the name's tag points to. Throws REQUEST_INVALID and the REGISTRY_ codes.
 */
export async function isListedNow(
  registry: Registry,
  images: Registry,
  { name, digest }: ListedSubject,
  reference: SignatureReference,
  signal: AbortSignal,
): Promise<boolean> {
  const image = parseImage(name);
  const where = evidencePlace(image, reference.source);
  const subject = reference.index ?? digest;
  const answers = await Promise.all([
    isInPlace(registry, where, reference, subject, signal),
    isInManifest(registry, where, reference, { subject, digest }, signal),
    registry.has(where, 'blobs', reference.blob, signal),
    reference.index === undefined ||
      (image.tag !== undefined && pointsTo(images, image, image.tag, reference.index, signal)),
  ]);
  return answers.every((answer) => answer);
}

async function isInPlace(
  registry: Registry,
  where: ReturnType<typeof evidencePlace>,
  { place, manifest }: SignatureReference,
  subject: Digest,
  signal: AbortSignal,
): Promise<boolean> {
  const limits = { pages: MAX_LATER_REFERRER_PAGES, bytes: MAX_LATER_LISTING_BYTES, until: manifest };
  switch (place) {
    case 'referrers': {
      const listing = await registry.listReferrers(where, subject, signal, limits);
      if (listing?.failure !== undefined && !holds(listing.entries, manifest)) throw listing.failure;
      return holds(listing?.entries ?? [], manifest);
    }
    case 'referrers-tag': {
      const [listing, isThere] = await Promise.all([
        registry.listTagged(where, referrersTag(subject), signal, limits),
        // A client writes this list, so it may name what is gone.
        registry.has(where, 'manifests', manifest, signal),
      ]);
      if (listing === undefined || listing === 'no-index') return false;
      if (listing.failure !== undefined && !holds(listing.entries, manifest)) throw listing.failure;
      return isThere && holds(listing.entries, manifest);
    }
    case 'signature-tag':
      return pointsTo(registry, where, cosignTag(where, subject, 'sig'), manifest, signal);
    case 'attestation-tag':
      return pointsTo(registry, where, cosignTag(where, subject, 'att'), manifest, signal);
  }
}

function holds(entries: readonly { readonly digest: Digest }[], manifest: Digest): boolean {
  return entries.some(({ digest }) => digest === manifest);
}

/** What the manifest says has its digest, so a cache may hold it. */
async function isInManifest(
  registry: Registry,
  where: Repository,
  reference: SignatureReference,
  { subject, digest: image }: { readonly subject: Digest; readonly digest: Digest },
  signal: AbortSignal,
): Promise<boolean> {
  const { place, manifest: digest, source } = reference;
  const manifest = await registry.getManifest(where, digest, signal);
  if (manifest === undefined) return false;
  const candidate = { place, digest, subject, artifactType: '', predicateType: '', size: 0 };
  return readArtefact(candidate, manifest, { image, source, maxBytes: registry.maxEvidenceBytes }).found.some(
    ({ reference: found }) => layerOf(found) === layerOf(reference),
  );
}

function layerOf(reference: SignatureReference): string {
  const layer = reference.format === 'bundle' ? '' : reference.layer;
  return `${reference.format} ${reference.blob} ${layer}`;
}

async function pointsTo(
  registry: Registry,
  where: Repository,
  tag: string,
  digest: Digest,
  signal: AbortSignal,
): Promise<boolean> {
  const head = await registry.headManifest(where, tag, signal);
  if (head === undefined) return false;
  const found = head.digest ?? (await registry.getManifest(where, tag, signal))?.digest;
  return found === digest;
}
