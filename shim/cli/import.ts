import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { PolicyHead } from '../../workflows/policy-head.ts';
import type { Verdict } from '../../workflows/verdict.ts';
import { readBounded } from '../bounded-file.ts';
import { DEFAULT_SHIM_FILE, readNodeSettings } from '../configuration.ts';
import { checkOfflineFile, usableUntil } from '../offline/check-file.ts';
import { newestStatement, obstacleTo, putImport, readImports } from '../offline/import-file.ts';
import { importFolder } from '../offline/import-folder.ts';
import { MAX_OFFLINE_BYTES, parseOfflineFile } from '../offline/offline-file.ts';
import { plainJson, plainText } from '../plain-text.ts';
import { isNewer } from '../policy-watch.ts';
import { openStatementFile, STATEMENT_FILE } from '../statement-file.ts';
import { loadVerdictKeys } from '../verdict-key-files.ts';

const HELP = `Brings verdicts that "portcullis export" wrote to this node, which needs no backend for them.

Usage: portcullis import FILE [OPTIONS]

  --state DIR          the daemon's state folder (default: that of --config)
  --verdict-keys PATH  public key of the workers' verdicts, or a directory of *.pub files (default: that of --config)
  --config FILE        the daemon's settings (default ${DEFAULT_SHIM_FILE}, if it is there)
  --dry-run            check, and change nothing
  --output text|json   (default text)

Everything in the file is checked by the node's own verdict keys, and one forged part refuses all of it. The daemon takes an import
within seconds or at its next start, and checks each verdict again when it uses it: when the backend can't be reached, under the
newest policy statement that the node has. A newer file replaces what an older one says about the policy and about revoked digests.
Needs root.

Exit code 0: imported. 1: something in the file is not believed, or nothing in it can be used. 3: it could not be read or written.`;

export const importCommand = {
  help: HELP,
  async run(args: readonly string[]): Promise<number> {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        state: { type: 'string' },
        'verdict-keys': { type: 'string' },
        config: { type: 'string' },
        'dry-run': { type: 'boolean', default: false },
        output: { type: 'string', default: 'text' },
      },
    });
    const [path] = positionals;
    if (path === undefined || positionals.length > 1) return misused('expected one FILE');
    if (!['text', 'json'].includes(values.output)) return misused('--output: expected text or json');
    const settings = await readNodeSettings(values.config);
    const state = values.state ?? settings.state;
    const keyPath = values['verdict-keys'] ?? settings['verdict-keys'];
    if (state === undefined) return misused('--state is needed, which the daemon is given, too');
    if (keyPath === undefined) return misused('--verdict-keys is needed');
    const report = await importFile(path, state, keyPath, values['dry-run']);
    if (values.output === 'json') console.log(plainJson(report, 2));
    else print(path, report, values['dry-run']);
    return report.problems.length > 0 ? 1 : 0;
  },
};

function misused(what: string): number {
  console.error(`portcullis import: ${what}; see "portcullis import --help"`);
  return 2;
}

interface Line {
  readonly name: string;
  readonly digest: string;
  readonly until: string;
  /** Why it can't be used. */
  readonly problem?: string;
}

interface Report {
  /** Where it is now; `null` when it was not imported. */
  readonly file: string | null;
  readonly removed: readonly string[];
  readonly verdicts: readonly Line[];
  readonly statedAt?: string;
  /** Why nothing was imported. */
  readonly problems: readonly string[];
}

/** Checks a file and puts it where the daemon looks, unless there is a problem. */
async function importFile(path: string, state: string, keyPath: string, isDry: boolean): Promise<Report> {
  const read = parseOfflineFile(await readBounded(path, MAX_OFFLINE_BYTES));
  if (!read.ok) return refused(`${read.problem}; carry it here again`);
  const keys = await loadVerdictKeys(keyPath);
  const now = Date.now();
  const checked = checkOfflineFile(read.file, keys, now);
  if (!checked.ok) return refused(...checked.problems);
  const { head } = checked;
  const folder = importFolder(state);
  const existing = await readImports(folder, keys, now);
  const remembered = openStatementFile(join(state, STATEMENT_FILE), { warn() {} }).read();
  const known = newestStatement(existing, remembered, keys, now) ?? head;
  const newest = isNewer(known, head) ? known : head;
  if (newest.policyRevision !== head.policyRevision) return refused(replacedBy(newest, head));
  const verdicts = checked.verdicts.map((verdict) => lineOf(verdict, newest, now));
  const { statedAt } = head;
  if (verdicts.length > 0 && verdicts.every(({ problem }) => problem !== undefined)) {
    return { ...refused('none of its verdicts can be used; export again'), verdicts, statedAt };
  }
  const put = isDry ? { path: null, removed: [] } : putImport(folder, read.file, head, existing, now);
  return { file: put.path, removed: put.removed, verdicts, statedAt, problems: [] };
}

function refused(...problems: readonly string[]): Report {
  return { file: null, removed: [], verdicts: [], problems };
}

function replacedBy(newest: PolicyHead, head: PolicyHead): string {
  const stated = `policy ${head.policyRevision.slice(0, 12)} of ${head.statedAt}`;
  return `POLICY_CHANGED: ${stated} was replaced on this node by that of ${newest.statedAt}; export again`;
}

function lineOf(verdict: Verdict, newest: PolicyHead, nowMs: number): Line {
  const { name, digest } = verdict;
  const problem = obstacleTo(verdict, newest, nowMs);
  const until = new Date(usableUntil(verdict)).toISOString();
  return { name, digest, until, ...(problem === undefined ? {} : { problem }) };
}

function print(path: string, { file, removed, verdicts, problems }: Report, isDry: boolean): void {
  for (const { name, digest, until, problem } of verdicts) {
    const image = `${plainText(name)}@${digest}`;
    if (problem === undefined) console.log(`until ${until}  ${image}`);
    else console.error(`portcullis import: ${image}: ${problem}`);
  }
  for (const problem of problems) console.error(`portcullis import: ${plainText(path)}: ${plainText(problem)}`);
  for (const old of removed) console.log(`removed ${plainText(old)}: nothing in it counts any more`);
  if (problems.length > 0) console.error('portcullis import: nothing was imported');
  else if (isDry) console.log(`${plainText(path)} is good; nothing was changed`);
  else console.log(`imported as ${file}; the daemon takes it within 4 s, or when it starts`);
}
