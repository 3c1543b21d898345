import { CLOCK_SKEW_MS, POLICY_HEAD_POLL_MS } from '../workflows/deadlines.ts';
import type { Digest } from '../workflows/digest.ts';
import { foreignFleet } from '../workflows/fleet.ts';
import { POLICY_HEAD_PAYLOAD_TYPE, type PolicyHead, parsePolicyHead } from '../workflows/policy-head.ts';
import type { Reason } from '../workflows/reason.ts';
import {
  addsRevocations,
  mergeRevocations,
  NO_REVOCATIONS,
  type Revocations,
  revokedDigests,
} from '../workflows/revocations.ts';
import type { Envelope } from '../workflows/verdict.ts';
import { type Backend, BackendProblem } from './backend.ts';
import { believe, openEnvelope, parseEnvelope, type VerdictKeys } from './verdict-keys.ts';

/** The revision to ask for, or why it isn't known. */
export type KnownPolicy =
  | { readonly ok: true; readonly policyRevision: string; readonly statement?: Envelope }
  | { readonly ok: false; readonly reason: Reason };

/** Keeps a node's knowledge of the current policy revision fresh. */
export interface PolicyWatch {
  /** The current revision; asks at once when none is known, at most until `deadline` (Unix ms). */
  current(deadline: number): Promise<KnownPolicy>;
  /** The current statement, if there is one now. */
  known(): PolicyHead | undefined;
  /** The newest statement, also past its time: without a backend it is all there is. */
  newest(): PolicyHead | undefined;
  /** Every revoked digest and the name of a list that revokes it: of all statements, whichever is the newest. */
  revoked(): ReadonlyMap<Digest, string>;
  /** Learns from a statement that was brought here by other ways than Temporal; answers why it is not believed. */
  learn(carried: Envelope): Reason | undefined;
  /** Whether the last question found no backend, and what was known before is past its time. */
  isCutOff(): boolean;
  /** Age in ms of the newest statement, for metrics; `undefined` before the first. */
  age(): number | undefined;
  stop(): void;
}

/** How long one question of the background poll may take, in ms. */
const POLL_TIMEOUT_MS = 3_000;

/** What a watch accepts and reports, and what is known from before a restart. */
export interface WatchOptions {
  /** The fleet of this node: statements for another one are not accepted. */
  readonly fleet: string;
  /** The newest statement that this node has, as it was carried: checked like any other, but for its end. */
  readonly remembered?: Envelope | undefined;
  /** The revocations that this node knows from all statements before. */
  readonly revocations?: Revocations;
  /** Called with each statement that is newer than all before. */
  readonly onStatement?: (head: PolicyHead, carried: Envelope) => void;
  /** Called with all known revocations when a statement changed them. */
  readonly onRevocations?: (revocations: Revocations) => void;
}

/**
 * Asks for the signed policy head every few seconds. A head that is older than one that was already seen, unsigned, or
 * past its time is not used: a server can't bring back a policy that has been replaced. Revocations are merged from every
 * statement, so that none ends because another worker states less, or nothing.
 */
export function watchPolicy(
  backend: Backend,
  keys: () => VerdictKeys,
  onChange: (head: PolicyHead) => void,
  { fleet, remembered, onStatement, onRevocations, ...before }: WatchOptions,
): PolicyWatch {
  let revocations = before.revocations ?? NO_REVOCATIONS;
  let revoked = revokedDigests(revocations);
  let newest = remembered && believedHead(remembered, keys(), fleet);
  let statement: Envelope | undefined;
  let obstacle = NOT_STATED;
  let lastCode: Reason['code'] | undefined;
  let told: string | undefined;
  let asked = 0;
  let asking: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  if (remembered !== undefined) merge(rememberedRevocations(remembered, keys(), fleet));

  /** One question at a time, whoever asks. */
  function ask(deadline: number): Promise<void> {
    if (asking === undefined) asked = Date.now();
    asking ??= learn(deadline).finally(() => {
      asking = undefined;
    });
    return asking;
  }

  async function learn(deadline: number): Promise<void> {
    try {
      const answer = await backend.policyHead(deadline);
      const read = readAnswer(answer, keys(), fleet, Date.now());
      lastCode = undefined;
      const problem = 'code' in read ? read : use(read);
      if (problem !== undefined) obstacle = problem;
    } catch (error) {
      if (!(error instanceof BackendProblem)) throw error;
      lastCode = error.code;
      obstacle = { code: error.code, sentence: error.message };
    }
  }

  /** Adds what a statement revokes; answers why it can't. */
  function merge(stated: Revocations | undefined): Reason | undefined {
    if (stated === undefined || !addsRevocations(revocations, stated)) return undefined;
    const merged = mergeRevocations(revocations, stated);
    if (merged === undefined) return unknown('revokes more than a node keeps; compare it with the policy directory');
    revocations = merged;
    revoked = revokedDigests(merged);
    onRevocations?.(merged);
    return undefined;
  }

  /** Uses a statement that a worker makes now; answers why it can't be used to ask by. */
  function use({ head, carried }: BelievedHead): Reason | undefined {
    const problem = merge(head.revocations) ?? endOf(head, Date.now());
    if (problem === undefined) accept(head, carried);
    return problem;
  }

  function accept(head: PolicyHead, carried: Envelope): void {
    if (newest !== undefined && isNewer(newest, head)) return;
    const changed = told !== head.policyRevision;
    newest = head;
    told = head.policyRevision;
    // Workers learn from it what others found out about keys and logs.
    statement = head.keys === undefined && head.logs === undefined ? undefined : carried;
    onStatement?.(head, carried);
    if (changed) onChange(head);
  }

  const known = () => (newest !== undefined && Date.parse(newest.expiresAt) > Date.now() ? newest : undefined);

  async function poll(): Promise<void> {
    await ask(Date.now() + POLL_TIMEOUT_MS).catch(() => undefined); // the next poll, or a pull, will tell
    if (!stopped) timer = setTimeout(() => void poll(), POLICY_HEAD_POLL_MS);
  }
  void poll();

  return {
    async current(deadline) {
      for (;;) {
        const current = known();
        if (current !== undefined) {
          const { policyRevision } = current;
          return { ok: true, policyRevision, ...(statement === undefined ? {} : { statement }) };
        }
        if (Date.now() + RETRY_MS >= deadline) return { ok: false, reason: obstacle };
        if (asking === undefined) await at(asked + RETRY_MS);
        await Promise.race([ask(deadline), at(deadline - RETRY_MS)]);
      }
    },
    known,
    newest: () => newest,
    revoked: () => revoked,
    learn(carried) {
      const read = readStatement(carried, keys(), fleet, Date.now());
      if ('code' in read) return read;
      const problem = merge(read.head.revocations);
      if (problem !== undefined) return problem;
      if (newest === undefined || isNewer(read.head, newest)) accept(read.head, read.carried);
      return undefined;
    },
    isCutOff: () => known() === undefined && (lastCode === 'TEMPORAL_UNREACHABLE' || lastCode === 'WORKER_UNAVAILABLE'),
    age: () => (newest === undefined ? undefined : Date.now() - Date.parse(newest.statedAt)),
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

/** Between two questions of a pull that can't go on without an answer, in ms. */
const RETRY_MS = 250;

const NOT_STATED: Reason = {
  code: 'POLICY_UNKNOWN',
  sentence: 'no worker has stated its policy revision yet; is a portcullis worker running?',
};

/** Settles at a Unix time in ms; does not keep the process alive. */
function at(time: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, time - Date.now())).unref());
}

/** Whether a statement was made after another one. */
export function isNewer(head: PolicyHead, than: PolicyHead): boolean {
  return Date.parse(head.statedAt) > Date.parse(than.statedAt);
}

/** A statement that was believed, and its envelope with the accepted signatures alone. */
interface BelievedHead {
  readonly head: PolicyHead;
  readonly carried: Envelope;
}

function readAnswer(answer: unknown, keys: VerdictKeys, fleet: string, nowMs: number): BelievedHead | Reason {
  if (answer === null) return NOT_STATED;
  const envelope = parseEnvelope(answer);
  return envelope === undefined ? unknown('is no signed statement') : readStatement(envelope, keys, fleet, nowMs);
}

/** Why a statement can't be used to ask by; `undefined` while its time is not over. */
function endOf({ expiresAt }: PolicyHead, nowMs: number): Reason | undefined {
  if (Date.parse(expiresAt) > nowMs) return undefined;
  return unknown(`ended at ${expiresAt}; is a portcullis worker running, are the clocks right?`);
}

/** Reads a statement for this fleet that a key of this node signed in its window; its time may be over. */
export function readStatement(
  carried: Envelope,
  keys: VerdictKeys,
  fleet: string,
  nowMs: number,
): BelievedHead | Reason {
  const read = readSigned(carried, keys, nowMs);
  const foreign = 'code' in read ? undefined : foreignFleet(read.head.fleet, fleet);
  return foreign === undefined ? read : unknown(foreign);
}

/** The same for a statement of any fleet. */
function readSigned(carried: Envelope, keys: VerdictKeys, nowMs: number): BelievedHead | Reason {
  const opened = openEnvelope(carried, POLICY_HEAD_PAYLOAD_TYPE, keys);
  if (opened === undefined)
    return unknown("is not signed by a verdict key of this node; give it the worker's current public key");
  const head = parsePolicyHead(opened.content);
  if (head === undefined) return unknown("can't be read by this version; upgrade the older of shim and worker");
  const belief = believe(opened.signatories, head.statedAt, nowMs);
  if (!belief.ok) return unknown(`is not believed: ${belief.problem}`);
  if (Date.parse(head.statedAt) > nowMs + CLOCK_SKEW_MS)
    return unknown(`is from the future (${head.statedAt}); compare the clocks of node and worker`);
  return { head, carried: opened.envelope };
}

/** The head of a statement that is accepted; `undefined` for any other. */
export function believedHead(remembered: Envelope, keys: VerdictKeys, fleet: string): PolicyHead | undefined {
  const read = readStatement(remembered, keys, fleet, Date.now());
  return 'code' in read ? undefined : read.head;
}

/** What a statement of before a restart revokes, also one of a version that named no fleet: this node had accepted it. */
function rememberedRevocations(remembered: Envelope, keys: VerdictKeys, fleet: string): Revocations | undefined {
  const read = readSigned(remembered, keys, Date.now());
  if ('code' in read || (read.head.fleet !== undefined && read.head.fleet !== fleet)) return undefined;
  return read.head.revocations;
}

function unknown(what: string): Reason {
  return { code: 'POLICY_UNKNOWN', sentence: `the policy statement that was carried here ${what}` };
}
