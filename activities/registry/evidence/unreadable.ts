import type { SignatureSet } from '../../../workflows/activities.ts';
import { EvidenceError } from '../../evidence-error.ts';
import { MAX_SIGNATURES } from '../../limits.ts';
import { MAX_UNREADABLE } from '../listing-limits.ts';
import type { Repository } from '../repository.ts';

/** Evidence that was found and can't be used: an answer of its own, beside what can. */
export type Unreadable = SignatureSet['unreadable'][number];

/** One that is not in the form it claims to have. */
export function malformed(artefact: string, sentence: string): Unreadable {
  return { artefact, code: 'EVIDENCE_MALFORMED', sentence };
}

/** One that is larger, or has more parts, than is read. */
export function excessive(artefact: string, sentence: string): Unreadable {
  return { artefact, code: 'EVIDENCE_TOO_LARGE', sentence };
}

/** One that is well formed and of a kind that is not judged here. */
export function unsupported(artefact: string, sentence: string): Unreadable {
  return { artefact, code: 'EVIDENCE_UNSUPPORTED', sentence };
}

/** Evidence that a registry lists and does not serve: it was there once, and may be there again in a moment. */
export function notServed({ registry, repository }: Repository, what: string): EvidenceError {
  const sentence = `${registry}/${repository} lists ${what} and answers 404 to it; push it again, or remove it from the list`;
  return new EvidenceError('EVIDENCE_NOT_SERVED', sentence, { retryable: true });
}

/** Trouble that is the artefact's own; an inability is thrown on, for the artefact may be the one good signature. */
export function tooLarge(artefact: string, error: unknown): Unreadable {
  if (!(error instanceof EvidenceError) || error.code !== 'EVIDENCE_TOO_LARGE') throw error;
  return excessive(artefact, error.message);
}

/** Of all that can't be used as much as one answer names. */
export function bounded(name: string, unreadable: readonly Unreadable[]): readonly Unreadable[] {
  const more = unreadable.length - MAX_UNREADABLE;
  if (more <= 0) return unreadable;
  const rest = excessive(name, `${more} more artefacts that can't be read; remove what is not needed`);
  return [...unreadable.slice(0, MAX_UNREADABLE), rest];
}

/** What was found and not looked at. */
export function flood(name: string, omitted: number): Unreadable {
  const sentence = `${omitted} more artefacts than the ${MAX_SIGNATURES} that are looked at; remove what is not needed`;
  return excessive(name, sentence);
}
