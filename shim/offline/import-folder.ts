import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, readBounded } from '../bounded-file.ts';
import { messageOf } from '../message-of.ts';
import { MAX_OFFLINE_BYTES, type OfflineFile, parseOfflineFile } from './offline-file.ts';

/** Files of a folder of imports, and bytes of all of them together: a daemon holds them in its memory. */
const MAX_IMPORTS = 32;
const MAX_BYTES = MAX_OFFLINE_BYTES;
export const MOST = `${MAX_IMPORTS} files of ${MAX_BYTES} bytes together`;

/** The folder of imports in a node's state folder. */
export function importFolder(state: string): string {
  return join(state, 'imported');
}

/** The name of an import: that of its content, so that a change shows. */
export function importName(content: string | Uint8Array): string {
  return `${createHash('sha256').update(content).digest('hex')}.json`;
}

/** A file of the folder before it is read. Two with the same print hold the same. */
export interface FoundImport {
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
  readonly print: string;
}

/** What is wrong with one file, or with the folder. */
export interface ImportProblem {
  readonly from: string;
  readonly problem: string;
}

export interface FoundImports {
  readonly files: readonly FoundImport[];
  readonly problems: readonly ImportProblem[];
}

/** Lists the imports of a folder, within its bounds. Never throws: what can't be read lets nothing in. */
export async function listImports(folder: string): Promise<FoundImports> {
  const files: FoundImport[] = [];
  const problems: ImportProblem[] = [];
  const names = await readdir(folder).catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT') problems.push({ from: folder, problem: String(error) });
    return [];
  });
  for (const name of names.filter((one) => one.endsWith('.json')).toSorted()) {
    const path = join(folder, name);
    const at = await stat(path).catch(() => undefined);
    if (at === undefined) continue; // it went away, or is a link that leads nowhere
    if (!fits(files, at.size)) {
      problems.push({ from: path, problem: `expected at most ${MOST}; this one is not used, remove old ones` });
      continue;
    }
    files.push({ name, path, bytes: at.size, print: [at.ino, at.size, at.mtimeMs, at.ctimeMs].join(' ') });
  }
  return { files, problems };
}

/** Whether a daemon takes so many bytes more as another file. */
export function fits(files: readonly Pick<FoundImport, 'bytes'>[], more: number): boolean {
  return files.length < MAX_IMPORTS && files.reduce((sum, { bytes }) => sum + bytes, more) <= MAX_BYTES;
}

/** Reads one import; a sentence when its content is not the one it was named by, or is none of ours. */
export async function readImport({ name, path, bytes }: FoundImport): Promise<OfflineFile | string> {
  try {
    const content = await readBounded(path, bytes);
    if (importName(content) !== name) {
      return 'its content is not the one that was imported; it is not used, import it again';
    }
    const read = parseOfflineFile(content);
    return read.ok ? read.file : read.problem;
  } catch (error) {
    return messageOf(error);
  }
}
