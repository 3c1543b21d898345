import type { SignatureSet } from '../../workflows/activities.ts';
import { EvidenceError } from '../evidence-error.ts';

/** An artefact that was found and can't be read as a signature: an answer of its own, beside the ones that can. */
export type Unreadable = SignatureSet['unreadable'][number];

/** One that is not in the form it claims to have. */
export function malformed(artefact: string, sentence: string): Unreadable {
  return { artefact, code: 'EVIDENCE_MALFORMED', sentence };
}

/** One that is larger, or has more parts, than is read. */
export function excessive(artefact: string, sentence: string): Unreadable {
  return { artefact, code: 'EVIDENCE_TOO_LARGE', sentence };
}

/** Trouble that is the artefact's own; an inability is thrown on, for the artefact may be the one good signature. */
export function tooLarge(artefact: string, error: unknown): Unreadable {
  if (!(error instanceof EvidenceError) || error.code !== 'EVIDENCE_TOO_LARGE') throw error;
  return excessive(artefact, error.message);
}
