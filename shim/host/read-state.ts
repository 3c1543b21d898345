import { closeSync, constants, fstatSync, opendirSync, openSync, readSync } from 'node:fs';
import { codeOf } from './bounded-file.ts';

/** What a path of the state folder holds. What is there and can't be read is not the same as nothing. */
export type StateRead =
  | { readonly kind: 'none' }
  | { readonly kind: 'content'; readonly bytes: Buffer }
  /** A sentence: what was expected and what was found. */
  | { readonly kind: 'unreadable'; readonly problem: string };

/** Opens a file for reading; a link is not followed, and a named pipe without a writer is not waited for. */
export const READ_OWN_FILE = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Reads a regular file of at most so many bytes. Follows no link, waits for no pipe, never throws. */
export function readState(path: string, mostBytes: number): StateRead {
  let fd: number | undefined;
  try {
    fd = openSync(path, READ_OWN_FILE);
    const at = fstatSync(fd);
    if (!at.isFile()) return { kind: 'unreadable', problem: `expected a file at ${path}, found something else` };
    if (at.size > mostBytes) return { kind: 'unreadable', problem: tooLarge(path, mostBytes) };
    const bytes = Buffer.alloc(mostBytes + 1);
    const length = readSync(fd, bytes, 0, bytes.length, 0);
    if (length > mostBytes) return { kind: 'unreadable', problem: tooLarge(path, mostBytes) };
    return { kind: 'content', bytes: bytes.subarray(0, length) };
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return { kind: 'none' };
    return { kind: 'unreadable', problem: `expected to read ${path}, found ${codeOf(error) ?? String(error)}` };
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function tooLarge(path: string, mostBytes: number): string {
  return `expected at most ${mostBytes} bytes in ${path}, found more`;
}

/**
 * The names in a folder, unordered. Reads at most `most` of them, and answers `undefined` when there are more. Throws the error of
 * the system.
 */
export function namesIn(folder: string, most: number): readonly string[] | undefined {
  const names: string[] = [];
  const directory = opendirSync(folder);
  try {
    for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
      if (names.length === most) return undefined;
      names.push(entry.name);
    }
    return names;
  } finally {
    directory.closeSync();
  }
}
