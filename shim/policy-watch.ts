import { CLOCK_SKEW_MS, POLICY_HEAD_POLL_MS } from '../workflows/deadlines.ts';
import { POLICY_HEAD_PAYLOAD_TYPE, type PolicyHead, parsePolicyHead } from '../workflows/policy-head.ts';
import type { Reason } from '../workflows/reason.ts';
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
  /** The newest statement, also past its time: what is revoked stays revoked, and without a backend it is all there is. */
  newest(): PolicyHead | undefined;
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

/** What a watch tells, and what it remembers from before a restart. */
export interface PolicyMemory {
  /** The newest statement that this node has, as it was carried: checked like any other, but for its end. */
  readonly remembered?: Envelope | undefined;
  /** Told of each statement that is newer than all before. */
  readonly onStatement?: (head: PolicyHead, carried: Envelope) => void;
}

/**
 * Asks for the signed policy head every few seconds. A head that is older than one that was already seen, unsigned, or
 * past its time is not used: a server can't bring back a policy that has been replaced, nor take back a revocation.
 */
export function watchPolicy(
  backend: Backend,
  keys: () => VerdictKeys,
  onChange: (head: PolicyHead) => void,
  { remembered, onStatement }: PolicyMemory = {},
): PolicyWatch {
  let newest = remembered && believedHead(remembered, keys());
  let statement: Envelope | undefined;
  let obstacle = NOT_STATED;
  let lastCode: Reason['code'] | undefined;
  let told: string | undefined;
  let asked = 0;
  let asking: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

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
      const read = readHead(answer, keys(), Date.now());
      lastCode = undefined;
      if ('code' in read) obstacle = read;
      else accept(read.head, read.carried);
    } catch (error) {
      if (!(error instanceof BackendProblem)) throw error;
      lastCode = error.code;
      obstacle = { code: error.code, sentence: error.message };
    }
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
    learn(carried) {
      const read = readStatement(carried, keys(), Date.now());
      if ('code' in read) return read;
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

function readHead(answer: unknown, keys: VerdictKeys, nowMs: number): BelievedHead | Reason {
  if (answer === null) return NOT_STATED;
  const envelope = parseEnvelope(answer);
  if (envelope === undefined) return unknown('is no signed statement');
  const read = readStatement(envelope, keys, nowMs);
  if ('code' in read || Date.parse(read.head.expiresAt) > nowMs) return read;
  return unknown(`ended at ${read.head.expiresAt}; is a portcullis worker running, are the clocks right?`);
}

/** Reads a statement that a key of this node signed in its window; its time may be over. */
export function readStatement(carried: Envelope, keys: VerdictKeys, nowMs: number): BelievedHead | Reason {
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

/** The head of a statement that is believed; `undefined` for any other. */
export function believedHead(remembered: Envelope, keys: VerdictKeys): PolicyHead | undefined {
  const read = readStatement(remembered, keys, Date.now());
  return 'code' in read ? undefined : read.head;
}

function unknown(what: string): Reason {
  return { code: 'POLICY_UNKNOWN', sentence: `the policy statement that was carried here ${what}` };
}
