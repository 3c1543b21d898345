import type { Check } from '../workflows/checklist.ts';
import { SHIM_DEADLINE_MS, SHIM_WAIT_MS } from '../workflows/deadlines.ts';
import type { Reason } from '../workflows/reason.ts';
import { decisionId, type Epoch, verificationId } from '../workflows/verification-id.ts';
import type { Decision, PullRequest, Watcher } from './decision.ts';
import type { PolicyWatch } from './policy-watch.ts';
import { type Backend, BackendProblem } from './temporal.ts';
import { checkVerdict } from './verdict-check.ts';
import type { VerdictKeys } from './verdict-keys.ts';

/** What a decision stands on. */
export interface Gate {
  readonly backend: Backend;
  readonly policy: PolicyWatch;
  readonly keys: () => VerdictKeys;
  /** The name of this node, for people. */
  readonly node: string;
}

export interface DecisionOptions {
  /** Unix ms at which the caller is gone; the gate's own deadline may be earlier. */
  readonly deadline?: number;
  readonly watch?: Watcher;
}

/** What is kept of the time to ask what a late verification waits for. */
const LAST_QUESTION_MS = SHIM_DEADLINE_MS - SHIM_WAIT_MS;

/** How often a watcher is told, in ms. */
const WATCH_INTERVAL_MS = 200;

/**
 * Decides about one pull: starts or joins its verification, waits for the verdict, and checks it. Never throws for
 * anything that the backend does, and always answers before the deadline.
 */
export async function decide(gate: Gate, request: PullRequest, options: DecisionOptions = {}): Promise<Decision> {
  const deadline = Math.min(Date.now() + SHIM_DEADLINE_MS, options.deadline ?? Number.POSITIVE_INFINITY);
  const wait = deadline - Math.min(LAST_QUESTION_MS, (deadline - Date.now()) / 4);
  const known = await gate.policy.current(wait);
  if (!known.ok) {
    const workflowId = verificationId({ ...request, policyRevision: 'unknown' }, 'quarter-hour', Date.now());
    return refuse(request, undefined, workflowId, known.reason);
  }
  const first = await ask(gate, request, known.policyRevision, 'quarter-hour', {
    wait,
    deadline,
    watch: options.watch,
  });
  if (first.kind === 'decided') return first.decision;
  const second = await ask(gate, request, known.policyRevision, 'ten-seconds', {
    wait,
    deadline,
    watch: options.watch,
  });
  return second.decision;
}

interface Times {
  readonly wait: number;
  readonly deadline: number;
  readonly watch: Watcher | undefined;
}

type Answer = { readonly kind: 'decided' | 'stale'; readonly decision: Decision };

async function ask(
  gate: Gate,
  request: PullRequest,
  policyRevision: string,
  epoch: Epoch,
  times: Times,
): Promise<Answer> {
  const workflowId = verificationId({ ...request, policyRevision }, epoch, Date.now());
  const input = { decisionId: decisionId(workflowId), ...request, policyRevision };
  const watching = times.watch === undefined ? undefined : watchChecks(gate, workflowId, times.wait, times.watch);
  try {
    const answer = await gate.backend.verify({ workflowId, input, node: gate.node }, times.wait);
    return judge(gate, request, policyRevision, workflowId, answer);
  } catch (error) {
    if (!(error instanceof BackendProblem)) throw error;
    return { kind: 'decided', decision: await explainSilence(gate, request, workflowId, error, times.deadline) };
  } finally {
    watching?.stop();
    if (times.watch !== undefined) await gate.backend.checks(workflowId, times.deadline).then(times.watch, () => {});
  }
}

function judge(gate: Gate, request: PullRequest, policyRevision: string, workflowId: string, answer: unknown): Answer {
  const check = checkVerdict(answer, { ...request, policyRevision }, gate.keys(), Date.now());
  if (check.kind === 'refused')
    return { kind: 'decided', decision: refuse(request, workflowId, workflowId, check.reason) };
  if (check.kind === 'good')
    return { kind: 'decided', decision: { by: 'verdict', verdict: check.verdict, workflowId } };
  // A refusal needs no freshness: it is told as it was reached, and asked again.
  if (check.verdict.outcome !== 'allow')
    return { kind: 'stale', decision: { by: 'verdict', verdict: check.verdict, workflowId } };
  const sentence = `the newest verdict ended at ${check.verdict.expiresAt}; pull again`;
  return { kind: 'stale', decision: refuse(request, workflowId, workflowId, { code: 'VERDICT_EXPIRED', sentence }) };
}

/** No verdict in time: finds out whether Temporal, a worker, or the evidence is missing. */
async function explainSilence(
  gate: Gate,
  request: PullRequest,
  workflowId: string,
  problem: BackendProblem,
  deadline: number,
): Promise<Decision> {
  const own: Reason = { code: problem.code, sentence: problem.message };
  if (problem.code === 'WORKFLOW_FAILED') return refuse(request, workflowId, workflowId, own);
  const until = Math.max(deadline - 100, Date.now() + 50);
  const [checks, exists] = await Promise.all([
    gate.backend.checks(workflowId, until).catch(() => undefined),
    gate.backend.exists(workflowId, until).catch(() => false),
  ]);
  if (checks !== undefined) return refuse(request, workflowId, workflowId, ...stillVerifying(checks, workflowId));
  if (!exists) return refuse(request, undefined, workflowId, own);
  const sentence = `no portcullis worker answers; the verification waits for one as ${workflowId}`;
  return refuse(request, workflowId, workflowId, { code: 'WORKER_UNAVAILABLE', sentence });
}

function stillVerifying(checks: readonly Check[], workflowId: string): [Reason, ...Reason[]] {
  const going: Reason = { code: 'STILL_VERIFYING', sentence: `the verification goes on as ${workflowId}; pull again` };
  const retried = checks.find((check) => check.state === 'retrying');
  if (retried?.code === undefined) return [going];
  return [{ code: retried.code, sentence: retried.detail }, going];
}

function refuse(
  request: PullRequest,
  workflowId: string | undefined,
  idSource: string,
  ...reasons: [Reason, ...Reason[]]
): Decision {
  return { by: 'node', reasons, request, decisionId: decisionId(idSource), workflowId };
}

function watchChecks(gate: Gate, workflowId: string, until: number, watch: Watcher): { stop(): void } {
  let stopped = false;
  const loop = async (): Promise<void> => {
    while (!stopped && Date.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, WATCH_INTERVAL_MS));
      const checks = stopped ? undefined : await gate.backend.checks(workflowId, until).catch(() => undefined);
      if (!stopped && checks !== undefined) watch(checks);
    }
  };
  void loop();
  return {
    stop() {
      stopped = true;
    },
  };
}
