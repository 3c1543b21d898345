import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { distrustOf, othersMayChange } from './ownership.ts';

/**
 * Reads a file that somebody else wrote, when it is one and has at most so many bytes. Throws the error of the system, or a
 * sentence that says what was expected.
 */
export async function readBounded(path: string, mostBytes: number): Promise<Buffer> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return await readFrom(file, path, mostBytes);
}

/**
 * Reads a file by which the gate is opened, as {@link readBounded} does. Throws as well when another user than root and this
 * one may change it, or may put another one in its place.
 */
export async function readTrusted(path: string, mostBytes: number): Promise<Buffer> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const problem = othersMayChange(path, await file.stat()) ?? distrustOf(path);
  if (problem !== undefined) throw new Error(problem);
  return await readFrom(file, path, mostBytes);
}

async function readFrom(file: FileHandle, path: string, mostBytes: number): Promise<Buffer> {
  if (!(await file.stat()).isFile()) throw new Error(`expected a file at ${path}, found something else`);
  const { bytesRead, buffer } = await file.read(Buffer.alloc(mostBytes + 1));
  if (bytesRead > mostBytes) throw new Error(`expected at most ${mostBytes} bytes in ${path}, found more`);
  return buffer.subarray(0, bytesRead);
}

/** The code of a system error, such as ENOENT. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

/** What a machine that is out of descriptors or memory, or whose disk fails, answers: it says nothing of the file. */
const SHORTAGES: ReadonlySet<string | undefined> = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EIO']);

/** Whether an error, or what caused it, is such an answer. */
export function isShortage(error: unknown): boolean {
  return (
    SHORTAGES.has(codeOf(error)) || (error instanceof Error && error.cause !== undefined && isShortage(error.cause))
  );
}
