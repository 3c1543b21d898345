import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { addsRevocations, NO_REVOCATIONS } from '../../workflows/revocations.ts';
import type { PolicyHead } from '../../workflows/verdict/policy-head.ts';
import type { Envelope, Verdict } from '../../workflows/verdict/verdict.ts';
import { usableUntil } from '../../workflows/verdict/verdict-times.ts';
import { replaceFile } from '../host/atomic-file.ts';
import { requireOwnFolder } from '../host/ownership.ts';
import { isNewer, readStatement } from '../policy-statement.ts';
import { isComparable, type Revoked, revokedVerdict } from '../revoked.ts';
import { readUnchecked } from '../verdict-keys/verdict-check.ts';
import type { VerdictKeys } from '../verdict-keys/verdict-keys.ts';
import { fits, importName, listImports, MOST, readImport } from './import-folder.ts';
import { type OfflineFile, parseOfflineFile, renderOfflineFile } from './offline-file.ts';

/** An import that is there already; without `file` it can't be read. */
export interface Existing {
  readonly path: string;
  readonly bytes: number;
  readonly file: OfflineFile | undefined;
  /** The statement in it, if this node believes it. */
  readonly head: PolicyHead | undefined;
}

export async function readImports(
  folder: string,
  keys: VerdictKeys,
  fleet: string,
  nowMs: number,
): Promise<readonly Existing[]> {
  const existing: Existing[] = [];
  for (const found of (await listImports(folder)).files) {
    const read = await readImport(found);
    const file = typeof read === 'string' ? undefined : read;
    existing.push({
      path: found.path,
      bytes: found.bytes,
      file,
      head: file && headOf(file.policy, keys, fleet, nowMs),
    });
  }
  return existing;
}

/** The newest policy statement that a node has: of an import, or the one that its daemon remembers. */
export function newestStatement(
  existing: readonly Existing[],
  remembered: Envelope | undefined,
  keys: VerdictKeys,
  fleet: string,
  nowMs: number,
): PolicyHead | undefined {
  let newest = remembered && headOf(remembered, keys, fleet, nowMs);
  for (const { head } of existing) {
    if (head !== undefined && (newest === undefined || isNewer(head, newest))) newest = head;
  }
  return newest;
}

/** What keeps a node from using a verdict that is genuine; `undefined` for nothing. */
export function obstacleTo(verdict: Verdict, revoked: Revoked, nowMs: number): string | undefined {
  const reason = revokedVerdict(revoked, verdict);
  if (reason !== undefined) return `${reason.code}: ${reason.sentence}`;
  if (!isComparable(revoked, verdict)) {
    return 'VERDICT_MISMATCH: it does not say what the image contains, and digests are revoked; export it again';
  }
  const until = usableUntil(verdict);
  if (until > nowMs) return undefined;
  return `VERDICT_EXPIRED: it ended at ${new Date(until).toISOString()}; export it again`;
}

/**
 * Puts a checked file into the folder in one step, and removes those that have no verdict any more that counts, no newer
 * statement and no other revocation. Answers the path and what was removed. Throws when the folder can't take it; then nothing has changed.
 */
export function putImport(
  folder: string,
  file: OfflineFile,
  head: PolicyHead,
  existing: readonly Existing[],
  nowMs: number,
): { readonly path: string; readonly removed: readonly string[] } {
  const content = renderOfflineFile(file);
  const path = join(folder, importName(content));
  const written = parseOfflineFile(Buffer.from(content));
  if (!written.ok) throw new Error(written.problem);
  const others = existing.filter((one) => one.path !== path);
  const ended = others.filter((one) => hasEnded(one, head, nowMs));
  const staying = others.filter((one) => !ended.includes(one));
  if (!fits(staying, Buffer.byteLength(content))) {
    throw new Error(`expected room in ${folder}, which takes ${MOST}, found none; remove old ones`);
  }
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  requireOwnFolder(folder);
  replaceFile(path, content);
  for (const old of ended) rmSync(old.path, { force: true });
  return { path, removed: ended.map((one) => one.path) };
}

function hasEnded({ file, head }: Existing, than: PolicyHead, nowMs: number): boolean {
  if (file === undefined || (head !== undefined && isNewer(head, than))) return false;
  if (addsRevocations(than.revocations ?? NO_REVOCATIONS, head?.revocations ?? NO_REVOCATIONS)) return false;
  return file.verdicts.every((envelope) => {
    const verdict = readUnchecked(envelope);
    return verdict === undefined || usableUntil(verdict) <= nowMs;
  });
}

function headOf(statement: Envelope, keys: VerdictKeys, fleet: string, nowMs: number): PolicyHead | undefined {
  const read = readStatement(statement, keys, fleet, nowMs);
  return 'code' in read ? undefined : read.head;
}
