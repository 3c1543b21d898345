import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { distrustOf } from '../host/ownership.ts';
import type { Finding } from './finding.ts';

/** The one file that belongs into `bin_dir`. */
export const LAUNCHER = 'portcullis-verifier';

/** Finds what is wrong with the folder of verifiers: containerd runs every entry of it, whatever it is. */
export async function launcherFindings(binDir: string): Promise<readonly Finding[]> {
  if (binDir === '') return []; // said of the configuration already
  const fix = 'portcullis doctor --fix (puts the launcher there again)';
  const folder = await stat(binDir).catch(() => undefined);
  if (folder === undefined || !folder.isDirectory()) {
    const found = folder === undefined ? `bin_dir ${binDir} is not there` : `bin_dir ${binDir} is no folder`;
    const severity = folder === undefined ? 'open' : 'stuck';
    const why = folder === undefined ? 'without a folder of verifiers every pull is allowed' : 'every pull is refused';
    return [{ id: 'bin-dir-missing', severity, found, why, fix }];
  }
  const names = await readdir(binDir);
  if (names.length === 0) {
    const why = 'a folder without verifiers allows every pull';
    return [{ id: 'bin-dir-empty', severity: 'open', found: `bin_dir ${binDir} is empty`, why, fix }];
  }
  const findings: Finding[] = [];
  for (const path of [binDir, ...names.map((name) => join(binDir, name))]) {
    const problem = distrustWhereItLeads(path);
    if (problem === undefined || findings.some(({ fix: told }) => told === problem)) continue;
    findings.push({
      id: 'bin-dir-untrusted',
      severity: 'open',
      found: `others may change ${path}`,
      why: 'a user who may write there decides what is pulled, and runs programs as containerd does',
      fix: problem,
    });
  }
  findings.push(...(await aboutLauncher(binDir, names, fix)), ...(await strays(binDir, names)));
  return findings;
}

/** A link that leads nowhere is told as an entry that cannot run. */
function distrustWhereItLeads(path: string): string | undefined {
  try {
    return distrustOf(path);
  } catch {
    return undefined;
  }
}

async function aboutLauncher(binDir: string, names: readonly string[], fix: string): Promise<readonly Finding[]> {
  const path = join(binDir, LAUNCHER);
  if (!names.includes(LAUNCHER)) {
    const why = 'containerd asks others and not portcullis';
    return [{ id: 'launcher-missing', severity: 'open', found: `no ${LAUNCHER} in ${binDir}`, why, fix }];
  }
  const at = await stat(path).catch(() => undefined);
  if (at?.isFile() === true && (at.mode & 0o111) !== 0) return [];
  const found = at === undefined ? `${path} leads nowhere` : `${path} can't be executed`;
  return [{ id: 'launcher-not-executable', severity: 'stuck', found, why: 'every pull is refused', fix }];
}

/** Another verifier may be there on purpose; what can't run refuses every pull. */
async function strays(binDir: string, names: readonly string[]): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const name of names.filter((one) => one !== LAUNCHER).toSorted()) {
    const at = await stat(join(binDir, name)).catch(() => undefined);
    const runs = at?.isFile() === true && (at.mode & 0o111) !== 0;
    findings.push({
      id: 'stray-entry',
      severity: runs ? 'weak' : 'stuck',
      found: `${join(binDir, name)} is in the folder of the launcher`,
      why: runs
        ? 'containerd runs it for every pull as well, before or after portcullis, in its own time'
        : 'containerd runs every entry, and refuses every pull when one of them can not run',
      fix: `mv ${join(binDir, name)} elsewhere, unless it is a verifier that you want`,
    });
  }
  return findings;
}
