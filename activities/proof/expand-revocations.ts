import { imageName } from '../authority/image-name.ts';
import type { Dependencies } from '../dependencies.ts';
import { BACKGROUND_LOOK_MS, PLACE_LOOK_MS } from '../limits.ts';
import { findRevokedIndexes } from '../revocation/index-contents.ts';
import { readersOf } from './image-contents.ts';

/** Books whose digests are being looked for. */
const looking = new WeakSet<object>();

/**
 * Looks for revoked indexes where a Revocation says that they are, and in the repositories of images that were allowed
 * lately: what an index lists may be in use by its own digest, under verdicts that know of no index. In the background,
 * one look at a time; what is found is part of the next statement.
 */
export function expandRevocations(
  dependencies: Pick<Dependencies, 'policy' | 'revocations' | 'absences' | 'places' | 'registry' | 'registryWith'>,
): void {
  const { policy, revocations } = dependencies;
  const load = policy.current();
  if (!load.ok || looking.has(revocations) || revocations.unread().length === 0) return;
  looking.add(revocations);
  const names = new Set([...load.set.revokedNames, ...dependencies.places.names()]);
  const until = AbortSignal.timeout(BACKGROUND_LOOK_MS);
  const look = async () => {
    for (const name of names) {
      if (until.aborted) return;
      const asked = { place: imageName(name), readers: readersOf(dependencies, load.set, name) };
      const signal = AbortSignal.any([until, AbortSignal.timeout(PLACE_LOOK_MS)]);
      // A registry that does not answer is asked again with the next statement.
      await findRevokedIndexes(revocations, dependencies.absences, asked, signal).catch(() => undefined);
    }
  };
  void look()
    .catch(() => undefined)
    .finally(() => looking.delete(revocations));
}
