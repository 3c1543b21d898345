import type { Digest } from '../../workflows/format/digest.ts';
import type { Revocations } from '../../workflows/revocations.ts';
import { POLICY_HEAD_POLL_MS } from '../../workflows/verdict/deadlines.ts';
import type { PolicyHead } from '../../workflows/verdict/policy-head.ts';
import type { Reason } from '../../workflows/verdict/reason.ts';
import type { Envelope } from '../../workflows/verdict/verdict.ts';
import { addStatement, revokedBy, type SignerRevocations } from '../memory/signed-revocations.ts';
import {
  type AcceptedStatement,
  currentUntil,
  endOf,
  isNewer,
  NOT_STATED,
  readAnswer,
  readStatement,
  rememberedRevocations,
  unknown,
} from '../policy-statement.ts';
import { positionIn } from '../verdict-keys/key-window.ts';
import type { VerdictKeys } from '../verdict-keys/verdict-keys.ts';
import { type Absence, absenceOf, type Backend, BackendProblem } from './backend.ts';

/** The revision to ask for, or why it isn't known. */
export type KnownPolicy =
  | { readonly ok: true; readonly policyRevision: string; readonly statement?: Envelope }
  | { readonly ok: false; readonly reason: Reason; readonly absence?: Absence };

/** Keeps a node's knowledge of the current policy revision fresh. */
export interface PolicyWatch {
  /** The current revision; asks at once when none is known, at most until `deadline` (Unix ms). */
  current(deadline: number): Promise<KnownPolicy>;
  /** The current statement, if there is one now. */
  known(): PolicyHead | undefined;
  /** The newest statement, also past its time, while its key counts: without a backend it is all there is. */
  newest(): PolicyHead | undefined;
  /** Every revoked digest and the name of a list that revokes it: of all statements, whichever is the newest. */
  revoked(): ReadonlyMap<Digest, string>;
  /**
   * Takes over a statement that was brought here by other ways than Temporal; answers why it is not accepted. `isNew`
   * when a person has brought it since the start.
   */
  learn(carried: Envelope, isNew?: boolean): Reason | undefined;
  /**
   * For how long the backend has been gone, in ms: without end when Temporal can't be reached, else since the first
   * question that no worker answered. `undefined` while the last statement is in its time, or the backend does answer.
   */
  cutOffMs(): number | undefined;
  /** For how long no worker has answered a Temporal that is there, in ms; 0 when that is not so. */
  silentMs(): number;
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
  /** The revocations that this node knows from all statements before, by the keys that signed them. */
  readonly revocations?: readonly SignerRevocations[];
  /** Called with each statement that is newer than all before. */
  readonly onStatement?: (head: PolicyHead, carried: Envelope) => void;
  /** Called with all known revocations when a statement changed them. */
  readonly onRevocations?: (revocations: readonly SignerRevocations[]) => void;
  /** Called after each statement that a worker makes now, or that a person has brought since the start. */
  readonly onArrival?: () => void;
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
  { fleet, remembered, onStatement, onRevocations, onArrival, ...before }: WatchOptions,
): PolicyWatch {
  let revocations = before.revocations ?? [];
  let revoked: { readonly by: string; readonly digests: ReadonlyMap<Digest, string> } | undefined;
  let newest = remembered && acceptedOf(remembered);
  let signer = newest?.keyId;
  let statement: Envelope | undefined;
  let obstacle = NOT_STATED;
  let absence: Absence | undefined;
  let silentSince: number | undefined;
  let told: string | undefined;
  let asked = 0;
  let asking: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let judgedBy = keys();
  const earlier = remembered && rememberedRevocations(remembered, keys(), fleet);
  if (earlier !== undefined) merge(earlier.keyId, earlier.revocations);

  function acceptedOf(carried: Envelope): AcceptedStatement | undefined {
    const read = readStatement(carried, keys(), fleet, Date.now());
    return 'code' in read ? undefined : read;
  }

  /** Whether a key counts now. */
  function isTrusted(keyId: string): boolean {
    const key = keys().get(keyId);
    return key !== undefined && positionIn(key.window, Date.now()) === 'inside';
  }

  /** The newest statement while the key counts that signed it: keys may be taken away, and their windows end. */
  function counted(): AcceptedStatement | undefined {
    if (newest !== undefined && judgedBy !== keys()) {
      judgedBy = keys();
      signer = acceptedOf(newest.carried)?.keyId;
    }
    return newest !== undefined && signer !== undefined && isTrusted(signer) ? newest : undefined;
  }

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
      absence = undefined;
      silentSince = undefined;
      const problem = 'code' in read ? read : use(read);
      if (problem !== undefined) obstacle = problem;
    } catch (error) {
      if (!(error instanceof BackendProblem)) throw error;
      absence = absenceOf(error);
      if (absence === 'silent') silentSince ??= performance.now();
      else if (absence === undefined) silentSince = undefined;
      obstacle = { code: error.code, sentence: error.message };
    }
  }

  /** Adds what a statement revokes; answers why it can't. */
  function merge(keyId: string, stated: Revocations | undefined): Reason | undefined {
    const next = addStatement(revocations, keyId, stated, isTrusted);
    if (next === undefined) return unknown('revokes more than a node keeps; compare it with the policy directory');
    if (next === revocations) return undefined;
    revocations = next;
    revoked = undefined;
    onRevocations?.(next);
    return undefined;
  }

  /** Uses a statement that a worker makes now; answers why it can't be used to ask by. */
  function use(statement: AcceptedStatement): Reason | undefined {
    const problem = merge(statement.keyId, statement.head.revocations) ?? endOf(statement.head, Date.now());
    if (problem !== undefined) return problem;
    accept(statement);
    onArrival?.();
    return undefined;
  }

  function accept(next: AcceptedStatement): void {
    const { head, carried, keyId } = next;
    if (newest !== undefined && isNewer(newest.head, head)) return;
    const changed = told !== head.policyRevision;
    newest = next;
    signer = keyId;
    judgedBy = keys();
    told = head.policyRevision;
    // Workers learn from it what others found out about keys and logs.
    statement = head.keys === undefined && head.logs === undefined ? undefined : carried;
    onStatement?.(head, carried);
    if (changed) onChange(head);
  }

  function known(): PolicyHead | undefined {
    const head = counted()?.head;
    return head !== undefined && currentUntil(head) > Date.now() ? head : undefined;
  }

  const silentMs = () => (silentSince === undefined ? 0 : performance.now() - silentSince);

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
        if (Date.now() + RETRY_MS >= deadline) {
          return { ok: false, reason: obstacle, ...(absence === undefined ? {} : { absence }) };
        }
        if (asking === undefined) await at(asked + RETRY_MS);
        await Promise.race([ask(deadline), at(deadline - RETRY_MS)]);
      }
    },
    known,
    newest: () => counted()?.head,
    revoked() {
      const by = revocations.map(({ keyId }) => isTrusted(keyId)).join();
      if (revoked?.by !== by) revoked = { by, digests: revokedBy(revocations, isTrusted) };
      return revoked.digests;
    },
    learn(carried, isNew = false) {
      const read = readStatement(carried, keys(), fleet, Date.now());
      if ('code' in read) return read;
      const problem = merge(read.keyId, read.head.revocations);
      if (problem !== undefined) return problem;
      if (newest === undefined || isNewer(read.head, newest.head)) accept(read);
      if (isNew) onArrival?.();
      return undefined;
    },
    cutOffMs() {
      if (absence === undefined || known() !== undefined) return undefined;
      return absence === 'unreachable' ? Number.POSITIVE_INFINITY : silentMs();
    },
    silentMs,
    age() {
      const head = counted()?.head;
      return head === undefined ? undefined : Date.now() - Date.parse(head.statedAt);
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

/** Between two questions of a pull that can't go on without an answer, in ms. */
const RETRY_MS = 250;

/** Settles at a Unix time in ms; does not keep the process alive. */
function at(time: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, time - Date.now())).unref());
}
