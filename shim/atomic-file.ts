import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';

/** Replaces a file in one step: whoever reads it finds the former content or all of the new one, also after a power cut. */
export function replaceFile(path: string, content: string, mode = 0o600): void {
  const draft = `${path}.new`;
  const fd = openSync(draft, 'w', mode);
  try {
    const bytes = Buffer.from(content);
    if (writeSync(fd, bytes) < bytes.length) throw new Error(`${draft}: the disk did not take all of it`);
    fsyncSync(fd);
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true }); // a full disk has better uses
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** Reads back what {@link replaceFile} wrote, at most so many bytes; `undefined` when it is longer, is none, or can't be read. */
export function readSmallFile(path: string, mostBytes: number): string | undefined {
  try {
    const fd = openSync(path, 'r');
    try {
      const bytes = Buffer.alloc(mostBytes + 1);
      const length = readSync(fd, bytes, 0, bytes.length, 0);
      return length > mostBytes ? undefined : bytes.toString('utf8', 0, length);
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined;
  }
}

/** The text of a file of root's own; `undefined` where there is none. Throws when it can't be read. */
export function textAt(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}
