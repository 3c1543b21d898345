import {
  chmodSync,
  chownSync,
  constants,
  copyFileSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
} from 'node:fs';
import { join } from 'node:path';

/** Mode of a folder or a program of a release, and of its other files: what is copied sets none of them. */
const PROGRAM = 0o755;
const DATA = 0o644;

/** Of a folder that is being filled. */
const PRIVATE = 0o700;

/**
 * Copies a release to a new folder. Owner and modes are set and not taken from the source, which may be another user's. The
 * folder is private until it is whole: a file that its source lets others write is never open to them. Throws when the
 * source holds anything else than files and folders.
 */
export function copyRelease(source: string, target: string): void {
  mkdirSync(target, { mode: PRIVATE });
  for (const { name, path, isFolder } of entriesOf(source)) {
    const copy = join(target, name);
    if (isFolder) copyRelease(path, copy);
    else copyFileSync(path, copy, constants.COPYFILE_EXCL);
  }
}

/** Sets owner and modes of a release, from the inside out. */
export function setRights(folder: string, uid = process.geteuid?.() ?? 0, gid = process.getegid?.() ?? 0): void {
  for (const { path, mode, isFolder } of entriesOf(folder)) {
    if (isFolder) setRights(path, uid, gid);
    else setRightsOf(path, (mode & 0o100) === 0 ? DATA : PROGRAM, uid, gid);
  }
  setRightsOf(folder, PROGRAM, uid, gid);
}

/** The owner first: until then another user may change the mode again. */
function setRightsOf(path: string, mode: number, uid: number, gid: number): void {
  chownSync(path, uid, gid);
  chmodSync(path, mode);
}

/** Whether two folders hold the same names with the same content. */
export function isSameRelease(one: string, other: string): boolean {
  const [ours, theirs] = [entriesOf(one), entriesOf(other)];
  return (
    ours.length === theirs.length &&
    ours.every((entry, index) => {
      const match = theirs[index];
      if (match?.name !== entry.name || match.isFolder !== entry.isFolder) return false;
      if (entry.isFolder) return isSameRelease(entry.path, match.path);
      return readFileSync(entry.path).equals(readFileSync(match.path));
    })
  );
}

interface Entry {
  readonly name: string;
  readonly path: string;
  readonly mode: number;
  readonly isFolder: boolean;
}

function entriesOf(folder: string): readonly Entry[] {
  return readdirSync(folder)
    .toSorted()
    .map((name) => {
      const path = join(folder, name);
      const at = lstatSync(path);
      if (!at.isFile() && !at.isDirectory()) {
        throw new Error(
          `expected files and folders alone in a release, found something else at ${path}; build it again`,
        );
      }
      return { name, path, mode: at.mode, isFolder: at.isDirectory() };
    });
}
