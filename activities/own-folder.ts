import { lstat, mkdir, realpath, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/** Write permission of the group and of all others. */
const OTHERS_WRITE = 0o022;

/**
 * Makes a folder for this user alone, or takes one that is there and that no other user may change: it belongs to root or to
 * the user of this process, others have no write permission, and the folders above it and links to it belong to no other
 * user. Throws a sentence that says what was expected, what was found, and what to run. In a volume of Kubernetes that is
 * open to all, a folder inside it is such a folder.
 */
export async function openOwnFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const { uid, mode } = await stat(folder);
  requireOwner(folder, uid);
  if ((mode & OTHERS_WRITE) !== 0) {
    const found = (mode & 0o7777).toString(8);
    throw new Error(
      `expected ${folder} to be writable by its owner only, found mode ${found}; run chmod go-w ${folder}, or name a folder inside it`,
    );
  }
  for (const path of new Set([...onTheWayTo(resolve(folder)), ...onTheWayTo(await realpath(folder))])) {
    requireOwner(path, (await lstat(path)).uid);
  }
}

/** Throws when a file or folder belongs to another user than root and this one. */
export function requireOwner(path: string, uid: number): void {
  const us = process.geteuid?.() ?? 0;
  if (uid === 0 || uid === us) return;
  throw new Error(`expected ${path} to be owned by root or user ${us}, found user ${uid}; run chown ${us} ${path}`);
}

/** From the path up to the root. */
function onTheWayTo(path: string): readonly string[] {
  const above = dirname(path);
  return above === path ? [path] : [path, ...onTheWayTo(above)];
}
