import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { PolicyHead } from '../workflows/policy-head.ts';
import type { Envelope, Verdict } from '../workflows/verdict.ts';
import { usableUntil } from '../workflows/verdict-times.ts';
import { type ClockGuard, openClockGuard } from './clock-guard.ts';
import type { Log } from './log.ts';
import { requireOwnFolder } from './ownership.ts';
import { openStatementFile, STATEMENT_FILE } from './statement-file.ts';
import { openVerdictCache } from './verdict-cache/open.ts';
import type { VerdictCache } from './verdict-cache/verdict-cache.ts';

/** What a node remembers over a restart. All of it may be deleted, and none of it is believed without its signature. */
export interface NodeMemory {
  readonly clock: ClockGuard;
  /** Absent when there is no folder for it, or it can't be used: then every pull asks the backend. */
  readonly cache: VerdictCache | undefined;
  /** The policy statement from before the start. */
  readonly remembered: Envelope | undefined;
  keepVerdict(verdict: Verdict, envelope: Envelope): void;
  keepStatement(head: PolicyHead, statement: Envelope): void;
  close(): Promise<void>;
}

/**
 * Opens what is in the state folder, or remembers until the end of the process where there is none. Throws for a folder that
 * another user may change: what is remembered there could be taken away, or be written elsewhere.
 */
export function openNodeMemory(state: string | undefined, log: Log): NodeMemory {
  if (state !== undefined) {
    mkdirSync(state, { recursive: true, mode: 0o700 });
    requireOwnFolder(state);
  }
  const file = (name: string) => (state === undefined ? undefined : join(state, name));
  const clock = openClockGuard(file('clock'));
  const statementPath = file(STATEMENT_FILE);
  const statement = statementPath === undefined ? undefined : openStatementFile(statementPath, log);
  const cache = openCache(file('verdicts'), log);
  return {
    clock,
    cache,
    remembered: statement?.read(),
    keepVerdict(verdict, envelope) {
      const { name, digest, policyRevision, outcome, decidedAt } = verdict;
      clock.witness(Date.parse(decidedAt));
      if (outcome !== 'allow') return;
      cache?.keep({ name, digest, policyRevision }, envelope, usableUntil(verdict));
    },
    keepStatement(head, carried) {
      clock.witness(Date.parse(head.statedAt));
      statement?.write(carried, `${head.policyRevision} ${JSON.stringify(head.revocations)}`);
    },
    close: async () => await cache?.close(),
  };
}

/** A folder that can't be trusted must not keep the gate from being held at all. */
function openCache(directory: string | undefined, log: Log): VerdictCache | undefined {
  if (directory === undefined) return undefined;
  try {
    return openVerdictCache(directory, undefined, (problem) => log.warn('verdict cache', { problem }));
  } catch (error) {
    log.warn('no verdict cache', { error: String(error) });
    return undefined;
  }
}
