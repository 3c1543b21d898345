import { createHash, randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isRecord } from '../../workflows/format/record.ts';
import { LOG_RESERVE_BYTES, MAX_LOG_MEMORY_BYTES, MAX_LOG_TREES } from '../limits.ts';

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
  /** `inReserve`: the conviction is in the reserve. */
  | { readonly kind: 'record'; readonly record: LogRecord; readonly inReserve?: true }
  | { readonly kind: 'none' }
  | { readonly kind: 'unreadable'; readonly problem: string };

/**
 * The files that hold the record of one log: the record, and a reserve that takes its space on the disk when the log is first
 * asked, so that a conviction is kept when the disk is full. Without a directory there are none.
 */
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

  /** Where a conviction is that the record had no room for. */
  reserveOf(logId: string): string {
    return `${this.pathOf(logId)}.reserve`;
  }

  /** Never throws. */
  async load(logId: string): Promise<LoadedRecord> {
    const main = await readRecord(this.pathOf(logId), MAX_LOG_MEMORY_BYTES);
    const reserve = await readRecord(this.reserveOf(logId), LOG_RESERVE_BYTES);
    if (main.kind === 'unreadable' || reserve.kind !== 'record') return reserve.kind === 'unreadable' ? reserve : main;
    const { conviction } = reserve.record;
    if (main.kind === 'record' && main.record.conviction !== undefined) return main;
    const { checkpoints } = main.kind === 'record' ? main.record : reserve.record;
    return { kind: 'record', record: { checkpoints, conviction }, inReserve: true };
  }

  /** Takes the space of the reserve, once. What can't be taken is reported by the first record that can't be written. */
  async reserve(logId: string): Promise<void> {
    try {
      await mkdir(this.#directory, { recursive: true });
      await writeFile(this.reserveOf(logId), ' '.repeat(LOG_RESERVE_BYTES), { flag: 'wx', mode: 0o600, flush: true });
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') await this.#removePart(logId);
    }
  }

  /**
   * Replaces the record as a whole: a reader, or the next start, sees the old one or the new one. A conviction goes into the reserve
   * when there is no room for the record. Answers what went wrong. What it accepts, {@link load} returns.
   */
  async save(logId: string, record: LogRecord): Promise<string | undefined> {
    const text = `${JSON.stringify(record, undefined, 2)}\n`;
    const problem = isReadable(text, MAX_LOG_MEMORY_BYTES)
      ? await this.#replace(this.pathOf(logId), text)
      : 'it is more than is kept of one log';
    if (problem !== undefined && record.conviction !== undefined) await this.#fallBack(logId, record.conviction);
    return problem;
  }

  async #replace(path: string, text: string): Promise<string | undefined> {
    const temporary = `${path}.${randomUUID()}.tmp`;
    try {
      await mkdir(this.#directory, { recursive: true });
      const file = await open(temporary, 'wx', 0o600);
      try {
        await file.writeFile(text);
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

  /** Writes a conviction over the reserve, which needs no space that is not there. */
  async #fallBack(logId: string, conviction: Conviction): Promise<void> {
    const whole = JSON.stringify({ checkpoints: [], conviction });
    const text = isReadable(whole, LOG_RESERVE_BYTES)
      ? whole
      : JSON.stringify({ checkpoints: [], conviction: withoutEvidence(conviction) });
    try {
      await using file = await open(this.reserveOf(logId), constants.O_WRONLY | constants.O_NOFOLLOW);
      const bytes = Buffer.alloc(LOG_RESERVE_BYTES, ' ');
      bytes.write(text);
      await file.write(bytes, 0, bytes.length, 0);
      await file.sync();
    } catch {
      // There is no reserve, or the disk fails: what the record could not take is reported.
    }
  }

  /** A reserve of which only a part could be taken is none. */
  async #removePart(logId: string): Promise<void> {
    const path = this.reserveOf(logId);
    const at = await stat(path).catch(() => undefined);
    if (at !== undefined && at.size < LOG_RESERVE_BYTES) await rm(path, { force: true }).catch(() => undefined);
  }
}

/** A file of blanks is a reserve that was not needed. */
async function readRecord(path: string, mostBytes: number): Promise<LoadedRecord> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const at = await file.stat();
    if (!at.isFile()) return { kind: 'unreadable', problem: 'it is no file' };
    if (at.size > mostBytes) return { kind: 'unreadable', problem: `it has ${at.size} bytes` };
    const text = await file.readFile('utf8');
    if (path.endsWith('.reserve') && text.trim() === '') return { kind: 'none' };
    const record = parseRecord(text);
    return record === undefined
      ? { kind: 'unreadable', problem: 'it is cut off or changed' }
      : { kind: 'record', record };
  } catch (error) {
    const code = codeOf(error);
    // Below something that is no folder there is no file.
    return code === 'ENOENT' || code === 'ENOTDIR' ? { kind: 'none' } : { kind: 'unreadable', problem: code };
  }
}

/** What decides, in as much space as there always is. */
function withoutEvidence({ sentence, at }: Conviction): Conviction {
  return { sentence: sentence.slice(0, 2_000), at: at.slice(0, 100), evidence: [] };
}

function isReadable(text: string, mostBytes: number): boolean {
  return Buffer.byteLength(text) <= mostBytes && parseRecord(text) !== undefined;
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
