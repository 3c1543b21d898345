import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isRecord } from '../../../workflows/format/record.ts';
import { MAX_TUF_CACHE_BYTES } from '../../limits.ts';
import { decodeBase64 } from '../../text/base64.ts';
import { parseStrictJson } from '../../text/strict-json.ts';
import type { ProvenTarget, TufMetadata } from './metadata.ts';

/** What survives a restart: the newest metadata seen, and the last set that was whole and good. */
export interface TufMemory {
  readonly metadata: TufMetadata;
  readonly proven?: ProvenTarget;
}

/** One file for each TUF repository. It is proven again when it is read, so it can take trust away, never add any. */
export interface TufCache {
  /** `undefined` when there is none; throws for one that can't be read. */
  read(): Promise<TufMemory | undefined>;
  /** Throws for what could not be read again, and the error of the system; then the former file stays. */
  write(memory: TufMemory): Promise<void>;
}

/** What two documents must have in common to share what was seen: the same initial root, mirror and target. */
export function repositoryId(root: Uint8Array, mirror: string, targets: string, target: string): string {
  const place = JSON.stringify([mirror, targets, target]);
  return createHash('sha256').update(place).update('\0').update(root).digest('hex');
}

/** The cache of one repository in a directory that only the worker writes. `name` has to be safe as a file name. */
export function createTufCache(directory: string, name: string, id: string): TufCache {
  const path = join(directory, `${name}.${id.slice(0, 16)}.json`);
  return {
    async read() {
      const bytes = await readBounded(path);
      return bytes === undefined ? undefined : decode(bytes);
    },
    async write(memory) {
      const text = encode(memory);
      if (!isReadable(text)) throw new Error(`expected at most ${MAX_TUF_CACHE_BYTES} bytes to keep, found more`);
      await mkdir(directory, { recursive: true, mode: 0o700 });
      // Beside the file, because only a rename in one file system is atomic.
      const draft = `${path}.${randomUUID()}`;
      try {
        const file = await open(draft, 'wx', 0o600);
        try {
          await file.writeFile(text);
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(draft, path);
      } catch (error) {
        await rm(draft, { force: true });
        throw error;
      }
    },
  };
}

async function readBounded(path: string): Promise<Uint8Array | undefined> {
  try {
    const { size } = await stat(path);
    if (size > MAX_TUF_CACHE_BYTES) throw new Error(`expected at most ${MAX_TUF_CACHE_BYTES} bytes, found ${size}`);
    return await readFile(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** What is written can be read again: a memory that a restart would not find is reported when it is written. */
function isReadable(text: string): boolean {
  const bytes = Buffer.from(text);
  return bytes.length <= MAX_TUF_CACHE_BYTES && parseStrictJson(bytes).ok;
}

const FORMAT = 1;

function encode({ metadata, proven }: TufMemory): string {
  const text = (bytes: Uint8Array | undefined) =>
    bytes === undefined ? undefined : Buffer.from(bytes).toString('base64');
  const { roots, timestamp, snapshot, targets } = metadata;
  return JSON.stringify({
    format: FORMAT,
    roots: roots.map(text),
    seen: { timestamp: text(timestamp), snapshot: text(snapshot), targets: text(targets) },
    proven: proven && {
      timestamp: text(proven.timestamp),
      snapshot: text(proven.snapshot),
      targets: text(proven.targets),
      target: text(proven.target),
    },
  });
}

function decode(bytes: Uint8Array): TufMemory {
  const json = parseStrictJson(bytes);
  if (!json.ok || !isRecord(json.value) || json.value['format'] !== FORMAT)
    throw new Error('it is cut off, or of another version');
  const { roots, seen, proven } = json.value;
  if (!Array.isArray(roots) || !isRecord(seen)) throw new Error('it has other fields');
  const optional = (name: 'timestamp' | 'snapshot' | 'targets') =>
    seen[name] === undefined ? {} : { [name]: bytesOf(seen[name]) };
  const metadata = {
    roots: roots.map(bytesOf),
    ...optional('timestamp'),
    ...optional('snapshot'),
    ...optional('targets'),
  };
  if (!isRecord(proven)) return { metadata };
  const { timestamp, snapshot, targets, target } = proven;
  const whole = {
    timestamp: bytesOf(timestamp),
    snapshot: bytesOf(snapshot),
    targets: bytesOf(targets),
    target: bytesOf(target),
  };
  return { metadata, proven: whole };
}

function bytesOf(text: unknown): Uint8Array {
  const bytes = typeof text === 'string' ? decodeBase64(text) : undefined;
  if (bytes === undefined) throw new Error('it has other fields');
  return bytes;
}
