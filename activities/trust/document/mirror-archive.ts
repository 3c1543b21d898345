import { gunzipSync } from 'node:zlib';
import { MAX_MIRROR_BYTES, MAX_MIRROR_FILES } from '../../limits.ts';
import { quote } from '../../text/quote.ts';

export type MirrorArchive =
  | { readonly ok: true; readonly files: ReadonlyMap<string, Uint8Array> }
  | { readonly ok: false; readonly problem: string };

/**
 * Unpacks a gzipped tar (POSIX ustar with pax or GNU long names) into memory. Bounded in size and number; files and
 * directories only, relative names without `..`, each once. Never touches the file system.
 */
export function readMirrorArchive(bytes: Uint8Array): MirrorArchive {
  let tar: Buffer;
  try {
    tar = gunzipSync(bytes, { maxOutputLength: MAX_MIRROR_BYTES });
  } catch (error) {
    const big = error instanceof RangeError;
    const found = big ? `more than ${MAX_MIRROR_BYTES} bytes unpacked` : 'other bytes, or an end that is cut off';
    return { ok: false, problem: `expected a tar.gz of a TUF repository, found ${found}; pack it again` };
  }
  try {
    return { ok: true, files: untar(tar) };
  } catch (error) {
    if (error instanceof BadArchive) return { ok: false, problem: error.message };
    throw error;
  }
}

/** Says what is wrong with the archive; never leaves this file. */
class BadArchive extends Error {}

const BLOCK = 512;

function untar(tar: Buffer): ReadonlyMap<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  let longName: string | undefined;
  for (let at = 0, entries = 0; ; entries += 1) {
    const header = tar.subarray(at, at + BLOCK);
    if (header.length < BLOCK) throw new BadArchive('expected the end of a tar, found a cut; pack it again');
    if (header.every((byte) => byte === 0)) return files;
    if (entries > 2 * MAX_MIRROR_FILES) {
      throw new BadArchive(
        `expected at most ${MAX_MIRROR_FILES} files in the mirror, found more; pack only the repository`,
      );
    }
    const { name, type, size } = readHeader(header);
    const body = tar.subarray(at + BLOCK, at + BLOCK + size);
    if (body.length < size) throw new BadArchive('expected the end of a tar, found a cut; pack it again');
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
    if (type === 'x') longName = paxPath(body) ?? longName;
    else if (type === 'L') longName = text(body);
    else if (type === '0' || type === '5') {
      const path = safePath(longName ?? name);
      longName = undefined;
      if (type === '5') continue;
      if (files.has(path)) throw new BadArchive(`expected each file once, found ${quote(path)} again; remove one`);
      files.set(path, Uint8Array.from(body));
    } else if (type !== 'g') {
      throw new BadArchive(
        `expected files and directories, found another entry (a link?) at ${quote(name)}; remove it`,
      );
    }
  }
}

function readHeader(header: Buffer): { readonly name: string; readonly type: string; readonly size: number } {
  const sum = header.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 0x20 : byte), 0);
  if (octal(header.subarray(148, 156)) !== sum) {
    throw new BadArchive('expected a tar, found a header with a wrong sum; pack it again');
  }
  const ustar = header.toString('latin1', 257, 263) === 'ustar\0';
  const prefix = ustar ? text(header.subarray(345, 500)) : '';
  const name = text(header.subarray(0, 100));
  const type = header.toString('latin1', 156, 157);
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    type: type === '\0' ? '0' : type,
    size: octal(header.subarray(124, 136)),
  };
}

function octal(field: Buffer): number {
  const digits = text(field).trim();
  if (!/^[0-7]{1,11}$/.test(digits)) throw new BadArchive('expected a tar, found an invalid number; pack it again');
  return Number.parseInt(digits, 8);
}

function text(field: Buffer): string {
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end < 0 ? field.length : end);
}

/** The record `path` of a pax header: `LENGTH path=VALUE\n` (POSIX.1-2001 pax). A size of its own is more than we read. */
function paxPath(body: Buffer): string | undefined {
  let path: string | undefined;
  for (let at = 0; at < body.length; ) {
    const space = body.indexOf(0x20, at);
    const digits = body.toString('latin1', at, Math.max(space, at));
    const length = /^[1-9][0-9]{0,7}$/.test(digits) ? Number(digits) : 0;
    if (length < 5 || at + length > body.length) {
      throw new BadArchive('expected a tar, found a broken pax header; pack it again');
    }
    const record = body.toString('utf8', space + 1, at + length - 1);
    if (record.startsWith('size=')) throw new BadArchive('expected files below 8 GiB, found a larger one; remove it');
    if (record.startsWith('path=')) path = record.slice('path='.length);
    at += length;
  }
  return path;
}

function safePath(name: string): string {
  const path = name.replace(/^(?:\.\/)+/, '').replace(/\/$/, '');
  const segments = path.split('/');
  const safe =
    path === '' || path === '.' || segments.every((segment) => segment !== '' && segment !== '.' && segment !== '..');
  if (safe && !/[\\\0]/.test(path)) return path;
  throw new BadArchive(`expected names inside the mirror, found ${quote(name)}; pack it from its own directory`);
}
