import type { SignatureReference, SignatureSet } from '../../../workflows/activities.ts';
import { EvidenceError } from '../../evidence-error.ts';
import type { SignatureContent } from '../../sigstore/evidence/content.ts';
import type { KeepPlace } from '../read-content.ts';
import type { Registry } from '../registry.ts';
import { type EvidenceRequest, evidencePlace, parseImage } from './evidence-place.ts';
import { joinFailures } from './failed-places.ts';
import { annotationsAt } from './signature-artefact.ts';
import { searchSignatures } from './signature-search.ts';
import { notServed } from './unreadable.ts';

/**
 * The first part of the evidence, for callers that need an answer of every place: what could not be found out is thrown
 * with a REGISTRY_ code, so an empty answer means that the registry positively has none.
 */
export async function findSignatures(
  registry: Registry,
  request: EvidenceRequest,
  signal: AbortSignal,
  images: Registry = registry,
): Promise<SignatureSet> {
  const { signatures, unreadable, failures } = await searchSignatures(registry, request, signal, images);
  const failure = joinFailures(failures);
  if (failure !== undefined) throw failure;
  return { signatures, unreadable };
}

/** The bytes of a signature that was found; costs no request while the cache holds them. Throws the REGISTRY_ codes. */
export async function readSignature(
  registry: Registry,
  name: string,
  reference: SignatureReference,
  signal: AbortSignal,
  keepPlace?: KeepPlace,
): Promise<SignatureContent> {
  const where = evidencePlace(parseImage(name), reference.source);
  const blob = await registry.getBlob(where, reference.blob, signal, keepPlace && { keepPlace });
  if (blob === undefined) throw notServed(where, `the layer ${reference.blob} of the manifest ${reference.manifest}`);
  if (reference.format === 'bundle') return { format: 'bundle', bundle: blob };
  const manifest = await registry.getManifest(where, reference.manifest, signal);
  if (manifest === undefined) throw notServed(where, `the manifest ${reference.manifest}`);
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
