import type { Digest } from '../../workflows/format/digest.ts';
import { EvidenceError } from '../evidence-error.ts';
import { ABSENT_MS, MAX_ABSENT, MAX_PARALLEL_READS } from '../limits.ts';
import { mapParallel } from '../registry/parallel.ts';
import type { Registry } from '../registry/registry.ts';
import type { Repository } from '../registry/repository.ts';
import { type ImageTree, readImageTree } from './image-tree.ts';
import type { RevocationBook } from './revocation-book.ts';

/** Which repository lately did not have which digest. */
export type Absences = Map<string, number>;

/** Where an image is, and who reads it. */
export interface ImagePlace {
  readonly place: Repository;
  readonly digest: Digest;
  /** Tried in this order where one has no access. */
  readonly readers: readonly Registry[];
}

/**
 * Everything that an image lets a node run, by its digest and by what that lists; and the book learns of it. Throws what
 * {@link readImageTree} throws.
 */
export async function readImageContents(
  book: RevocationBook,
  { place, digest, readers }: ImagePlace,
  signal: AbortSignal,
): Promise<readonly Digest[]> {
  const tree = await withAccess(readers, (registry) => readImageTree(registry, place, digest, signal));
  book.remember(tree);
  return tree.get(digest) ?? [];
}

/**
 * Looks in the image's own repository for the indexes among the revoked digests, so that what they list is revoked, too,
 * whatever digest it is pulled by. Each digest is looked for once in each repository and {@link ABSENT_MS}. Throws the
 * REGISTRY_ codes that may pass.
 */
export async function findRevokedIndexes(
  book: RevocationBook,
  absences: Absences,
  { place, readers }: Omit<ImagePlace, 'digest'>,
  signal: AbortSignal,
): Promise<void> {
  const nameOf = (digest: Digest) => `${place.registry}/${place.repository}@${digest}`;
  const now = Date.now();
  const wanted = book.unread().filter((digest) => (absences.get(nameOf(digest)) ?? 0) <= now);
  await mapParallel(wanted, MAX_PARALLEL_READS, async (digest) => {
    const tree = await readIfThere(readers, place, digest, signal);
    if (tree !== undefined) return book.remember(tree);
    absences.delete(nameOf(digest));
    absences.set(nameOf(digest), Date.now() + ABSENT_MS);
    for (const oldest of absences.keys()) {
      if (absences.size <= MAX_ABSENT) break;
      absences.delete(oldest);
    }
  });
}

/** `undefined` for what the registry does not have, does not give, or what is no index that a verdict could name. */
async function readIfThere(
  readers: readonly Registry[],
  place: Repository,
  digest: Digest,
  signal: AbortSignal,
): Promise<ImageTree | undefined> {
  try {
    return await withAccess(readers, async (registry) => {
      const manifest = await registry.getManifest(place, digest, signal);
      return manifest === undefined ? undefined : await readImageTree(registry, place, digest, signal);
    });
  } catch (error) {
    if (error instanceof EvidenceError && !error.retryable) return undefined;
    throw error;
  }
}

async function withAccess<T>(readers: readonly Registry[], read: (registry: Registry) => Promise<T>): Promise<T> {
  const [first, ...others] = readers;
  if (first === undefined) throw new Error('no registry to read from');
  try {
    return await read(first);
  } catch (error) {
    const isRefused = error instanceof EvidenceError && error.code === 'REGISTRY_UNAUTHORIZED';
    if (!isRefused || others.length === 0) throw error;
    return await withAccess(others, read);
  }
}
