import { constants } from 'node:fs';
import { access, lstat, mkdir, realpath, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

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
  const problem = ownerProblem(path, uid);
  if (problem !== undefined) throw new Error(problem);
}

function ownerProblem(path: string, uid: number): string | undefined {
  const us = process.geteuid?.() ?? 0;
  if (uid === 0 || uid === us) return undefined;
  return `expected ${path} to be owned by root or user ${us}, found user ${uid}; run chown ${us} ${path}`;
}

/** In a folder with this bit, only the owner of an entry renames or removes it. */
const STICKY = 0o1000;

/**
 * Says who else than root and the user of this process may change what is at a path: by rights on it, on a folder above it
 * (where the sticky bit is enough), or on a link that leads there. `undefined` when there is no such user. The folder that
 * Kubernetes mounts for a ConfigMap or Secret is open to all and read-only, which is enough. Rejects with the error of the
 * system when nothing is there.
 */
export async function distrustOf(path: string): Promise<string | undefined> {
  const [named, real] = [resolve(path), await realpath(path)];
  for (const place of new Set([...onTheWayTo(named), ...onTheWayTo(real)])) {
    const { uid, mode } = await lstat(place);
    const problem = ownerProblem(place, uid);
    if (problem !== undefined) return problem;
    const isLink = (mode & constants.S_IFMT) === constants.S_IFLNK; // its mode means nothing
    const isSticky = place !== real && (mode & STICKY) !== 0;
    if ((mode & OTHERS_WRITE) === 0 || isLink || isSticky || (await isReadOnlyMount(place))) continue;
    const found = (mode & 0o7777).toString(8);
    return `expected ${place} to be writable by its owner only, found mode ${found}; run chmod go-w ${place}`;
  }
  return undefined;
}

/** A volume of the kubelet: its files are behind a link `..data` of root, and the file system is read-only. */
async function isReadOnlyMount(folder: string): Promise<boolean> {
  try {
    if ((await lstat(join(folder, '..data'))).uid !== 0) return false;
    await access(folder, constants.W_OK);
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EROFS';
  }
}

/** From the path up to the root. */
function onTheWayTo(path: string): readonly string[] {
  const above = dirname(path);
  return above === path ? [path] : [path, ...onTheWayTo(above)];
}
