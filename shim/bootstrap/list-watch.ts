import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '../../workflows/format/digest.ts';
import { plainJson, plainText } from '../../workflows/format/plain-text.ts';
import { codeOf, isShortage, readBounded } from '../host/bounded-file.ts';
import { lookEvery } from '../host/look-every.ts';
import { distrustOf as distrustOfPath } from '../host/ownership.ts';
import { namesIn } from '../host/read-state.ts';
import type { LocalRule } from '../local-rule.ts';
import type { Log } from '../log/log.ts';
import { type ListContent, type ListedDigest, parseList } from './list-file.ts';

/** The bootstrap list of a node, as its files say now. */
export interface BootstrapList {
  /** DIGEST_LISTED for a digest that is on it. */
  readonly rule: LocalRule;
  entries(): readonly ListedDigest[];
  /** Reads the files at once. */
  reload(): Promise<void>;
  stop(): void;
}

/** How often the folder is looked at, in ms. */
const LOOK_MS = 2_000;

const MAX_FILES = 100;

/** Files that are listed of the folder, every two seconds. */
const MAX_NAMES = 1_000;
const MAX_BYTES = 2 * 1024 * 1024;

/** Reads the `*.list` files of a folder and follows their changes. A folder that isn't there is an empty list. */
export async function watchBootstrapList(directory: string, log: Log): Promise<BootstrapList> {
  let current = new Map<Digest, ListedDigest>();
  let said = '';

  async function look(): Promise<void> {
    const read = await readLists(directory).catch((error: unknown) => ({ shortage: String(error) }));
    if ('shortage' in read) {
      if (said !== read.shortage) log.warn('bootstrap list stays as it was', { directory, error: read.shortage });
      said = read.shortage;
      return;
    }
    const { listed, problems } = read;
    current = new Map(listed.map((entry) => [entry.digest, entry]));
    const says = plainJson([listed, problems]);
    if (says === said) return;
    said = says;
    for (const { from, problem } of problems) log.warn('bootstrap list', { from, problem });
    log.info('bootstrap list', { directory, digests: current.size });
  }

  await look();
  const looks = lookEvery(LOOK_MS, look);
  return {
    rule({ digest }) {
      const entry = current.get(digest);
      if (entry === undefined) return undefined;
      const name = entry.name === '' ? '' : ` as ${plainText(entry.name)}`;
      return {
        code: 'DIGEST_LISTED',
        sentence: `${digest} is on the bootstrap list of this node${name} (${entry.from})`,
      };
    },
    entries: () => [...current.values()],
    reload: looks.now,
    stop: looks.stop,
  };
}

/**
 * Every list of a folder, in the order of their names. What can't be read lets nothing in; a machine that is out of descriptors or
 * memory says nothing of its files, and rejects.
 */
export async function readLists(directory: string): Promise<ListContent> {
  let names: readonly string[] | undefined;
  try {
    names = namesIn(directory, MAX_NAMES);
  } catch (error) {
    if (isShortage(error)) throw error;
    return { listed: [], problems: codeOf(error) === 'ENOENT' ? [] : [{ from: directory, problem: String(error) }] };
  }
  const files = (names ?? []).filter((name) => name.endsWith('.list') && !name.startsWith('.')).toSorted();
  if (names === undefined || files.length > MAX_FILES) {
    const found = names === undefined ? `more than ${MAX_NAMES} files` : `${files.length}`;
    const problem = `expected at most ${MAX_FILES} lists, found ${found}; put them together`;
    return { listed: [], problems: [{ from: directory, problem }] };
  }
  const folder = (await distrustOf(directory)) ?? distrustOfPath(directory);
  if (folder !== undefined) return { listed: [], problems: [{ from: directory, problem: folder }] };
  const read = await Promise.all(files.map((file) => readList(directory, file)));
  return { listed: read.flatMap(({ listed }) => listed), problems: read.flatMap(({ problems }) => problems) };
}

async function readList(directory: string, file: string): Promise<ListContent> {
  const path = join(directory, file);
  const distrust = await distrustOf(path);
  const bytes = distrust === undefined ? await readBounded(path, MAX_BYTES).catch(unlessShort) : undefined;
  if (bytes !== undefined) return parseList(bytes.toString('utf8'), file);
  const problem = distrust ?? `expected a readable file of at most ${MAX_BYTES} bytes`;
  return { listed: [], problems: [{ from: path, problem }] };
}

function unlessShort(error: unknown): undefined {
  if (isShortage(error)) throw error;
  return undefined;
}

/** Whoever writes here opens the gate: nobody but root, or the daemon's own user, may. */
async function distrustOf(path: string): Promise<string | undefined> {
  const at = await lstat(path).catch(() => undefined);
  if (at === undefined) return 'it went away while it was read';
  if (!at.isFile() && !at.isDirectory()) return 'expected a file, found something else; no links';
  if (at.uid !== 0 && at.uid !== process.geteuid?.()) return `expected owner root, found ${at.uid}; chown root`;
  if ((at.mode & 0o022) === 0) return undefined;
  return `expected to be writable by its owner only, found mode ${(at.mode & 0o7777).toString(8)}; chmod go-w`;
}
