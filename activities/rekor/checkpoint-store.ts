import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isRecord } from '../../workflows/record.ts';
import { MAX_LOG_MEMORY_BYTES, MAX_LOG_TREES } from '../limits.ts';

/** What is kept of one log. */
export interface LogRecord {
  /** The newest checkpoint of each of its trees, as notes. */
  readonly checkpoints: readonly string[];
  /** Set once the log was found to have two histories. */
  readonly conviction: Conviction | undefined;
}

export interface Conviction {
  readonly sentence: string;
  /** ISO 8601. */
  readonly at: string;
  /** The two trees that can't both be: notes, or size and root where no note was at hand. */
  readonly evidence: readonly string[];
}

export type LoadedRecord =
  | { readonly kind: 'record'; readonly record: LogRecord }
  | { readonly kind: 'none' }
  | { readonly kind: 'unreadable'; readonly problem: string };

/** The file that holds the record of one log. Without a directory there is none. */
export class CheckpointStore {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** `logId` is hex; anything else is hashed, so that no id can leave the directory. */
  pathOf(logId: string): string {
    const name = /^[0-9a-f]{8,128}$/.test(logId) ? logId : createHash('sha256').update(logId).digest('hex');
    return join(this.#directory, `${name}.json`);
  }

  /** Never throws. */
  async load(logId: string): Promise<LoadedRecord> {
    const path = this.pathOf(logId);
    try {
      const { size } = await stat(path);
      if (size > MAX_LOG_MEMORY_BYTES) return { kind: 'unreadable', problem: `it has ${size} bytes` };
      const record = parseRecord(await readFile(path, 'utf8'));
      return record === undefined
        ? { kind: 'unreadable', problem: 'it is cut off or changed' }
        : { kind: 'record', record };
    } catch (error) {
      const code = codeOf(error);
      return code === 'ENOENT' ? { kind: 'none' } : { kind: 'unreadable', problem: code };
    }
  }

  /** Replaces the file as a whole: a reader, or the next start, sees the old one or the new one. Answers what went wrong. */
  async save(logId: string, record: LogRecord): Promise<string | undefined> {
    const path = this.pathOf(logId);
    const temporary = `${path}.${randomUUID()}.tmp`;
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      const file = await open(temporary, 'wx', 0o600);
      try {
        await file.writeFile(`${JSON.stringify(record, undefined, 2)}\n`);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
      return undefined;
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined);
      return codeOf(error);
    }
  }
}

function parseRecord(text: string): LogRecord | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (!isRecord(value)) return undefined;
    const checkpoints = parseStrings(value['checkpoints'], MAX_LOG_TREES);
    if (checkpoints === undefined) return undefined;
    if (value['conviction'] === undefined) return { checkpoints, conviction: undefined };
    const conviction = parseConviction(value['conviction']);
    return conviction === undefined ? undefined : { checkpoints, conviction };
  } catch {
    return undefined;
  }
}

function parseConviction(value: unknown): Conviction | undefined {
  if (!isRecord(value)) return undefined;
  const { sentence, at } = value;
  const evidence = parseStrings(value['evidence'], 2);
  if (typeof sentence !== 'string' || typeof at !== 'string' || evidence === undefined) return undefined;
  return { sentence, at, evidence };
}

function parseStrings(value: unknown, max: number): readonly string[] | undefined {
  if (!Array.isArray(value) || value.length > max) return undefined;
  return value.every((one) => typeof one === 'string') ? value : undefined;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown error';
}
