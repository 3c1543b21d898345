import type { SignatureReference } from '../../workflows/activities.ts';
import { registryOf } from '../authority/judge-evidence.ts';
import type { Dependencies } from '../dependencies.ts';
import { EvidenceError } from '../evidence-error.ts';
import { MAX_PARALLEL_READS } from '../limits.ts';
import type { PolicySet } from '../policy/policy-set.ts';
import { isListedNow, type ListedSubject } from '../registry/listed-now.ts';
import { mapParallel } from '../registry/parallel.ts';
import { ListingMemory } from './listing-memory.ts';

/** Evidence that the registry lists now, and what could not be found out about the rest. */
export interface ListedEvidence {
  readonly listed: readonly SignatureReference[];
  readonly failures: readonly EvidenceError[];
}

/** What the registries listed for this worker a short time ago. */
const memory = new ListingMemory();

/** Remembers what a registry listed when it was asked at `at`, in ms of {@link listingTime}. */
export function rememberListed(subject: ListedSubject, evidence: readonly SignatureReference[], at: number): void {
  for (const reference of evidence) memory.saw(subject, reference, at);
}

/** The time by which listings are remembered, in ms. */
export function listingTime(): number {
  return memory.now;
}

/**
 * Asks the registry once more which of the evidence it lists: an allow rests on what is there when it is signed, not on
 * what a worker remembers or a caller names. Costs one round trip, of two or three requests for each piece. A registry
 * that gives no answer now is taken at the word that it gave to this worker within {@link LISTING_MS}.
 */
export async function listedEvidence(
  dependencies: Pick<Dependencies, 'registry' | 'registryWith'>,
  set: PolicySet,
  subject: ListedSubject,
  evidence: readonly SignatureReference[],
  signal: AbortSignal,
): Promise<ListedEvidence> {
  const { registry: images } = dependencies;
  const answers = await mapParallel(evidence, MAX_PARALLEL_READS, async (reference) => {
    const registry = registryOf(dependencies, set, reference.source);
    const at = memory.now;
    try {
      const isListed = await isListedNow(registry, images, subject, reference, signal);
      if (isListed) memory.saw(subject, reference, at);
      else memory.forget(subject, reference);
      return isListed;
    } catch (error) {
      if (!(error instanceof EvidenceError)) throw error;
      return (error.retryable && memory.has(subject, reference)) || error;
    }
  });
  return {
    listed: evidence.filter((_, index) => answers[index] === true),
    failures: answers.filter((answer) => answer instanceof EvidenceError),
  };
}
