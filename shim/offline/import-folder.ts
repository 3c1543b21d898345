import { createHash } from 'node:crypto';
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, readBounded } from '../host/bounded-file.ts';
import { namesIn } from '../host/read-state.ts';
import { messageOf } from '../log/message-of.ts';
import { MAX_OFFLINE_BYTES, type OfflineFile, parseOfflineFile } from './offline-file.ts';

/** Files of a folder of imports, and bytes of all of them together: a daemon holds them in its memory. */
const MAX_IMPORTS = 32;
const MAX_BYTES = MAX_OFFLINE_BYTES;
/** Names that are read of the folder: many more than it may hold, and few enough to be read every two seconds. */
const MAX_NAMES = 1_000;

/** Problems that are reported of one folder; the first ones say what is wrong with the others. */
const MAX_PROBLEMS = 20;

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
  const names = namesOf(folder);
  if ('problem' in names) return { files: [], problems: [names] };
  const files: FoundImport[] = [];
  const problems: ImportProblem[] = [];
  for (const name of names.toSorted()) {
    const path = join(folder, name);
    const at = await lstat(path).catch(() => undefined);
    if (at === undefined) continue; // it went away
    if (!at.isFile()) problems.push({ from: path, problem: 'expected a file, found something else; remove it' });
    else if (!fits(files, at.size)) {
      problems.push({ from: path, problem: `expected at most ${MOST}; this one is not used, remove old ones` });
    } else files.push({ name, path, bytes: at.size, print: [at.ino, at.size, at.mtimeMs, at.ctimeMs].join(' ') });
  }
  return { files, problems: problems.slice(0, MAX_PROBLEMS) };
}

function namesOf(folder: string): readonly string[] | ImportProblem {
  try {
    const names = namesIn(folder, MAX_NAMES);
    if (names !== undefined) return names.filter((name) => name.endsWith('.json'));
    return { from: folder, problem: `expected at most ${MAX_NAMES} files, found more; none is used, remove old ones` };
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? [] : { from: folder, problem: messageOf(error) };
  }
}

/** Whether anything was imported, as far as a look can say that reads nothing. */
export function hasImports(state: string): boolean {
  try {
    return namesIn(importFolder(state), 0) === undefined;
  } catch {
    return false;
  }
}

/** Whether a daemon takes so many bytes more as another file. */
export function fits(files: readonly Pick<FoundImport, 'bytes'>[], more: number): boolean {
  return files.length < MAX_IMPORTS && files.reduce((sum, { bytes }) => sum + bytes, more) <= MAX_BYTES;
}

/** Reads one import; a sentence when its content is not the one it was named by, or is none of ours. */
export async function readImport(found: FoundImport): Promise<OfflineFile | string> {
  const content = await readImportBytes(found);
  if (typeof content === 'string') return content;
  const read = parseOfflineFile(content);
  return read.ok ? read.file : read.problem;
}

/** The bytes of one import; a sentence when they are not the ones it was named by. */
export async function readImportBytes({ name, path, bytes }: FoundImport): Promise<Buffer | string> {
  try {
    const content = await readBounded(path, bytes);
    if (importName(content) === name) return content;
    return 'its content is not the one that was imported; it is not used, import it again';
  } catch (error) {
    return messageOf(error);
  }
}
