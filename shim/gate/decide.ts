import { SHIM_DEADLINE_MS } from '../../workflows/verdict/deadlines.ts';
import type { Reason } from '../../workflows/verdict/reason.ts';
import { workerSilenceMs } from '../../workflows/verdict/verdict-times.ts';
import { askBackend, type BackendAccess, type BackendQuestion } from '../backend/ask.ts';
import { type Decision, type PullRequest, refuseAtOnce, type Watcher } from '../decision.ts';
import type { LocalRule } from '../local-rule.ts';
import { afterRevocations, revokedDigest } from '../revoked.ts';
import type { Admission } from './admission.ts';
import type { KeptVerdicts } from './kept-verdicts.ts';
import type { SingleFlight } from './single-flight.ts';

/** What a decision stands on. */
export interface Gate extends BackendAccess {
  /** What the node decides by itself, the first that has something to say. */
  readonly rules: readonly LocalRule[];
  readonly kept: KeptVerdicts;
  readonly admission: Admission;
  readonly flights: SingleFlight<Decision>;
  /** Why it is not known what was revoked before the start. */
  readonly lost: () => Reason | undefined;
  /** Why the node's clock can't be right. */
  readonly clock: (nowMs: number) => Reason | undefined;
}

export interface DecisionOptions {
  /** Unix ms at which the caller is gone; the gate's own deadline may be earlier. */
  readonly deadline?: number;
  readonly watch?: Watcher;
}

/**
 * Decides about one pull, by the first that can: a rule of the node, a kept verdict, the backend, and without a backend a
 * kept verdict that the policy permits for that. Never throws, and always answers before the deadline.
 */
export async function decide(gate: Gate, request: PullRequest, options: DecisionOptions = {}): Promise<Decision> {
  const deadline = Math.min(Date.now() + SHIM_DEADLINE_MS, options.deadline ?? Number.POSITIVE_INFINITY);
  if (gate.lost() !== undefined) await gate.policy.current(Math.min(deadline, Date.now() + LOST_PATIENCE_MS));
  const early = decideLocally(gate, request);
  if (early !== undefined) return early;
  const answer = await askOnce(gate, request, { ...options, deadline });
  const goneMs = goneFor(gate, answer);
  const decision =
    goneMs === undefined ? answer : (gate.kept.offline(request, goneMs) ?? advise(gate, answer, request));
  // A revocation may have arrived while it was verified, or while nothing answered.
  return afterRevocations(gate.policy.revoked(), decision, request);
}

/** How long a pull waits for the statement without which a node that lost its state allows nothing, in ms. */
const LOST_PATIENCE_MS = 3_000;

/** What can be said without asking anybody, and therefore at once. */
function decideLocally(gate: Gate, request: PullRequest): Decision | undefined {
  const revoked = revokedDigest(gate.policy.revoked(), request);
  if (revoked !== undefined) return { by: 'rule', reason: revoked, request };
  const lost = gate.lost();
  if (lost !== undefined) return refuseAtOnce(lost, request);
  for (const rule of gate.rules) {
    const reason = rule(request);
    if (reason !== undefined) return { by: 'rule', reason, request };
  }
  const wrongClock = gate.clock(Date.now());
  if (wrongClock !== undefined) return refuseAtOnce(wrongClock, request);
  const goneMs = gate.policy.cutOffMs();
  const kept = gate.kept.fresh(request) ?? (goneMs === undefined ? undefined : gate.kept.offline(request, goneMs));
  return kept && afterRevocations(gate.policy.revoked(), kept, request);
}

/** Who asks the same at the same time gets the same answer; who watches the steps asks for himself. */
function askOnce(gate: Gate, request: PullRequest, question: BackendQuestion): Promise<Decision> {
  if (question.watch !== undefined) return askInTurn(gate, request, question);
  const sentence = 'the verification goes on without this pull; pull again';
  // Whoever asks under another policy asks something else.
  const policy = gate.policy.known()?.policyRevision ?? 'unknown';
  return gate.flights.join(`${request.name}@${request.digest} ${policy}`, {
    deadline: question.deadline,
    make: () => askInTurn(gate, request, question),
    late: () => refuseAtOnce({ code: 'STILL_VERIFYING', sentence }, request),
  });
}

async function askInTurn(gate: Gate, request: PullRequest, options: BackendQuestion): Promise<Decision> {
  const turn = await gate.admission.enter(request, options.deadline);
  if ('code' in turn) return refuseAtOnce(turn, request);
  try {
    return await askBackend(gate, request, options);
  } finally {
    turn.leave();
  }
}

/** For how long the backend has been gone, in ms, when a question ended in that; `undefined` for every other answer. */
function goneFor({ policy }: Gate, answer: Decision): number | undefined {
  if (answer.by !== 'node' || answer.absence === undefined) return undefined;
  return answer.absence === 'unreachable' ? Number.POSITIVE_INFINITY : policy.silentMs();
}

/** What to do about a backend that is gone, which on a node without a network is the usual answer. */
function advise(gate: Gate, decision: Decision, request: PullRequest): Decision {
  if (decision.by !== 'node') return decision;
  const [first, ...others] = decision.reasons;
  const advice = decision.absence === 'unreachable' ? CARRY : waitFor(gate, request);
  if (advice === undefined) return decision;
  return { ...decision, reasons: [{ ...first, sentence: `${first.sentence}; ${advice}` }, ...others] };
}

const CARRY = 'pull again when it is there, or bring a verdict ("portcullis import")';

/** When a kept verdict will count, if workers stay as silent as they are. */
function waitFor({ kept, policy }: Gate, request: PullRequest): string | undefined {
  const decision = kept.offline(request, Number.POSITIVE_INFINITY);
  if (decision?.by !== 'verdict') return undefined;
  const seconds = Math.ceil((workerSilenceMs(decision.verdict) - policy.silentMs()) / 1_000);
  return `retry the pull: an earlier verdict counts when workers have been silent for ${seconds} s more (OfflineUse)`;
}
