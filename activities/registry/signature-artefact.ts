import type { SignaturePlace, SignatureReference, SignatureSet } from '../../workflows/activities.ts';
import type { Digest } from '../../workflows/digest.ts';
import { MAX_BUNDLE_BYTES } from '../limits.ts';
import { type Artefact, type Layer, parseArtefact } from './artefact.ts';
import { COSIGN_SIGNATURE_ARTEFACT, isBundleType, SIMPLE_SIGNING } from './media-types.ts';
import type { Manifest } from './registry.ts';

/** Annotation of a simple-signing layer: the signature in base64 (cosign v2 `pkg/oci/static/signature.go`). */
const SIGNATURE_ANNOTATION = 'dev.cosignproject.cosign/signature';
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** A PEM-sized bound: the largest signature in use, RSA 8192, is 1.4 KB of base64. */
const MAX_SIGNATURE_LENGTH = 16 * 1024;

export type Unreadable = SignatureSet['unreadable'][number];

/**
 * Decides by its content which signatures a manifest carries. One that claims to be a signature and is not well
 * formed is named in `unreadable`; one that claims nothing of the kind (an SBOM, say) leaves no trace.
 */
export function readArtefact(place: SignaturePlace, manifest: Manifest, image: Digest): SignatureSet {
  const artefact = parseArtefact(manifest.bytes);
  const name = manifest.digest;
  if (artefact === undefined || (artefact === 'index' && place === 'signature-tag')) {
    return nothingBut(malformed(name, 'expected an image manifest in JSON, found something else'));
  }
  if (artefact === 'index') return { signatures: [], unreadable: [] };
  const isBundle = claims(artefact, isBundleType);
  const isSimple = place === 'signature-tag' || claims(artefact, isSimpleSigning);
  if (!isBundle && !isSimple) return { signatures: [], unreadable: [] };
  if (place !== 'signature-tag' && artefact.subject !== image) return nothingBut(foreign(name, artefact, image));
  const isSignatureLayer = (layer: Layer) => isBundleType(layer.mediaType) || layer.mediaType === SIMPLE_SIGNING;
  if (!artefact.layers.some(isSignatureLayer)) {
    return nothingBut(malformed(name, 'expected a layer that is a bundle or a simple-signing payload, found none'));
  }
  const signatures: SignatureReference[] = [];
  const unreadable: Unreadable[] = [];
  for (const [index, layer] of artefact.layers.entries()) {
    if (!isSignatureLayer(layer)) continue;
    const read = readLayer(place, manifest.digest, layer, index);
    if ('format' in read) signatures.push(read);
    else unreadable.push(read);
  }
  return { signatures, unreadable };
}

/** The signature annotation of a simple-signing layer, still in base64; `undefined` when there is none. */
export function signatureOf(layer: Layer): string | undefined {
  const signature = layer.annotations[SIGNATURE_ANNOTATION];
  if (typeof signature !== 'string' || signature.length > MAX_SIGNATURE_LENGTH) return undefined;
  return BASE64.test(signature) ? signature : undefined;
}

/** An artefact that was found and can't be read as a signature. */
export function malformed(artefact: string, sentence: string): Unreadable {
  return { artefact, code: 'EVIDENCE_MALFORMED', sentence };
}

function readLayer(
  place: SignaturePlace,
  manifest: Digest,
  layer: Layer,
  index: number,
): SignatureReference | Unreadable {
  const { digest: blob } = layer;
  if (blob === undefined) return malformed(manifest, `expected a sha256 digest in layer ${index}, found none`);
  if (layer.size > MAX_BUNDLE_BYTES) {
    const sentence = `layer ${index} has ${layer.size} bytes, more than the ${MAX_BUNDLE_BYTES} that are read`;
    return { artefact: manifest, code: 'EVIDENCE_TOO_LARGE', sentence };
  }
  if (isBundleType(layer.mediaType)) return { format: 'bundle', place, manifest, blob };
  if (signatureOf(layer) === undefined) {
    return malformed(manifest, `expected a base64 signature in the annotations of layer ${index}, found none`);
  }
  return { format: 'simple-signing', place, manifest, blob, layer: index };
}

function claims(artefact: Artefact, isType: (type: string) => boolean): boolean {
  return [...artefact.types, ...artefact.layers.map(({ mediaType }) => mediaType)].some(isType);
}

function isSimpleSigning(type: string): boolean {
  return type === SIMPLE_SIGNING || type === COSIGN_SIGNATURE_ARTEFACT;
}

function foreign(name: string, artefact: Artefact, image: Digest): Unreadable {
  if (artefact.subject === undefined) return malformed(name, 'expected a subject, found none');
  const sentence = `expected the subject ${image}, found ${JSON.stringify(artefact.subject.slice(0, 100))}`;
  return { artefact: name, code: 'SUBJECT_MISMATCH', sentence };
}

function nothingBut(unreadable: Unreadable): SignatureSet {
  return { signatures: [], unreadable: [unreadable] };
}
