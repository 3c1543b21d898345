import { randomUUID } from 'node:crypto';
import { access, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { withLock } from './lock.ts';

/**
 * The folder where obtained parts are kept, `portcullis` in the user's cache folder (XDG Base Directory
 * Specification 0.8: a relative XDG_CACHE_HOME is ignored).
 */
export function cacheFolder(): string {
  const configured = process.env['XDG_CACHE_HOME'] ?? '';
  return join(isAbsolute(configured) ? configured : join(homedir(), '.cache'), 'portcullis');
}

/**
 * The folder `key` of the cache, filled by `fill` if it is not there yet. It appears whole, by a rename, so an
 * interrupted `fill` leaves nothing that could be taken for the part; its remains are removed by the next one. `onWait`
 * is called when another process is filling it, before waiting for that.
 */
export async function cached(
  key: string,
  onWait: () => void,
  fill: (folder: string) => Promise<void>,
): Promise<string> {
  const folder = join(cacheFolder(), key);
  if (await exists(folder)) return folder;
  await mkdir(dirname(folder), { recursive: true });
  await withLock(`${folder}.lock`, onWait, async () => {
    if (await exists(folder)) return;
    await removeRemains(folder);
    const unfinished = `${folder}.unfinished-${randomUUID()}`;
    try {
      await mkdir(unfinished);
      await fill(unfinished);
      await rename(unfinished, folder);
    } catch (error) {
      await rm(unfinished, { recursive: true, force: true });
      throw error;
    }
  });
  return folder;
}

async function removeRemains(folder: string): Promise<void> {
  const parent = dirname(folder);
  for (const entry of await readdir(parent)) {
    const path = join(parent, entry);
    if (path.startsWith(`${folder}.unfinished-`)) await rm(path, { recursive: true, force: true });
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
