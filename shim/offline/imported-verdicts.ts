import type { Reason } from '../../workflows/reason.ts';
import type { Envelope } from '../../workflows/verdict.ts';
import type { Log } from '../log.ts';
import { lookEvery } from '../look-every.ts';
import { plainJson } from '../plain-text.ts';
import { keyHash } from '../verdict-cache/record.ts';
import type { CacheKey } from '../verdict-cache/verdict-cache.ts';
import { readUnchecked } from '../verdict-check.ts';
import { type FoundImport, type ImportProblem, listImports, readImport } from './import-folder.ts';

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

/** A file as it was when it had this print. */
interface Import {
  readonly print: string;
  readonly policy: Envelope | undefined;
  /** By {@link keyHash} of what they claim to be about. */
  readonly verdicts: ReadonlyMap<string, Envelope>;
  readonly problem: string | undefined;
}

/**
 * Reads the imports of a folder and follows their changes; a folder that isn't there has none. `learn` is told the policy
 * statement of each file and answers why it is not believed, time and again: the node may get the key for it later.
 */
export async function watchImportedVerdicts(
  folder: string,
  learn: (statement: Envelope) => Reason | undefined,
  log: Log,
): Promise<ImportedVerdicts> {
  let imports: ReadonlyMap<string, Import> = new Map();
  let said = plainJson([[], []]);

  async function look(): Promise<void> {
    const found = await listImports(folder);
    const next = new Map<string, Import>();
    for (const file of found.files) {
      const known = imports.get(file.path);
      next.set(file.path, known?.print === file.print ? known : await load(file));
    }
    imports = next;
    tell([...found.problems, ...[...next].flatMap(([from, one]) => problemsOf(from, one, learn))]);
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
      return [...imports.values()].flatMap(({ verdicts }) => verdicts.get(hash) ?? []);
    },
    reload: looks.now,
    stop: looks.stop,
  };
}

async function load(found: FoundImport): Promise<Import> {
  const { print } = found;
  const read = await readImport(found);
  if (typeof read === 'string') return { print, policy: undefined, verdicts: new Map(), problem: read };
  const verdicts = new Map<string, Envelope>();
  for (const envelope of read.verdicts) {
    const claimed = readUnchecked(envelope);
    if (claimed !== undefined) verdicts.set(keyHash(claimed), envelope);
  }
  return { print, policy: read.policy, verdicts, problem: undefined };
}

function problemsOf(
  from: string,
  { policy, problem }: Import,
  learn: (statement: Envelope) => Reason | undefined,
): readonly ImportProblem[] {
  const what = problem ?? (policy && learn(policy)?.sentence);
  return what === undefined ? [] : [{ from, problem: what }];
}
