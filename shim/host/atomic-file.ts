import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { namesIn } from './read-state.ts';

/** What another process that is replacing the same file may take, in ms; a draft that is older was left by one that was killed. */
const ABANDONED_MS = 60_000;

/**
 * Replaces a file in one step: whoever reads it finds the former content or all of the new one, also after a power cut. The
 * mode is set, whatever the umask is and whatever the file had before. A link at the path is replaced and not followed, and
 * neither is one that another user puts beside it: the draft has a name that cannot be foreseen, and is created exclusively.
 */
export function replaceFile(path: string, content: string, mode = 0o600): void {
  removeAbandoned(path);
  const draft = draftOf(path);
  const fd = openSync(draft, NEW_FILE, 0o600);
  try {
    const bytes = Buffer.from(content);
    if (writeSync(fd, bytes) < bytes.length) throw new Error(`${draft}: the disk did not take all of it`);
    fchmodSync(fd, mode);
    fsyncSync(fd);
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true }); // a full disk has better uses
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** Creates a file or fails: what another user put there before, a link above all, is not opened. */
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

const DRAFT = /^\.[0-9a-f]{16}\.new$/;

/** A path beside this one, in the same file system, that no other user can foresee. */
export function draftOf(path: string): string {
  return `${path}.${randomBytes(8).toString('hex')}.new`;
}

/** A folder with more files than any of ours has is not looked through. */
const MAX_NAMES = 10_000;

/** Removes the drafts of processes that were killed. Never throws: what cannot be removed does no harm. */
function removeAbandoned(path: string): void {
  try {
    const [folder, name] = [dirname(path), basename(path)];
    for (const entry of namesIn(folder, MAX_NAMES) ?? []) {
      if (!entry.startsWith(name) || !DRAFT.test(entry.slice(name.length))) continue;
      const draft = join(folder, entry);
      if (Date.now() - lstatSync(draft).mtimeMs > ABANDONED_MS) rmSync(draft, { recursive: true, force: true });
    }
  } catch {
    // There is no folder, or another process was first.
  }
}

/** The text of a file of root's own; `undefined` where there is none. Throws when it can't be read. */
export function textAt(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}
