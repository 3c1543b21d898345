import { MAX_LIGHT_EVIDENCE_BYTES } from '../../limits.ts';
import { MAX_KNOWN_ARTEFACTS } from '../listing-limits.ts';
import type { EvidencePlace } from './evidence-place.ts';
import type { ReadArtefact, Sought } from './signature-artefact.ts';
import type { Candidate } from './signature-places.ts';

/** More signatures than this in one manifest are read again each time. */
const MAX_FOUND = 8;

/**
 * What large manifests were found to hold. A manifest is the same each time that it is listed, and 50 of 4 MiB are more than
 * the worker's cache holds, so without this each pull of a flooded image would read and parse all of them again.
 */
export class ReadArtefacts {
  // A Map iterates in order of insertion, and a hit inserts again.
  readonly #known = new Map<string, ReadArtefact>();

  get(where: EvidencePlace, candidate: Candidate, sought: Sought): ReadArtefact | undefined {
    const key = keyOf(where, candidate, sought);
    const found = this.#known.get(key);
    if (found === undefined) return undefined;
    this.#known.delete(key);
    this.#known.set(key, found);
    return found;
  }

  /** Keeps what a manifest of so many bytes holds, where it is worth it. */
  keep(where: EvidencePlace, candidate: Candidate, sought: Sought, bytes: number, read: ReadArtefact): void {
    if (bytes <= MAX_LIGHT_EVIDENCE_BYTES || read.found.length > MAX_FOUND || read.unreadable.length > MAX_FOUND)
      return;
    this.#known.set(keyOf(where, candidate, sought), read);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MAX_KNOWN_ARTEFACTS) break;
      this.#known.delete(oldest);
    }
  }
}

/** Everything that `readArtefact` looks at, and the place that its references name. */
function keyOf(
  where: EvidencePlace,
  { place, subject, digest }: Candidate,
  { image, source, maxBytes }: Sought,
): string {
  const { registry, repository, tagPrefix } = where;
  return JSON.stringify([registry, repository, tagPrefix, place, subject, digest, image, source, maxBytes]);
}
