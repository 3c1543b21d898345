import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { replaceFile } from '../host/atomic-file.ts';
import { readState, type StateRead } from '../host/read-state.ts';
import { messageOf } from '../log/message-of.ts';

/** What a kept file has; `text` is exactly what was written last. */
export type KeptRead =
  /** There is no file, or nothing was written to it yet. */
  | { readonly kind: 'none' }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'unreadable'; readonly problem: string };

/**
 * A small file of a node's state that takes its whole space when it is made: what a full disk can't take away. Its content stands in
 * it twice, each copy with its checksum, and the copies are written one after the other: a write that was cut off, or a copy that
 * was damaged, leaves the other one.
 */
export interface KeptFile {
  read(): KeptRead;
  /** Takes the space on the disk, where there is no file yet. Answers why it can't, as a sentence. */
  reserve(): string | undefined;
  /**
   * Replaces the text. Answers why it was not kept, as a sentence: then the former text stays, unless the disk failed between
   * the two copies. Never throws.
   */
  write(text: string): string | undefined;
}

/** A checksum in hex, the length of the text in bytes, and what separates them from it. */
const MAX_HEAD_BYTES = 64 + 1 + 10 + 1;

/** Copies begin on blocks of their own, so that no write of one touches the other. */
const BLOCK_BYTES = 4096;

/** `mostBytes` is the most that a text may take as UTF-8. */
export function openKeptFile(path: string, mostBytes: number): KeptFile {
  const copyBytes = Math.ceil((mostBytes + MAX_HEAD_BYTES) / BLOCK_BYTES) * BLOCK_BYTES;
  const fileBytes = 2 * copyBytes;

  function read(): KeptRead {
    const found = readState(path, fileBytes);
    return found.kind === 'content' ? readCopies(found, path, copyBytes) : found;
  }

  /** Makes the file with all of its space, and this text in it. Throws the error of the system. */
  function create(text: string | undefined): void {
    const bytes = Buffer.alloc(fileBytes, ' ');
    if (text !== undefined) for (const at of [0, copyBytes]) render(text).copy(bytes, at);
    replaceFile(path, bytes.toString('utf8'));
  }

  function attempt(what: () => void): string | undefined {
    try {
      what();
      return undefined;
    } catch (error) {
      return `${path} can't be written: ${messageOf(error)}`;
    }
  }

  return {
    read,
    reserve: () => (read().kind === 'none' ? attempt(() => create(undefined)) : undefined),
    write(text) {
      if (!text.isWellFormed()) return `expected well-formed text for ${path}, found half a character`;
      const length = Buffer.byteLength(text);
      if (length > mostBytes) return `expected at most ${mostBytes} bytes for ${path}, found ${length}`;
      return attempt(() => {
        if (!overwrite(path, fileBytes, [0, copyBytes], render(text))) create(text);
      });
    },
  };
}

/** One copy: what stands behind its text in the file was there before, and is not read. */
function render(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from(`${checksum(bytes)} ${bytes.length}\n`), bytes]);
}

function readCopies({ bytes }: StateRead & { kind: 'content' }, path: string, copyBytes: number): KeptRead {
  // A file of another length has no space of its own: it was made otherwise, or cut off.
  const copies = bytes.length === 2 * copyBytes ? [0, copyBytes].map((at) => bytes.subarray(at, at + copyBytes)) : [];
  for (const copy of copies) {
    const text = textIn(copy);
    if (text !== undefined) return { kind: 'text', text };
  }
  if (copies.length > 0 && bytes.every((byte) => byte === 0x20)) return { kind: 'none' };
  return { kind: 'unreadable', problem: `expected ${path} as this daemon writes it, found something else` };
}

function textIn(copy: Buffer): string | undefined {
  const [head, sum, length] = /^([0-9a-f]{64}) (\d{1,10})\n/.exec(copy.toString('latin1', 0, MAX_HEAD_BYTES)) ?? [];
  if (head === undefined || Number(length) > copy.length - head.length) return undefined;
  const bytes = copy.subarray(head.length, head.length + Number(length));
  return checksum(bytes) === sum ? bytes.toString('utf8') : undefined;
}

function checksum(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Writes over both copies of a file that has its space; `false` when there is none that has. Throws the error of the system. */
function overwrite(path: string, fileBytes: number, places: readonly number[], copy: Buffer): boolean {
  let fd: number;
  try {
    fd = openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return false; // it is not there, or what is there is to be replaced
  }
  try {
    const at = fstatSync(fd);
    if (!at.isFile() || at.size !== fileBytes) return false;
    for (const place of places) {
      if (writeSync(fd, copy, 0, copy.length, place) < copy.length) throw new Error('the disk did not take all of it');
      fsyncSync(fd);
    }
    return true;
  } finally {
    closeSync(fd);
  }
}
