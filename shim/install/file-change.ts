import { mkdirSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { createTwoFilesPatch } from 'diff';
import { replaceFile, textAt } from '../host/atomic-file.ts';
import { requireOwnFolder } from '../host/ownership.ts';

/** A small text file as it is and as it has to be; `undefined` where there is none. */
export interface FileChange {
  readonly path: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
  /** Of a file of ours, which is set; a file of others keeps its own, but for write permission of others. */
  readonly mode?: number;
  /** What it has to be set from, where that differs. */
  readonly modeBefore?: number;
  /** What it says is not for a terminal. */
  readonly secret?: true;
}

/** What is to be done to have this content at a path, and this mode where one is given; `undefined` when it is there. */
export function changeOf(path: string, after: string | undefined, mode?: number): FileChange | undefined {
  const before = textAt(path);
  const modeBefore = mode === undefined || before === undefined ? undefined : otherModeOf(path, mode);
  if (before === after && modeBefore === undefined) return undefined;
  return { path, before, after, ...(mode !== undefined && { mode }), ...(modeBefore !== undefined && { modeBefore }) };
}

/** The mode of a file that is not this one, or that is not ours; `undefined` when both are as they have to be. */
function otherModeOf(path: string, mode: number): number | undefined {
  const at = statSync(path);
  const isOurs = at.uid === 0 || at.uid === process.geteuid?.();
  return (at.mode & 0o7777) === mode && isOurs ? undefined : at.mode & 0o7777;
}

/** A unified diff for people. */
export function diffOf({ path, before, after, mode, modeBefore, secret }: FileChange): string {
  if (before === after && mode !== undefined) {
    return `${path}: owner and mode are set (${modeBefore?.toString(8) ?? 'none'} becomes ${mode.toString(8)})\n`;
  }
  const name = { old: before === undefined ? '/dev/null' : path, new: after === undefined ? '/dev/null' : path };
  if (secret === true) return `--- ${name.old}\n+++ ${name.new}\n  (not shown: it may hold secrets)\n`;
  const options = { headerOptions: { includeIndex: false, includeUnderline: false, includeFileHeaders: true } };
  return createTwoFilesPatch(name.old, name.new, before ?? '', after ?? '', undefined, undefined, options);
}

/** Makes it so, in one step. A file that somebody changed since we looked is left as it is: rejects and says so. */
export function apply({ path, before, after, mode }: FileChange): void {
  if (textAt(path) !== before)
    throw new Error(`${path} was changed while portcullis looked at it; run the command again`);
  if (after === undefined) {
    rmSync(path);
    return;
  }
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  requireOwnFolder(dirname(path));
  replaceFile(path, after, mode ?? (before === undefined ? 0o644 : statSync(path).mode & 0o755));
}

/** Makes all of them so, or none. Answers how to take them back. */
export function applyAll(changes: readonly FileChange[]): () => void {
  const done: FileChange[] = [];
  const takeBack = () => {
    for (const { before, after, ...rest } of done.splice(0).toReversed())
      apply({ ...rest, before: after, after: before });
  };
  try {
    for (const change of changes) {
      apply(change);
      done.push(change);
    }
  } catch (error) {
    takeBack();
    throw error;
  }
  return takeBack;
}
