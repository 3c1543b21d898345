import { join } from 'node:path';
import type { PolicyHead } from '../../workflows/verdict/policy-head.ts';
import type { Verdict } from '../../workflows/verdict/verdict.ts';
import { usableUntil } from '../../workflows/verdict/verdict-times.ts';
import { readBounded } from '../host/bounded-file.ts';
import { NODE_STATE_FILE, openNodeState } from '../memory/node-state.ts';
import { addStatement, revokedBy, type SignerRevocations } from '../memory/signed-revocations.ts';
import { isNewer } from '../policy-statement.ts';
import type { Revoked } from '../revoked.ts';
import { loadVerdictKeys } from '../verdict-keys/key-files.ts';
import { checkOfflineFile } from './check-file.ts';
import { importFolder } from './import-folder.ts';
import { MAX_OFFLINE_BYTES, parseOfflineFile } from './offline-file.ts';
import { newestStatement, obstacleTo, putImport, readImports } from './put-import.ts';

/** One verdict of an import. */
interface ImportedImage {
  readonly name: string;
  readonly digest: string;
  /** RFC 3339, UTC. */
  readonly until: string;
  /** Why it can't be used. */
  readonly problem?: string;
}

/** What became of an import. */
export interface ImportReport {
  /** Where it is now; `null` when it was not imported. */
  readonly file: string | null;
  readonly removed: readonly string[];
  readonly verdicts: readonly ImportedImage[];
  readonly statedAt?: string;
  /** Why nothing was imported. */
  readonly problems: readonly string[];
}

/** The node that takes an import. */
export interface ImportingNode {
  /** Its state folder. */
  readonly state: string;
  /** Where its verdict keys are. */
  readonly verdictKeys: string;
  readonly fleet: string;
}

/**
 * Checks a file by the node's keys and fleet and against what the node knows, and puts it where the daemon looks, unless there is a problem or
 * `isDry`. Throws when something can't be read or written.
 */
export async function importFile(path: string, node: ImportingNode, isDry: boolean): Promise<ImportReport> {
  const { state, fleet } = node;
  const read = parseOfflineFile(await readBounded(path, MAX_OFFLINE_BYTES));
  if (!read.ok) return refused(`${read.problem}; carry it here again`);
  const keys = await loadVerdictKeys(node.verdictKeys);
  const now = Date.now();
  const checked = checkOfflineFile(read.file, keys, fleet, now);
  if (!checked.ok) return refused(...checked.problems);
  const { head } = checked;
  const folder = importFolder(state);
  const existing = await readImports(folder, keys, fleet, now);
  const kept = openNodeState(join(state, NODE_STATE_FILE)).read();
  const before = kept.kind === 'state' ? kept.state : undefined;
  const known = newestStatement(existing, before?.statement, keys, fleet, now) ?? head;
  const newest = isNewer(known, head) ? known : head;
  if (newest.policyRevision !== head.policyRevision) return refused(replacedBy(newest, head));
  if (checked.verdicts.length === 0 && newest !== head) {
    return refused(`the policy statement of ${head.statedAt} alone: this node knows that of ${newest.statedAt}`);
  }
  const heads = [head, known, ...existing.flatMap((one) => one.head ?? [])];
  const revocations = allRevocations(before?.revocations ?? [], checked.keyId, heads);
  if (revocations === undefined) return refused('its policy statement revokes more than a node keeps; export again');
  const revoked = revokedBy(revocations, (keyId) => keys.has(keyId));
  const verdicts = checked.verdicts.map((verdict) => lineOf(verdict, revoked, now));
  const { statedAt } = head;
  if (verdicts.length > 0 && verdicts.every(({ problem }) => problem !== undefined)) {
    return { ...refused('none of its verdicts can be used; export again'), verdicts, statedAt };
  }
  const put = isDry ? { path: null, removed: [] } : putImport(folder, checked.file, head, existing, now);
  return { file: put.path, removed: put.removed, verdicts, statedAt, problems: [] };
}

function refused(...problems: readonly string[]): ImportReport {
  return { file: null, removed: [], verdicts: [], problems };
}

/** What a node knows to be revoked with some statements more; `undefined` when it is more than a node keeps. */
function allRevocations(
  before: readonly SignerRevocations[],
  keyId: string,
  heads: readonly PolicyHead[],
): readonly SignerRevocations[] | undefined {
  return heads.reduce<readonly SignerRevocations[] | undefined>(
    (known, { revocations }) => known && addStatement(known, keyId, revocations, () => true),
    before,
  );
}

function replacedBy(newest: PolicyHead, head: PolicyHead): string {
  const stated = `policy ${head.policyRevision.slice(0, 12)} of ${head.statedAt}`;
  return `POLICY_CHANGED: ${stated} was replaced on this node by that of ${newest.statedAt}; export again`;
}

function lineOf(verdict: Verdict, revoked: Revoked, nowMs: number): ImportedImage {
  const { name, digest } = verdict;
  const problem = obstacleTo(verdict, revoked, nowMs);
  const until = new Date(usableUntil(verdict)).toISOString();
  return { name, digest, until, ...(problem === undefined ? {} : { problem }) };
}
