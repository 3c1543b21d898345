import { CLOCK_SKEW_MS, POLICY_HEAD_POLL_MS } from '../workflows/deadlines.ts';
import { POLICY_HEAD_PAYLOAD_TYPE, type PolicyHead, parsePolicyHead } from '../workflows/policy-head.ts';
import type { Reason } from '../workflows/reason.ts';
import type { Envelope } from '../workflows/verdict.ts';
import { type Backend, BackendProblem } from './temporal.ts';
import { believe, openEnvelope, parseEnvelope, type VerdictKeys } from './verdict-keys.ts';

/** The revision to ask for, or why it isn't known. */
export type KnownPolicy =
  | { readonly ok: true; readonly policyRevision: string; readonly statement?: Envelope }
  | { readonly ok: false; readonly reason: Reason };

/** Keeps a node's knowledge of the current policy revision fresh. */
export interface PolicyWatch {
  /** The current revision; asks at once when none is known, at most until `deadline` (Unix ms). */
  current(deadline: number): Promise<KnownPolicy>;
  /** Age in ms of the newest statement, for metrics; `undefined` before the first. */
  age(): number | undefined;
  stop(): void;
}

/** How long one question of the background poll may take, in ms. */
const POLL_TIMEOUT_MS = 3_000;

/**
 * Asks for the signed policy head every few seconds. A head that is older than one that was already seen, unsigned, or
 * past its time is not used: a server can't bring back a policy that has been replaced.
 */
export function watchPolicy(
  backend: Backend,
  keys: () => VerdictKeys,
  onChange: (head: PolicyHead) => void,
): PolicyWatch {
  let newest: PolicyHead | undefined;
  let statement: Envelope | undefined;
  let obstacle = NOT_STATED;
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
      const head = readHead(answer, keys(), Date.now());
      if ('code' in head) obstacle = head;
      else accept(head, parseEnvelope(answer));
    } catch (error) {
      if (!(error instanceof BackendProblem)) throw error;
      obstacle = { code: error.code, sentence: error.message };
    }
  }

  function accept(head: PolicyHead, carried: Envelope | undefined): void {
    if (newest !== undefined && Date.parse(head.statedAt) < Date.parse(newest.statedAt)) return;
    const changed = newest?.policyRevision !== head.policyRevision;
    newest = head;
    // Workers learn from it what others found out about keys and logs.
    statement = head.keys === undefined && head.logs === undefined ? undefined : carried;
    if (changed) onChange(head);
  }

  async function poll(): Promise<void> {
    await ask(Date.now() + POLL_TIMEOUT_MS).catch(() => undefined); // the next poll, or a pull, will tell
    if (!stopped) timer = setTimeout(() => void poll(), POLICY_HEAD_POLL_MS);
  }
  void poll();

  return {
    async current(deadline) {
      for (;;) {
        if (newest !== undefined && Date.parse(newest.expiresAt) > Date.now()) {
          const { policyRevision } = newest;
          return { ok: true, policyRevision, ...(statement === undefined ? {} : { statement }) };
        }
        if (Date.now() + RETRY_MS >= deadline) return { ok: false, reason: obstacle };
        if (asking === undefined) await at(asked + RETRY_MS);
        await Promise.race([ask(deadline), at(deadline - RETRY_MS)]);
      }
    },
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

function readHead(answer: unknown, keys: VerdictKeys, nowMs: number): PolicyHead | Reason {
  if (answer === null) return NOT_STATED;
  const envelope = parseEnvelope(answer);
  if (envelope === undefined) return unknown('is no signed statement');
  const opened = openEnvelope(envelope, POLICY_HEAD_PAYLOAD_TYPE, keys);
  if (opened === undefined)
    return unknown("is not signed by a verdict key of this node; give it the worker's current public key");
  const head = parsePolicyHead(opened.content);
  if (head === undefined) return unknown("can't be read by this version; upgrade the older of shim and worker");
  const belief = believe(opened.signatories, head.statedAt, nowMs);
  if (!belief.ok) return unknown(`is not believed: ${belief.problem}`);
  if (Date.parse(head.statedAt) > nowMs + CLOCK_SKEW_MS)
    return unknown(`is from the future (${head.statedAt}); compare the clocks of node and worker`);
  if (Date.parse(head.expiresAt) <= nowMs)
    return unknown(`ended at ${head.expiresAt}; is a portcullis worker running, are the clocks right?`);
  return head;
}

function unknown(what: string): Reason {
  return { code: 'POLICY_UNKNOWN', sentence: `the policy revision that Temporal carried ${what}` };
}
