import { type Digest, parseDigest } from '../../../workflows/format/digest.ts';
import { isRecord } from '../../../workflows/format/record.ts';
import { MAX_MANIFEST_TOKENS } from '../../limits.ts';
import { ANNOTATIONS } from '../../sigstore/evidence/content.ts';
import { parseBoundedObject } from '../json.ts';
import { isEvidenceType } from '../media-types.ts';

/** The parts of an image manifest (image-spec v1.1 `manifest.md`) that say whether it carries a signature. */
export interface Artefact {
  /** `artifactType`, or else the config's media type. */
  readonly types: readonly string[];
  readonly subject: string | undefined;
  readonly layers: readonly Layer[];
  readonly annotations: Readonly<Record<string, unknown>>;
}

export interface Layer {
  readonly mediaType: string;
  /** `undefined` when it is missing or no sha256. */
  readonly digest: Digest | undefined;
  readonly size: number;
  readonly annotations: Readonly<Record<string, unknown>>;
}

/** Parses a manifest; `index` for a list of manifests, `excessive` for one that would cost too much, `undefined` for anything else. */
export function parseArtefact(bytes: Uint8Array): Artefact | 'index' | 'excessive' | undefined {
  const manifest = parseBoundedObject(bytes, MAX_MANIFEST_TOKENS);
  if (manifest === undefined || manifest === 'excessive') return manifest;
  const { artifactType, config, subject, layers, manifests, annotations } = manifest;
  if (!Array.isArray(layers)) return Array.isArray(manifests) ? 'index' : undefined;
  const types = [artifactType, isRecord(config) ? config['mediaType'] : undefined];
  return {
    types: types.filter((type) => typeof type === 'string'),
    subject: isRecord(subject) && typeof subject['digest'] === 'string' ? subject['digest'] : undefined,
    layers: layers.map(parseLayer),
    annotations: isRecord(annotations) ? annotations : {},
  };
}

function parseLayer(layer: unknown): Layer {
  const fields = isRecord(layer) ? layer : {};
  const { mediaType, digest, size, annotations } = fields;
  return {
    mediaType: typeof mediaType === 'string' ? mediaType : '',
    digest: typeof digest === 'string' ? parseDigest(digest) : undefined,
    size: typeof size === 'number' ? size : 0,
    annotations: isRecord(annotations) ? annotations : {},
  };
}

/** Whether a manifest says that it holds a signature: by its type, or by a layer's type or annotation. */
export function claimsEvidence({ types, layers }: Artefact): boolean {
  return (
    types.some(isEvidenceType) ||
    layers.some(({ mediaType, annotations }) => isEvidenceType(mediaType) || ANNOTATIONS.signature in annotations)
  );
}
