import type { SignatureReference, SignatureSource } from '../../../workflows/activities.ts';
import type { Digest } from '../../../workflows/format/digest.ts';
import { MAX_MANIFEST_TOKENS } from '../../limits.ts';
import { ANNOTATIONS, type LayerAnnotations } from '../../sigstore/evidence/content.ts';
import { readBase64 } from '../../text/base64.ts';
import { quote } from '../../text/quote.ts';
import {
  COSIGN_SIGNATURE_ARTEFACT,
  DSSE_ENVELOPE,
  isBundleType,
  isEvidenceType,
  isOtherKind,
  SIMPLE_SIGNING,
} from '../media-types.ts';
import { parseReferrerList } from '../referrer-list.ts';
import type { Manifest } from '../registry.ts';
import { type Artefact, claimsEvidence, type Layer, parseArtefact } from './artefact.ts';
import { type AnnotationFault, readAnnotations } from './layer-annotations.ts';
import type { Candidate } from './signature-places.ts';
import { excessive, malformed, type Unreadable, unsupported } from './unreadable.ts';

/** Characters of an annotation that a sentence repeats. */
const MAX_QUOTED = 40;

/** A signature with what it says to be: a hint for the order in which signatures are judged. */
export interface FoundSignature {
  readonly reference: SignatureReference;
  readonly predicateType: string;
  /** Of the layer, in bytes, as its manifest says. */
  readonly size: number;
}

/** What one manifest holds. */
export interface ReadArtefact {
  readonly found: readonly FoundSignature[];
  readonly unreadable: readonly Unreadable[];
}

/** The image whose evidence is looked for, where, and up to which size. */
export interface Sought {
  readonly image: Digest;
  readonly source: SignatureSource;
  /** Of one layer. */
  readonly maxBytes: number;
}

/**
 * Decides by its content which signatures a manifest carries, the newest first (cosign appends). One that claims to be
 * a signature and can't be used is named in `unreadable`; one that claims nothing of the kind (an SBOM, the image itself
 * under a tag of signatures) leaves no trace.
 */
export function readArtefact(candidate: Candidate, manifest: Manifest, sought: Sought): ReadArtefact {
  const artefact = parseArtefact(manifest.bytes);
  const name = manifest.digest;
  if (typeof artefact !== 'object') {
    return isOtherKind(candidate.artifactType) ? NOTHING : readOther(candidate, manifest, artefact);
  }
  if (!claimsEvidence(artefact)) return NOTHING;
  if (!isTag(candidate) && artefact.subject !== candidate.subject) {
    return nothingBut(foreign(name, artefact, candidate.subject));
  }
  if (!artefact.layers.some(({ mediaType }) => formatOf(mediaType) !== undefined)) {
    return nothingBut(withoutFormat(name, artefact));
  }
  const found: FoundSignature[] = [];
  const unreadable: Unreadable[] = [];
  for (const [index, layer] of [...artefact.layers.entries()].reverse()) {
    const format = formatOf(layer.mediaType);
    if (format === undefined) continue;
    const blob = readLayer(name, format, { layer, index }, sought.maxBytes);
    if (typeof blob !== 'string') {
      unreadable.push(blob);
      continue;
    }
    const location = {
      place: candidate.place,
      source: sought.source,
      manifest: name,
      blob,
      ...about(candidate, sought),
    };
    const reference = format === 'bundle' ? { format, ...location } : { format, ...location, layer: index };
    found.push({ reference, predicateType: predicateTypeOf(artefact, layer), size: layer.size });
  }
  return { found, unreadable };
}

/** The annotations of the layer that a reference names; `undefined` when it is not such a layer. */
export function annotationsAt(
  manifest: Manifest,
  reference: SignatureReference & { readonly format: 'simple-signing' | 'envelope' },
): LayerAnnotations | undefined {
  const artefact = parseArtefact(manifest.bytes);
  const layer = typeof artefact === 'object' ? artefact.layers[reference.layer] : undefined;
  if (layer === undefined || layer.digest !== reference.blob) return undefined;
  if (formatOf(layer.mediaType) !== reference.format) return undefined;
  const read = usableAnnotations(reference.format, layer);
  return 'code' in read ? undefined : read;
}

/** What is about the index says so; what is about the image itself says nothing. */
function about({ subject }: Candidate, { image }: Sought): { readonly index?: Digest } {
  return subject === image ? {} : { index: subject };
}

function formatOf(mediaType: string): SignatureReference['format'] | undefined {
  if (mediaType === SIMPLE_SIGNING) return 'simple-signing';
  if (mediaType === DSSE_ENVELOPE) return 'envelope';
  return isBundleType(mediaType) ? 'bundle' : undefined;
}

/** Answers the digest of the layer's content. */
function readLayer(
  manifest: Digest,
  format: SignatureReference['format'],
  { layer, index }: { readonly layer: Layer; readonly index: number },
  maxBytes: number,
): Digest | Unreadable {
  const { digest, size } = layer;
  if (digest === undefined) return malformed(manifest, `expected a sha256 digest in layer ${index}, found none`);
  if (size > maxBytes) {
    const sentence = `layer ${index} has ${size} bytes, more than the ${maxBytes} that are read; raise --max-evidence-mib of the workers`;
    return excessive(manifest, sentence);
  }
  const fault = format === 'bundle' ? {} : usableAnnotations(format, layer);
  return 'code' in fault
    ? { artefact: manifest, code: fault.code, sentence: `layer ${index}: ${fault.sentence}` }
    : digest;
}

/** A payload is signed by its annotation; an envelope carries its signatures itself. */
function usableAnnotations(format: 'simple-signing' | 'envelope', layer: Layer): LayerAnnotations | AnnotationFault {
  const annotations = readAnnotations(layer);
  if ('code' in annotations || format === 'envelope') return annotations;
  const { signature = '' } = annotations;
  if (readBase64(signature)?.length) return annotations;
  const found = signature === '' ? 'none' : quote(signature.slice(0, MAX_QUOTED));
  return {
    code: 'EVIDENCE_MALFORMED',
    sentence: `expected base64 in annotation ${ANNOTATIONS.signature}, found ${found}`,
  };
}

function isTag({ place }: Candidate): boolean {
  return place === 'signature-tag' || place === 'attestation-tag';
}

/** What is no image manifest: an index where a tag of signatures points to, say. */
function readOther(
  candidate: Candidate,
  { digest, bytes }: Manifest,
  what: Exclude<ReturnType<typeof parseArtefact>, object>,
): ReadArtefact {
  if (what === 'excessive') {
    return nothingBut(excessive(digest, `the manifest has more than ${MAX_MANIFEST_TOKENS} values and names`));
  }
  if (what === 'index' && !(isTag(candidate) && listsEvidence(bytes))) return NOTHING;
  return nothingBut(malformed(digest, 'expected an image manifest in JSON, found something else'));
}

function listsEvidence(index: Uint8Array): boolean {
  return parseReferrerList(index)?.entries.some(({ artifactType }) => isEvidenceType(artifactType)) ?? false;
}

/** It says that it is evidence, and there is nothing in it that is read here. */
function withoutFormat(name: Digest, { types, layers }: Artefact): Unreadable {
  const claimed = [...layers.map(({ mediaType }) => mediaType), ...types].filter(isEvidenceType);
  const known = (type: string) => formatOf(type) !== undefined || type === COSIGN_SIGNATURE_ARTEFACT;
  const annotated = layers.find(({ annotations }) => ANNOTATIONS.signature in annotations)?.mediaType;
  const strange = claimed.find((type) => !known(type)) ?? annotated;
  if (strange === undefined) {
    return malformed(name, 'expected a layer that is a bundle, a signed payload or an envelope, found none');
  }
  const sentence = `${quote(strange)} is not read: expected a Sigstore bundle of version 0.1 to 0.3, a signed payload or an envelope of cosign`;
  return unsupported(name, sentence);
}

/** Bundles say it in the manifest (`BUNDLE_SPEC.md`), cosign's envelopes in the layer. */
function predicateTypeOf(artefact: Artefact, layer: Layer): string {
  const said = layer.annotations['predicateType'] ?? artefact.annotations['dev.sigstore.bundle.predicateType'];
  return typeof said === 'string' ? said : '';
}

function foreign(name: string, artefact: Artefact, subject: Digest): Unreadable {
  if (artefact.subject === undefined) return malformed(name, 'expected a subject, found none');
  const sentence = `expected the subject ${subject}, found ${quote(artefact.subject)}`;
  return { artefact: name, code: 'SUBJECT_MISMATCH', sentence };
}

/** No evidence, and nothing wrong. */
const NOTHING: ReadArtefact = { found: [], unreadable: [] };

function nothingBut(unreadable: Unreadable): ReadArtefact {
  return { found: [], unreadable: [unreadable] };
}
