import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCommand } from './command.ts';
import type { Part, Source } from './pins.ts';
import { runPip } from './pip.ts';

type PythonSource = Extract<Source, { kind: 'python' }>;

/** The file that pins a package and all it imports, each by the SHA-256 of its wheels. */
export function requirementsFile(part: Part): string {
  return fileURLToPath(new URL(`python/${part.name}.txt`, import.meta.url));
}

/** What decides whether a folder suits: the pins, and the Python for which compiled wheels were chosen. */
export async function pythonPin(part: Part): Promise<string> {
  const tag = await runCommand('python3', ['-c', 'import sys; print(sys.implementation.cache_tag)']);
  return `${await readFile(requirementsFile(part), 'utf8')}\n${tag.printed.trim()}`;
}

/** Puts a package of Python with all it imports into `folder`, and a program that starts it. Throws as {@link runPip}. */
export async function installPythonPackage(part: Part, { module }: PythonSource, folder: string): Promise<void> {
  const target = ['--target', join(folder, 'site'), '--root-user-action', 'ignore'];
  await runPip(part, part.name, 'install', [...target, '--requirement', requirementsFile(part)]);
  const [program] = part.programs;
  if (program === undefined) throw new Error(`${part.name}: expected a program`);
  const script = [
    '#!/usr/bin/env python3',
    'import os, sys',
    'sys.dont_write_bytecode = True',
    'sys.path[0] = os.path.join(os.path.dirname(os.path.realpath(__file__)), "site")',
    `from ${module} import main`,
    'main()',
  ].join('\n');
  await writeFile(join(folder, program.file), `${script}\n`, { mode: 0o755 });
}
