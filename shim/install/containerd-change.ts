import { existsSync, readdirSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { parse } from 'smol-toml';
import type { EffectiveConfiguration } from '../containerd/effective.ts';
import type { ContainerdProgram } from '../containerd/running.ts';
import { dropIn } from './drop-in.ts';
import { changeOf, type FileChange } from './file-change.ts';
import { DROP_IN } from './layout.ts';

/** Where files are looked for that are merged over containerd's main one, when it names no place itself. */
function ownFolder(config: string): string {
  return join(dirname(config), 'conf.d');
}

/** The folder whose `*.toml` files count most. */
function importFolder({ config }: ContainerdProgram, { imports }: EffectiveConfiguration): string | undefined {
  const folders = imports.filter((pattern) => pattern.endsWith('/*.toml')).map((pattern) => dirname(pattern));
  const last = folders.at(-1);
  return last === undefined || isAbsolute(last) ? last : join(dirname(config), last);
}

/**
 * What has to be written so that containerd asks for every pull: one file of ours, in the folder from which it merges files, and a
 * line in the main file where it merges none. Throws when that line can't be added without a person.
 */
export function containerdChanges(
  program: ContainerdProgram,
  effective: EffectiveConfiguration,
): readonly FileChange[] {
  const folder = importFolder(program, effective);
  const path = join(folder ?? ownFolder(program.config), DROP_IN);
  const changes = [changeOf(path, dropIn(effective))];
  if (folder === undefined) changes.push(importLine(program.config));
  return changes.filter((change) => change !== undefined);
}

/** What {@link containerdChanges} wrote, taken away again: what others wrote stays, and so does an import that others use by now. */
export function containerdRemovals(
  program: ContainerdProgram,
  effective: EffectiveConfiguration,
): readonly FileChange[] {
  const folder = importFolder(program, effective) ?? ownFolder(program.config);
  const copy = backUpOf(program.config);
  const isAlone = existsSync(folder) && readdirSync(folder).every((name) => name === DROP_IN);
  const main = existsSync(copy) && isAlone ? changeOf(program.config, undefined)?.before : undefined;
  return [
    changeOf(join(folder, DROP_IN), undefined),
    ...(main === undefined
      ? []
      : [
          changeOf(program.config, withoutImport(main, join(ownFolder(program.config), '*.toml'))),
          changeOf(copy, undefined),
        ]),
  ].filter((change) => change !== undefined);
}

/** Where a file of others is kept as it was before its first change. */
export function backUpOf(path: string): string {
  return `${path}.before-portcullis`;
}

function importLine(config: string): FileChange | undefined {
  const pattern = join(ownFolder(config), '*.toml');
  const { before } = changeOf(config, '\0') ?? {};
  return changeOf(config, withImport(before ?? 'version = 3\n', pattern, config));
}

/** Adds a pattern to `imports` and leaves every other byte as it is, comments too. What it writes is read again before it counts. */
export function withImport(toml: string, pattern: string, config: string): string {
  const { imports, ...rest } = parse(toml);
  const wanted = [...(Array.isArray(imports) ? imports : []), pattern];
  const line = `imports = [${wanted.map((one) => JSON.stringify(one)).join(', ')}]`;
  const after = imports === undefined ? `${line}\n${toml}` : toml.replace(/^imports\s*=\s*\[[^\]]*\]/m, line);
  if (!isDeepStrictEqual(parse(after), { ...rest, imports: wanted })) {
    throw new Error(`${config}: "imports" is written in a way that portcullis does not change; make it say: ${line}`);
  }
  return after;
}

/** Takes the pattern out again. */
export function withoutImport(toml: string, pattern: string): string {
  const { imports } = parse(toml);
  if (!Array.isArray(imports) || !imports.includes(pattern)) return toml;
  const left = imports.filter((one) => one !== pattern);
  const line = left.length === 0 ? '' : `imports = [${left.map((one) => JSON.stringify(one)).join(', ')}]\n`;
  return toml.replace(/^imports\s*=\s*\[[^\]]*\]\n?/m, line);
}
