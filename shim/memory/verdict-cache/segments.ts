import { closeSync, fstatSync, ftruncateSync, openSync, readFileSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../../host/bounded-file.ts';
import { namesIn, READ_OWN_FILE } from '../../host/read-state.ts';

/** One file of records; it is only ever appended to, and removed as a whole. */
export interface Segment {
  readonly path: string;
  readonly fd: number;
  bytes: number;
}

/** A larger file that is found there is not one of ours. */
export const MAX_SEGMENT_BYTES = 4 * 1024 * 1024;

const NAME = /^(\d{12})\.verdicts$/;

/** Names that are read of the folder: many more than it may hold, and few enough to be read at each start. */
const MAX_NAMES = 10_000;

/** The segments of a folder, oldest first. Throws when it holds more than a cache ever does. */
export function listSegments(directory: string): readonly string[] {
  const names = namesIn(directory, MAX_NAMES);
  if (names === undefined) {
    throw new Error(`expected at most ${MAX_NAMES} files in ${directory}, found more; remove it, it holds copies only`);
  }
  return names
    .filter((name) => NAME.test(name))
    .toSorted()
    .map((name) => join(directory, name));
}

/** Opens an older segment for reading, and reads it whole; a sentence for what can't be one. Follows no link, never waits or throws. */
export function openSegment(path: string): { readonly segment: Segment; readonly content: Buffer } | string {
  let fd: number | undefined;
  try {
    fd = openSync(path, READ_OWN_FILE);
    const at = fstatSync(fd);
    if (at.isFile() && at.size <= 2 * MAX_SEGMENT_BYTES) {
      const content = readFileSync(fd);
      return { segment: { path, fd, bytes: content.length }, content };
    }
    closeSync(fd);
    return `expected a file of at most ${2 * MAX_SEGMENT_BYTES} bytes at ${path}, found something else`;
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    return `expected to read ${path}, found ${codeOf(error) ?? String(error)}`;
  }
}

/** Begins a segment behind all that exist; fails rather than share one with another process. */
export function createSegment(directory: string): Segment {
  const newest = listSegments(directory).at(-1);
  const number = newest === undefined ? 1 : Number(NAME.exec(newest.slice(directory.length + 1))?.[1]) + 1;
  const path = join(directory, `${String(number).padStart(12, '0')}.verdicts`);
  return { path, fd: openSync(path, 'ax+', 0o600), bytes: 0 };
}

/**
 * Appends a whole record and answers where it begins. Throws when the disk took less than all of it; what it took is taken
 * back, and a segment from which it can't be taken back is full from then on.
 */
export function append(segment: Segment, record: Buffer): number {
  const offset = segment.bytes;
  try {
    const written = writeSync(segment.fd, record);
    if (written < record.length) throw new Error(`wrote ${written} of ${record.length} bytes`);
    segment.bytes += written;
    return offset;
  } catch (error) {
    takeBack(segment);
    throw error;
  }
}

function takeBack(segment: Segment): void {
  try {
    ftruncateSync(segment.fd, segment.bytes);
  } catch {
    segment.bytes = Number.POSITIVE_INFINITY;
  }
}

/** The bytes at a place; shorter when the file ends before. */
export function readAt(segment: Segment, offset: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  return bytes.subarray(0, readSync(segment.fd, bytes, 0, length, offset));
}

/** Forgets a segment, and its file if that is still there. */
export function removeSegment(segment: Segment): void {
  closeSync(segment.fd);
  rmSync(segment.path, { force: true });
}
