import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';
import { runCommand } from './command.ts';
import type { Program } from './pins.ts';

/** Long enough for any program to print its version on a busy machine, short enough for one that does something else. */
const VERSION_TIMEOUT_MS = 5_000;

/** The program's path when PATH has it in the pinned version or another patch of the same minor, else undefined. */
export async function findInstalled(program: Program, version: string): Promise<string | undefined> {
  if (program.asks === undefined) return undefined;
  const path = await onPath(program.file);
  if (path === undefined) return undefined;
  const { code, printed } = await runCommand(path, program.asks, { timeoutMs: VERSION_TIMEOUT_MS });
  return code === 0 && sameMinor(printed, version) ? path : undefined;
}

/**
 * Whether the first full version that a program prints has the same major and minor number as the wanted one. A version
 * is a word: the numbers in a path or in the name of a toolchain (`go1.26.8`) are not the program's.
 */
export function sameMinor(printed: string, wanted: string): boolean {
  const found = /(?<!\S)v?(\d+\.\d+)\.\d+(?=[-+~\s]|$)/.exec(printed)?.[1];
  return found !== undefined && wanted.startsWith(`${found}.`);
}

async function onPath(file: string): Promise<string | undefined> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter).filter(isAbsolute)) {
    const path = join(folder, file);
    const runs = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (runs) return path;
  }
  return undefined;
}
