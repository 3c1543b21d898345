import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { EvidenceError } from '../../evidence-error.ts';
import { distrustOf } from '../../own-folder.ts';

/** How a file that an operator wrote is read. */
export interface ConfiguredFile {
  readonly path: string;
  /** More is refused, and not read. */
  readonly mostBytes: number;
  /** Whether it counts only when no other user than root and the user of this process may change it. */
  readonly own?: boolean;
  /** What an error about it is; `found` says what was expected or found, in one clause. */
  readonly unusable: (path: string, found: string) => EvidenceError;
}

/** The text of a file, `undefined` where there is none. Throws what `unusable` makes for anything else. */
export async function readConfiguredFile(wanted: ConfiguredFile): Promise<string | undefined> {
  const { path, mostBytes, own = false, unusable } = wanted;
  try {
    const problem = own ? await distrustOf(path) : undefined;
    if (problem !== undefined) throw unusable(path, problem);
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if (!(await file.stat()).isFile()) throw unusable(path, 'expected a file');
    const { bytesRead, buffer } = await file.read(Buffer.alloc(mostBytes + 1));
    if (bytesRead > mostBytes) throw unusable(path, `expected at most ${mostBytes} bytes`);
    return buffer.toString('utf8', 0, bytesRead);
  } catch (error) {
    if (error instanceof EvidenceError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw unusable(path, `could not be read (${code})`);
  }
}
