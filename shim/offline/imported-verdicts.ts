import { setImmediate } from 'node:timers/promises';
import { plainJson } from '../../workflows/format/plain-text.ts';
import type { Reason } from '../../workflows/verdict/reason.ts';
import type { Envelope } from '../../workflows/verdict/verdict.ts';
import { lookEvery } from '../host/look-every.ts';
import type { Log } from '../log/log.ts';
import { keyHash } from '../memory/verdict-cache/record.ts';
import type { CacheKey } from '../memory/verdict-cache/verdict-cache.ts';
import { readUnchecked } from '../verdict-keys/verdict-check.ts';
import { type FoundImport, type ImportProblem, listImports, readImportBytes } from './import-folder.ts';
import type { Piece } from './json-pieces.ts';
import { envelopeAt, splitOfflineFile } from './offline-file.ts';

/** The verdicts that were imported into a node, as the files say now. Nothing here is believed: whoever uses one checks it. */
export interface ImportedVerdicts {
  /** Those that claim to be about this, one of a file at most. */
  find(key: CacheKey): readonly Envelope[];
  /** Reads the files at once. */
  reload(): Promise<void>;
  stop(): void;
}

/** How often the folder is looked at, in ms. */
const LOOK_MS = 2_000;

/** Verdicts that are indexed before other work gets its turn. */
const INDEXED_AT_ONCE = 200;

/** A file as it was when it had this print. Its bytes are kept as they are, which takes a part of what parsed ones take. */
interface Import {
  readonly print: string;
  readonly policy: Envelope | undefined;
  readonly bytes: Uint8Array;
  /** By {@link keyHash} of what they claim to be about. */
  readonly verdicts: ReadonlyMap<string, Piece>;
  readonly problem: string | undefined;
}

/**
 * Reads the imports of a folder and follows their changes; a folder that isn't there has none. `learn` is told the policy
 * statement of each file, and whether the file came after the start, and answers why it is not accepted, time and again: the node may get the key for it later.
 */
export async function watchImportedVerdicts(
  folder: string,
  learn: (statement: Envelope, isNew: boolean) => Reason | undefined,
  log: Log,
): Promise<ImportedVerdicts> {
  let isFirst = true;
  let imports: ReadonlyMap<string, Import> = new Map();
  let said = plainJson([[], []]);

  async function look(): Promise<void> {
    const found = await listImports(folder);
    const next = new Map<string, Import>();
    for (const file of found.files) {
      const known = imports.get(file.path);
      next.set(file.path, known?.print === file.print ? known : await load(file));
    }
    // What was there at the start has not been brought since.
    const isNew = (from: string, one: Import) => !isFirst && imports.get(from) !== one;
    const problems = [...next].flatMap(([from, one]) => problemsOf(from, one, isNew(from, one), learn));
    isFirst = false;
    imports = next;
    tell([...found.problems, ...problems]);
  }

  function tell(problems: readonly ImportProblem[]): void {
    const files = [...imports].map(([file, { verdicts }]) => ({ file, verdicts: verdicts.size }));
    const says = plainJson([files, problems]);
    if (says === said) return;
    said = says;
    for (const { from, problem } of problems) log.warn('imported verdicts', { from, problem });
    for (const { file, verdicts } of files) log.info('imported verdicts', { file, verdicts });
  }

  await look();
  const looks = lookEvery(LOOK_MS, look);
  return {
    find(key) {
      const hash = keyHash(key);
      return [...imports.values()].flatMap(({ bytes, verdicts }) => {
        const piece = verdicts.get(hash);
        return (piece && envelopeAt(bytes, piece)) ?? [];
      });
    },
    reload: looks.now,
    stop: looks.stop,
  };
}

async function load(found: FoundImport): Promise<Import> {
  const { print } = found;
  const bytes = await readImportBytes(found);
  const parts = typeof bytes === 'string' ? ({ ok: false, problem: bytes } as const) : splitOfflineFile(bytes);
  if (typeof bytes === 'string' || !parts.ok) return unusable(print, parts.ok ? 'not read' : parts.problem);
  const verdicts = new Map<string, Piece>();
  for (const [index, piece] of parts.pieces.entries()) {
    if (index % INDEXED_AT_ONCE === 0) await setImmediate();
    const envelope = envelopeAt(bytes, piece);
    if (envelope === undefined)
      return unusable(print, `expected a signed envelope as verdict ${index + 1}, found something else`);
    const claimed = readUnchecked(envelope);
    if (claimed !== undefined) verdicts.set(keyHash(claimed), piece);
  }
  return { print, policy: parts.policy, bytes, verdicts, problem: undefined };
}

function unusable(print: string, problem: string): Import {
  return { print, policy: undefined, bytes: new Uint8Array(), verdicts: new Map(), problem };
}

function problemsOf(
  from: string,
  { policy, problem }: Import,
  isNew: boolean,
  learn: (statement: Envelope, isNew: boolean) => Reason | undefined,
): readonly ImportProblem[] {
  const what = problem ?? (policy && learn(policy, isNew)?.sentence);
  return what === undefined ? [] : [{ from, problem: what }];
}
