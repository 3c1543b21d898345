import type { SignatureReference } from '../../workflows/activities.ts';
import type { ListedSubject } from '../registry/listed-now.ts';
import { LISTING_MS, MAX_LISTINGS } from '../registry/listing-limits.ts';

/**
 * Which signatures a registry listed for which image, and when. It stands in for the registry while that gives no
 * answer, for {@link LISTING_MS}; what the registry answers counts before it.
 */
export class ListingMemory {
  readonly #now: () => number;
  // A Map iterates in order of insertion: the first entry is the oldest.
  readonly #seen = new Map<string, number>();

  /** `now` is in ms. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  get now(): number {
    return this.#now();
  }

  /** The registry was asked at `at` and listed it. */
  saw(subject: ListedSubject, reference: SignatureReference, at: number): void {
    const key = keyOf(subject, reference);
    this.#seen.delete(key);
    this.#seen.set(key, at);
    for (const oldest of this.#seen.keys()) {
      if (this.#seen.size <= MAX_LISTINGS) break;
      this.#seen.delete(oldest);
    }
  }

  forget(subject: ListedSubject, reference: SignatureReference): void {
    this.#seen.delete(keyOf(subject, reference));
  }

  /** Whether the registry listed it a short time ago. */
  has(subject: ListedSubject, reference: SignatureReference): boolean {
    const at = this.#seen.get(keyOf(subject, reference));
    return at !== undefined && this.#now() - at <= LISTING_MS;
  }
}

function keyOf({ name, digest }: ListedSubject, reference: SignatureReference): string {
  const { format, place, manifest, blob, index = '' } = reference;
  const { repository = '', tagPrefix = '' } = reference.source;
  const layer = reference.format === 'bundle' ? '' : reference.layer;
  return JSON.stringify([name, digest, repository, tagPrefix, format, place, manifest, blob, index, layer]);
}
