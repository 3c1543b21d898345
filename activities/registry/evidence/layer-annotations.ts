import type { ReasonCode } from '../../../workflows/verdict/reason.ts';
import { ANNOTATIONS, type LayerAnnotations } from '../../sigstore/evidence/content.ts';
import { MAX_ANNOTATION, MAX_SIGNATURE_ANNOTATION } from '../listing-limits.ts';
import type { Layer } from './artefact.ts';

/** What cosign writes beside a legacy payload, and how long it may be. */
const FIELDS = [
  { field: 'signature', max: MAX_SIGNATURE_ANNOTATION },
  { field: 'certificate', max: MAX_ANNOTATION },
  { field: 'chain', max: MAX_ANNOTATION },
  { field: 'bundle', max: MAX_ANNOTATION },
  { field: 'timestamp', max: MAX_ANNOTATION },
] as const satisfies readonly { field: keyof LayerAnnotations; max: number }[];

/** Why the annotations of a layer can't be used. */
export interface AnnotationFault {
  readonly code: ReasonCode;
  readonly sentence: string;
}

/**
 * The annotations that belong to a signature: each one a text of bounded length, or absent. An empty text and `null`
 * are absent, as Go programs write and read them. EVIDENCE_MALFORMED and EVIDENCE_TOO_LARGE otherwise.
 */
export function readAnnotations(layer: Layer): LayerAnnotations | AnnotationFault {
  const texts: { -readonly [Field in keyof LayerAnnotations]: string } = {};
  for (const { field, max } of FIELDS) {
    const annotation = ANNOTATIONS[field];
    const value = layer.annotations[annotation] ?? '';
    if (typeof value !== 'string') {
      return {
        code: 'EVIDENCE_MALFORMED',
        sentence: `expected text in annotation ${annotation}, found ${typeof value}`,
      };
    }
    if (value.length > max) {
      const sentence = `expected at most ${max} characters in annotation ${annotation}, found ${value.length}`;
      return { code: 'EVIDENCE_TOO_LARGE', sentence };
    }
    if (value !== '') texts[field] = value;
  }
  return texts;
}
