import { constants, lstatSync, realpathSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** What `stat` says of the rights on a file or folder. */
export interface Rights {
  readonly uid: number;
  readonly mode: number;
}

/** Write permission of the group and of all others. */
const OTHERS_WRITE = 0o022;

/** In a folder with this bit, only the owner of an entry renames or removes it. */
const STICKY = 0o1000;

/**
 * Says who else than root and the user of this process may change a file or folder, as "expected ..., found ...; FIX PATH";
 * `undefined` when there is no such user.
 */
export function othersMayChange(path: string, { uid, mode }: Rights): string | undefined {
  const us = process.geteuid?.() ?? 0;
  if (uid !== 0 && uid !== us) {
    return `expected ${path} to be owned by ${us === 0 ? 'root' : `root or user ${us}`}, found user ${uid}; run chown root ${path}`;
  }
  if ((mode & OTHERS_WRITE) === 0) return undefined;
  return `expected ${path} to be writable by its owner only, found mode ${octal(mode)}; run chmod go-w ${path}`;
}

/**
 * Throws {@link othersMayChange}'s sentence for a folder whose entries another user may add, replace or rename: by rights on
 * the folder, or on one above it, where the sticky bit is enough, or on a link that leads there. Throws the error of the
 * system when the folder is not there.
 */
export function requireOwnFolder(folder: string): void {
  const problem = distrustOfFolder(folder);
  if (problem !== undefined) throw new Error(problem);
}

/** The sentence that {@link requireOwnFolder} throws; `undefined` for a folder that no other user may change. */
export function distrustOfFolder(folder: string): string | undefined {
  const [named, real] = [resolve(folder), realpathSync(folder)];
  for (const path of new Set([...onTheWayTo(named), ...onTheWayTo(real)])) {
    const problem = othersMayChange(path, rightsOf(path, path === real));
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** From the path up to the root. */
function onTheWayTo(path: string): readonly string[] {
  const above = dirname(path);
  return above === path ? [path] : [path, ...onTheWayTo(above)];
}

/** The rights that count: all of them on the folder itself, and of one above it those that can replace what is below. */
function rightsOf(path: string, isItself: boolean): Rights {
  const { uid, mode } = lstatSync(path);
  const isLink = (mode & constants.S_IFMT) === constants.S_IFLNK; // its mode means nothing
  const isSticky = !isItself && (mode & STICKY) !== 0;
  return { uid, mode: isLink || isSticky ? mode & ~OTHERS_WRITE : mode };
}

function octal(mode: number): string {
  return (mode & 0o7777).toString(8);
}
