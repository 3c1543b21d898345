import type { SignatureReference, SignatureSet, SignaturesRequest } from '../../workflows/activities.ts';
import { type ImageName, parseName } from '../../workflows/name.ts';
import { EvidenceError } from '../evidence-error.ts';
import { MAX_PARALLEL_READS, MAX_SIGNATURES } from '../limits.ts';
import { parseArtefact } from './artefact.ts';
import { misbehaved } from './failure.ts';
import { mapParallel } from './parallel.ts';
import type { Registry } from './registry.ts';
import type { Repository } from './repository.ts';
import { malformed, readArtefact, signatureOf, type Unreadable } from './signature-artefact.ts';
import { type Candidate, listCandidates, tooLarge } from './signature-places.ts';

/** The bytes of one signature, digest-checked and not yet judged. */
export type SignatureBytes =
  | { readonly format: 'bundle'; readonly bundle: Uint8Array }
  | {
      readonly format: 'simple-signing';
      readonly payload: Uint8Array;
      /** Base64. */
      readonly signature: string;
    };

/**
 * Looks for signatures in every place where they can live: referrers, the referrers tag, cosign's signature tag. What
 * is junk goes to `unreadable` and never hides a good one; what could not be found out is thrown with a REGISTRY_
 * code, so an empty answer means that the registry positively has none. The bytes are left in the registry's cache.
 */
export async function findSignatures(
  registry: Registry,
  request: SignaturesRequest,
  signal: AbortSignal,
): Promise<SignatureSet> {
  const name = parse(request.name);
  const { candidates, unreadable } = await listCandidates(registry, name, request.digest, signal);
  const looked = candidates.slice(0, MAX_SIGNATURES);
  const read = await mapParallel(looked, MAX_PARALLEL_READS, (candidate) =>
    readCandidate(registry, name, candidate, request, signal),
  );
  const listed = interleave(
    read.flatMap((set) => set.signatures.filter(({ place }) => place !== 'signature-tag')),
    read.flatMap((set) => set.signatures.filter(({ place }) => place === 'signature-tag')),
  );
  const kept = listed.slice(0, MAX_SIGNATURES);
  const fetched = await mapParallel(kept, MAX_PARALLEL_READS, (signature) =>
    prefetch(registry, name, signature, signal),
  );
  const omitted = candidates.length - looked.length + (listed.length - kept.length);
  return {
    signatures: kept.filter((_, index) => fetched[index] === undefined),
    unreadable: [
      ...unreadable,
      ...read.flatMap((set) => set.unreadable),
      ...fetched.filter((trouble) => trouble !== undefined),
      ...(omitted === 0 ? [] : [flood(request.name, omitted)]),
    ],
  };
}

/** The bytes of a signature that was found; costs no request while the cache holds them. Throws the REGISTRY_ codes. */
export async function readSignature(
  registry: Registry,
  name: string,
  reference: SignatureReference,
  signal: AbortSignal,
): Promise<SignatureBytes> {
  const repository = parse(name);
  const blob = await registry.getBlob(repository, reference.blob, signal);
  if (blob === undefined) throw vanished(repository, reference.blob);
  switch (reference.format) {
    case 'bundle':
      return { format: 'bundle', bundle: blob };
    case 'simple-signing': {
      const manifest = await registry.getManifest(repository, reference.manifest, signal);
      if (manifest === undefined) throw vanished(repository, reference.manifest);
      const artefact = parseArtefact(manifest.bytes);
      const layer = typeof artefact === 'object' ? artefact.layers[reference.layer] : undefined;
      const signature = layer?.digest === reference.blob ? signatureOf(layer) : undefined;
      if (signature === undefined) {
        const message = `${reference.manifest}: expected a signature in layer ${reference.layer}, found none`;
        throw new EvidenceError('EVIDENCE_MALFORMED', message, { retryable: false });
      }
      return { format: 'simple-signing', payload: blob, signature };
    }
  }
}

async function readCandidate(
  registry: Registry,
  name: ImageName,
  candidate: Candidate,
  request: SignaturesRequest,
  signal: AbortSignal,
): Promise<SignatureSet> {
  try {
    const manifest = await registry.getManifest(name, candidate.digest, signal);
    if (manifest !== undefined) return readArtefact(candidate.place, manifest, request.digest);
    const trouble = malformed(candidate.digest, 'the registry lists it and answers 404 when it is asked for');
    return { signatures: [], unreadable: [trouble] };
  } catch (error) {
    return { signatures: [], unreadable: [tooLarge(candidate.digest, error)] };
  }
}

async function prefetch(
  registry: Registry,
  name: ImageName,
  { manifest, blob }: SignatureReference,
  signal: AbortSignal,
): Promise<Unreadable | undefined> {
  try {
    const content = await registry.getBlob(name, blob, signal);
    return content === undefined ? malformed(manifest, `the registry answers 404 for its layer ${blob}`) : undefined;
  } catch (error) {
    return tooLarge(manifest, error);
  }
}

/** Takes from both in turn, so that a flood in one place can't hide the other. */
function interleave<T>(left: readonly T[], right: readonly T[]): readonly T[] {
  const mixed: T[] = [];
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    mixed.push(...left.slice(at, at + 1), ...right.slice(at, at + 1));
  }
  return mixed;
}

function flood(name: string, omitted: number): Unreadable {
  const sentence = `${omitted} more artefacts than the ${MAX_SIGNATURES} that are looked at; remove what is not needed`;
  return { artefact: name, code: 'EVIDENCE_TOO_LARGE', sentence };
}

function vanished({ registry, repository }: Repository, what: string): EvidenceError {
  return misbehaved(`GET ${what} of ${registry}/${repository}`, 'it was there a moment ago, and now it is not', true);
}

function parse(name: string): ImageName {
  const parsed = parseName(name);
  if (parsed !== undefined) return parsed;
  throw new EvidenceError('REQUEST_INVALID', `expected an image name, got ${JSON.stringify(name.slice(0, 100))}`, {
    retryable: false,
  });
}
