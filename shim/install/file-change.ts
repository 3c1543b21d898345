import { mkdirSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { createTwoFilesPatch } from 'diff';
import { replaceFile, textAt } from '../atomic-file.ts';

/** A small text file as it is and as it has to be; `undefined` where there is none. */
export interface FileChange {
  readonly path: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
  readonly mode: number;
  /** What it says is not for a terminal. */
  readonly secret?: true;
}

/** What is to be done to have this content at a path; `undefined` when it is there. */
export function changeOf(path: string, after: string | undefined, mode = 0o644): FileChange | undefined {
  const before = textAt(path);
  return before === after ? undefined : { path, before, after, mode };
}

/** A unified diff for people. */
export function diffOf({ path, before, after, secret }: FileChange): string {
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
  replaceFile(path, after, before === undefined ? mode : statSync(path).mode & 0o777);
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
