import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isRecord } from '../../workflows/format/record.ts';
import { mergeRevocations, NO_REVOCATIONS, parseRevocations, type Revocations } from '../../workflows/revocations.ts';
import { MAX_REVOCATION_FILE_BYTES } from '../limits.ts';

/** Where a worker keeps the revocations that it knows. */
export interface RevocationFile {
  /** Replaces the content, in the background and in order; `failed` is called with the problem. */
  write(revocations: Revocations, failed: (problem: string) => void): void;
  /** Settles when everything is written. */
  idle(): Promise<void>;
}

/**
 * Reads the file, which may be missing. Throws, with what to do, for one that is there and can't be read: a worker that
 * goes on without it would forget what is revoked.
 */
export async function readRevocationFile(path: string): Promise<Revocations> {
  const read = await tryRead(path);
  if (typeof read !== 'string') return read;
  throw new Error(
    `${path}: expected the revocations of this worker, found ${read}; restore the file, or remove it when the policy directory has all Revocations`,
  );
}

async function tryRead(path: string): Promise<Revocations | string> {
  try {
    const { size } = await stat(path);
    if (size > MAX_REVOCATION_FILE_BYTES) return `${size} bytes`;
    const json: unknown = JSON.parse(await readFile(path, 'utf8'));
    return (isRecord(json) ? parseRevocations(json['revocations']) : undefined) ?? 'something else';
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'text that is not JSON';
    return code === 'ENOENT' ? NO_REVOCATIONS : code;
  }
}

export function openRevocationFile(path: string): RevocationFile {
  let writing: Promise<void> = Promise.resolve();
  let next: Revocations | undefined;
  return {
    write(revocations, failed) {
      const isQueued = next !== undefined;
      next = revocations;
      if (isQueued) return;
      writing = writing.then(async () => {
        const content = next ?? NO_REVOCATIONS;
        next = undefined;
        await replace(path, content).catch((error: unknown) => failed(String(error)));
      });
    },
    idle: () => writing,
  };
}

/** Workers may share a folder: what another one has written since is kept. */
async function replace(path: string, revocations: Revocations): Promise<void> {
  const there = await tryRead(path);
  const all = typeof there === 'string' ? revocations : (mergeRevocations(there, revocations) ?? revocations);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomUUID()}`;
  try {
    const file = await open(draft, 'wx', 0o600);
    try {
      await file.writeFile(`${JSON.stringify({ revocations: all })}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true }).catch(() => undefined);
    throw error;
  }
}
