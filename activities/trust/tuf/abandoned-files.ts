import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Longer than any update, so that nobody is at work in what is older; in ms. */
const ABANDONED_MS = 60 * 60 * 1000;

/** Directories of updates (`tuf-update.ts`) and drafts of cache files (`tuf-cache.ts`). */
const OURS = /^\.update-|\.json\.[0-9a-f-]{36}$/;

/** Removes what a worker that was killed left half done. Never rejects: what can't be removed does no harm. */
export async function removeAbandoned(directory: string, now: number): Promise<void> {
  try {
    for (const name of await readdir(directory)) {
      const path = join(directory, name);
      if (!OURS.test(name) || now - (await stat(path)).mtimeMs < ABANDONED_MS) continue;
      await rm(path, { recursive: true, force: true });
    }
  } catch {
    // There is no directory yet, or somebody else was first.
  }
}
