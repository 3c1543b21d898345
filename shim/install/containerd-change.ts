import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { parse } from 'smol-toml';
import type { EffectiveConfiguration } from '../containerd/effective.ts';
import { importedFiles, importPatterns, importsOf } from '../containerd/main-file.ts';
import { type ContainerdProgram, type ContainerdVersion, type Dump, dumpConfiguration } from '../containerd/running.ts';
import { textAt } from '../host/atomic-file.ts';
import { DROP_IN } from '../host/layout.ts';
import { type DropInSchema, dropIn } from './drop-in.ts';
import { changeOf, type FileChange } from './file-change.ts';

/** Where files are merged from that count more than the main one, when that names no place itself. */
function ownPattern(config: string): string {
  return join(dirname(config), 'conf.d', '*.toml');
}

/** The pattern whose files count most. */
function importPattern(config: string): string | undefined {
  return importPatterns(config).findLast((pattern) => pattern.endsWith('/*.toml'));
}

/** Whether a file of ours beside the main one would be read, without another word in that. */
export function readsFilesBeside(config: string): boolean {
  return importPattern(config) !== undefined;
}

/** What containerd would make of its configuration without our file. */
export async function dumpWithoutOurs(program: ContainerdProgram): Promise<Dump> {
  const { config } = program;
  const ours = join(dirname(importPattern(config) ?? ownPattern(config)), DROP_IN);
  const main = textAt(config);
  if (main === undefined || !existsSync(ours)) return await dumpConfiguration(program);
  const others = importedFiles(config).filter((path) => path !== ours);
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-'));
  try {
    const copy = join(folder, 'config.toml');
    writeFileSync(copy, withImports(main, others, config), { mode: 0o600 });
    return await dumpConfiguration({ ...program, config: copy });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * What has to be written so that containerd asks for every pull: one file of ours, in the folder from which it merges files, and a
 * line in the main file where it merges none. Throws when that line can't be added without a person.
 */
export function containerdChanges(
  { config }: ContainerdProgram,
  version: ContainerdVersion,
  effective: EffectiveConfiguration,
): readonly FileChange[] {
  const found = importPattern(config);
  const pattern = found ?? ownPattern(config);
  const ours = changeOf(join(dirname(pattern), DROP_IN), dropIn(effective, schemaOf(config, version)));
  const main = textAt(config) ?? 'version = 3\n';
  const line =
    found === undefined ? changeOf(config, withImports(main, [...importsOf(main), pattern], config)) : undefined;
  return [ours, line].filter((change) => change !== undefined);
}

function schemaOf(config: string, [major, minor]: ContainerdVersion): DropInSchema {
  const mergesFirst = major === 2 && minor < 3;
  return mergesFirst && Number(parse(textAt(config) ?? 'version = 3')['version'] ?? 1) < 3 ? 2 : 3;
}

/** What {@link containerdChanges} wrote, taken away again: what others wrote stays, and so does an import that others use by now. */
export function containerdRemovals({ config }: ContainerdProgram): readonly FileChange[] {
  const folder = dirname(importPattern(config) ?? ownPattern(config));
  const copy = backUpOf(config);
  const isAlone = existsSync(folder) && readdirSync(folder).every((name) => name === DROP_IN);
  const main = existsSync(copy) && isAlone ? textAt(config) : undefined;
  return [
    changeOf(join(folder, DROP_IN), undefined),
    ...(main === undefined ? [] : [changeOf(config, withoutOurs(main, config)), changeOf(copy, undefined)]),
  ].filter((change) => change !== undefined);
}

/** Of a main file that has only our import, the text before. */
function withoutOurs(main: string, config: string): string {
  const left = importsOf(main).filter((pattern) => pattern !== ownPattern(config));
  const before = main.replace(/^imports\s*=\s*\[[^\]]*\]\n/, '');
  return left.length === 0 && !('imports' in parse(before)) ? before : withImports(main, left, config);
}

/** Where a file of others is kept as it was before its first change. */
export function backUpOf(path: string): string {
  return `${path}.before-portcullis`;
}

/** Sets `imports` and leaves every other byte as it is, comments too. What it answers was read again, and says just that. */
export function withImports(toml: string, wanted: readonly string[], config: string): string {
  const line = `imports = [${wanted.map((one) => JSON.stringify(one)).join(', ')}]`;
  const after = 'imports' in parse(toml) ? toml.replace(/^imports\s*=\s*\[[^\]]*\]/m, () => line) : `${line}\n${toml}`;
  if (!says(after, Object.assign(parse(toml), { imports: [...wanted] }))) {
    throw new Error(`${config}: "imports" is written in a way that portcullis does not change; make it say: ${line}`);
  }
  return after;
}

function says(toml: string, expected: object): boolean {
  try {
    return isDeepStrictEqual(parse(toml), expected);
  } catch {
    return false;
  }
}
