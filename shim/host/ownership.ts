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
 * Says who else than root and the user of this process may change what is at a path: by rights on it (of a folder: those to add,
 * replace or rename its entries), by rights on a folder above it, where the sticky bit is enough, or on a link that leads
 * there. `undefined` when there is no such user. Throws the error of the system when nothing is there.
 */
export function distrustOf(path: string): string | undefined {
  const [named, real] = [resolve(path), realpathSync(path)];
  for (const place of new Set([...onTheWayTo(named), ...onTheWayTo(real)])) {
    const problem = othersMayChange(place, rightsOf(place, place === real));
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** Throws the sentence of {@link distrustOf} for a folder that another user may change. */
export function requireOwnFolder(folder: string): void {
  const problem = distrustOf(folder);
  if (problem !== undefined) throw new Error(problem);
}

/** From the path up to the root. */
function onTheWayTo(path: string): readonly string[] {
  const above = dirname(path);
  return above === path ? [path] : [path, ...onTheWayTo(above)];
}

/** The rights that count: on the thing itself all of them, and on a folder above it those that can replace what is below. */
function rightsOf(path: string, isItself: boolean): Rights {
  const { uid, mode } = lstatSync(path);
  const isLink = (mode & constants.S_IFMT) === constants.S_IFLNK; // its mode means nothing
  const isSticky = !isItself && (mode & STICKY) !== 0;
  return { uid, mode: isLink || isSticky ? mode & ~OTHERS_WRITE : mode };
}

function octal(mode: number): string {
  return (mode & 0o7777).toString(8);
}
