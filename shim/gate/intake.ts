import { setTimeout as delay } from 'node:timers/promises';
import {
  type Decision,
  decisionIdOf,
  outcomeOf,
  type PullRequest,
  type Question,
  reasonsOf,
  refuseAtOnce,
  subjectOf,
} from '../decision.ts';
import type { Log } from '../log/log.ts';
import type { Front, Metrics } from '../metrics.ts';
import type { DecisionOptions } from './decide.ts';

/** Where the questions of all fronts come in: each ends in one decision, one log line and the metrics. */
export interface Intake {
  /** Never rejects: a bug is a refusal too. */
  ask(front: Front, question: Question, options?: DecisionOptions): Promise<Decision>;
  /** Refuses every pull from now on, and settles when the running ones are decided, at the latest after `graceMs`. */
  drain(graceMs: number): Promise<void>;
}

/** `decide` is asked about well-formed pulls only. */
export function openIntake(
  decide: (request: PullRequest, options: DecisionOptions) => Promise<Decision>,
  metrics: Metrics,
  log: Log,
): Intake {
  const running = new Set<Promise<Decision>>();
  let draining = false;

  function answer(question: Question, options: DecisionOptions): Promise<Decision> | Decision {
    if (!question.ok) return refuseAtOnce({ code: 'REQUEST_INVALID', sentence: question.sentence });
    if (draining) return refuseAtOnce(STOPPING, question.request);
    return decide(question.request, options).catch((error: unknown) => bug(error, question.request));
  }

  async function record(front: Front, making: Promise<Decision> | Decision): Promise<Decision> {
    const ended = metrics.begin(front);
    const started = performance.now();
    const decision = await making;
    ended(outcomeOf(decision), reasonsOf(decision)[0].code);
    logDecision(log, front, decision, Math.round(performance.now() - started));
    return decision;
  }

  return {
    async ask(front, question, options = {}) {
      const decision = record(front, answer(question, options));
      running.add(decision);
      return await decision.finally(() => running.delete(decision));
    },
    async drain(graceMs) {
      draining = true;
      const late = new AbortController();
      const grace = delay(graceMs, undefined, { signal: late.signal }).catch(() => {});
      await Promise.race([Promise.all(running), grace]);
      late.abort();
    },
  };
}

const STOPPING = { code: 'SHIM_STOPPING', sentence: 'the portcullis shim is being restarted; pull again' } as const;

function bug(error: unknown, request: PullRequest): Decision {
  const sentence = `a bug in the portcullis shim, please report it: ${String(error)}`;
  return refuseAtOnce({ code: 'INTERNAL', sentence }, request);
}

function logDecision(log: Log, front: Front, decision: Decision, durationMs: number): void {
  const [reason, ...others] = reasonsOf(decision);
  const warnings = others.filter(({ code }) => code === 'POLICY_WARNS').map(({ sentence }) => sentence);
  const subject = subjectOf(decision);
  const isPlain = outcomeOf(decision) === 'allow' && warnings.length === 0 && reason.code !== 'POLICY_WARNS';
  log[isPlain ? 'info' : 'warn']('decision', {
    name: subject?.name,
    digest: subject?.digest,
    workflowId: decision.workflowId,
    decision: outcomeOf(decision),
    reason: `${reason.code}: ${reason.sentence}`,
    ...(warnings.length === 0 ? {} : { warnings: warnings.join('; ') }),
    decisionId: decisionIdOf(decision),
    front,
    durationMs,
  });
}
