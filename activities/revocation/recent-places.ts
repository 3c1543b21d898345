import { MAX_RECENT_PLACES } from '../limits.ts';

/** The names under which images were allowed lately, one for each repository: where a revoked index may be. */
export interface RecentPlaces {
  note(repository: string, name: string): void;
  /** The one that was asked about last comes first. */
  names(): readonly string[];
}

export function createRecentPlaces(): RecentPlaces {
  const names = new Map<string, string>();
  return {
    note(repository, name) {
      names.delete(repository);
      names.set(repository, name);
      for (const oldest of names.keys()) {
        if (names.size <= MAX_RECENT_PLACES) break;
        names.delete(oldest);
      }
    },
    names: () => [...names.values()].toReversed(),
  };
}
