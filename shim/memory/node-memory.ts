import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { PolicyHead } from '../../workflows/verdict/policy-head.ts';
import type { Reason } from '../../workflows/verdict/reason.ts';
import type { Envelope, Verdict } from '../../workflows/verdict/verdict.ts';
import { usableUntil } from '../../workflows/verdict/verdict-times.ts';
import { requireOwnFolder } from '../host/ownership.ts';
import type { Log } from '../log/log.ts';
import { statedAtOf } from '../policy-statement.ts';
import { type ClockGuard, openClockGuard } from './clock-guard.ts';
import { NODE_STATE_FILE, type NodeState, type NodeStateFile, openNodeState } from './node-state.ts';
import type { SignerRevocations } from './signed-revocations.ts';
import { openVerdictCache } from './verdict-cache/open.ts';
import type { VerdictCache } from './verdict-cache/verdict-cache.ts';

/** What a node remembers over a restart. What can allow an image is never used without its signature. */
export interface NodeMemory {
  readonly clock: ClockGuard;
  /** Absent when there is no folder for it, or it can't be used: then every pull asks the backend. */
  readonly cache: VerdictCache | undefined;
  /** The policy statement and the revocations from before the start. */
  readonly before: NodeState;
  /** STATE_UNREADABLE while it is not known what was revoked: there is a state that can't be read, or no room for one. */
  lost(): Reason | undefined;
  /** A statement has come since the start: what it says is known now. */
  found(): void;
  keepVerdict(verdict: Verdict, envelope: Envelope): void;
  keepStatement(head: PolicyHead, statement: Envelope): void;
  keepRevocations(revocations: readonly SignerRevocations[]): void;
  /** What could not be written the last time, and whether something is {@link lost}. */
  health(): StateHealth;
  close(): Promise<void>;
}

export interface StateHealth {
  readonly unkept: number;
  readonly unreadable: boolean;
}

/** How often an unchanged statement is written at most, in ms: one comes every few seconds. */
const WRITE_EVERY_MS = 30_000;

const NOTHING: NodeState = { revocations: [], statement: undefined };

/** Opens what is in the state folder, or remembers until the end of the process where there is none. */
export function openNodeMemory(state: string | undefined, log: Log): NodeMemory {
  if (state !== undefined) {
    mkdirSync(state, { recursive: true, mode: 0o700 });
    requireOwnFolder(state);
  }
  const path = (name: string) => (state === undefined ? undefined : join(state, name));
  const statePath = path(NODE_STATE_FILE);
  const file = statePath === undefined ? undefined : openNodeState(statePath);
  const opened = file === undefined ? { state: NOTHING } : readBefore(file);
  const clock = openClockGuard(path('clock'), statedAtOf(opened.state.statement));
  const cache = openCache(path('verdicts'), log);
  const problems = [opened.problem, clock.unreadable].filter((one) => one !== undefined);
  for (const problem of problems) log.warn('the state of this node is not known', { problem });
  let isLost = problems.length > 0;
  let current = opened.state;
  let said: string | undefined;
  let writtenAt = Number.NEGATIVE_INFINITY;
  let unkept = opened.unkept;

  function write(next: NodeState, says: string): void {
    current = next;
    const problem = file?.write(next);
    if (problem === undefined) [said, writtenAt] = [says, performance.now()];
    else if (unkept === undefined) log.warn('the state of this node could not be kept', { problem });
    unkept = problem;
  }

  return {
    clock,
    cache,
    before: opened.state,
    lost: () => (isLost ? lostBy(problems) : undefined),
    found() {
      if (isLost) log.info('a policy statement has come: the state of this node is known again');
      isLost = false;
    },
    keepVerdict(verdict, envelope) {
      const { name, digest, policyRevision, outcome, decidedAt } = verdict;
      clock.witness(Date.parse(decidedAt));
      if (outcome !== 'allow') return;
      cache?.keep({ name, digest, policyRevision }, envelope, usableUntil(verdict));
    },
    keepStatement(head, statement) {
      clock.witness(Date.parse(head.statedAt));
      const isKept = head.policyRevision === said && performance.now() - writtenAt < WRITE_EVERY_MS;
      if (!isKept) write({ ...current, statement }, head.policyRevision);
    },
    keepRevocations: (revocations) => write({ ...current, revocations }, said ?? ''),
    health: () => ({
      unkept: [unkept, clock.unkept()].filter((problem) => problem !== undefined).length,
      unreadable: isLost,
    }),
    close: async () => await cache?.close(),
  };
}

interface Before {
  readonly state: NodeState;
  /** Why it is not known what there was. */
  readonly problem?: string;
  readonly unkept?: string | undefined;
}

function readBefore(file: NodeStateFile): Before {
  const read = file.read();
  switch (read.kind) {
    case 'state':
      return { state: read.state };
    case 'unreadable':
      return { state: NOTHING, problem: read.problem };
    case 'none': {
      // Without room for it a node would forget by its next start what it is going to hear.
      const unkept = file.reserve();
      return { state: NOTHING, ...(unkept === undefined ? {} : { problem: unkept, unkept }) };
    }
  }
}

function lostBy(problems: readonly string[]): Reason {
  const sentence = `this node does not know what was revoked before its start (${problems.join('; ')}), and allows nothing until a policy statement comes; start a worker, or import one ("portcullis import")`;
  return { code: 'STATE_UNREADABLE', sentence };
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
