import type { Check } from '../../workflows/checklist.ts';
import { SHIM_DEADLINE_MS, SHIM_WAIT_MS } from '../../workflows/verdict/deadlines.ts';
import type { Reason } from '../../workflows/verdict/reason.ts';
import type { Envelope, Verdict } from '../../workflows/verdict/verdict.ts';
import {
  decisionId,
  EPOCH_OVERLAP_MS,
  type Epoch,
  type VerificationKey,
  verificationId,
} from '../../workflows/verdict/verification-id.ts';
import type { Decision, PullRequest, Watcher } from '../decision.ts';
import { isComparable } from '../revoked.ts';
import { checkVerdict } from '../verdict-keys/verdict-check.ts';
import type { VerdictKeys } from '../verdict-keys/verdict-keys.ts';
import { type Absence, absenceOf, type Backend, BackendProblem } from './backend.ts';
import { watchChecks } from './check-watch.ts';
import type { PolicyWatch } from './policy-watch.ts';

/** Who is asked, and whose answers are believed. */
export interface BackendAccess {
  readonly backend: Backend;
  readonly policy: PolicyWatch;
  readonly keys: () => VerdictKeys;
  /** The fleet of this node. */
  readonly fleet: string;
  /** Told of each verdict that is believed, with the id of the key that signed it. */
  readonly onVerdict?: (verdict: Verdict, envelope: Envelope, keyId: string) => void;
  /** The name of this node, for people. */
  readonly node: string;
}

export interface BackendQuestion {
  /** Unix ms at which the caller is gone. */
  readonly deadline: number;
  readonly watch?: Watcher;
}

/** What is kept of the time to ask what a late verification waits for. */
const LAST_QUESTION_MS = SHIM_DEADLINE_MS - SHIM_WAIT_MS;

/** What is kept of that to answer. */
const ANSWER_MS = 100;

/** One verification that is asked for, and until when (Unix ms): for the verdict, and for the last question. */
interface Question {
  readonly key: VerificationKey;
  /** What a new verification is told about keys in a KMS. */
  readonly statement: Envelope | undefined;
  readonly workflowId: string;
  readonly wait: number;
  readonly deadline: number;
  readonly watch: Watcher | undefined;
}

/**
 * Asks the backend about one pull: starts or joins its verification, waits for the verdict, and checks it. Never throws
 * for anything that the backend does, and always answers before the deadline.
 */
export async function askBackend(
  gate: BackendAccess,
  request: PullRequest,
  options: BackendQuestion,
): Promise<Decision> {
  const { deadline } = options;
  const wait = deadline - Math.min(LAST_QUESTION_MS, (deadline - Date.now()) / 4);
  const known = await gate.policy.current(wait);
  const statement = known.ok ? known.statement : undefined;
  const question = (policyRevision: string, epoch: Epoch, at = Date.now()): Question => {
    const key = { ...request, policyRevision, fleet: gate.fleet };
    return { key, statement, workflowId: verificationId(key, epoch, at), wait, deadline, watch: options.watch };
  };
  if (!known.ok) {
    const refused = refuse(question('unknown', 'quarter-hour'), known.reason);
    return { ...refused, workflowId: undefined, ...absent(known.absence) };
  }
  const current = question(known.policyRevision, 'quarter-hour');
  const before = question(known.policyRevision, 'quarter-hour', Date.now() - EPOCH_OVERLAP_MS);
  const shared = await ask(gate, (await isUnderWay(gate, before, current)) ? before : current);
  if (!shared.stale) return shared.decision;
  return (await ask(gate, question(known.policyRevision, 'ten-seconds'))).decision;
}

/** Whether an epoch has just ended, and pulls of it began a verification. */
async function isUnderWay(gate: BackendAccess, before: Question, current: Question): Promise<boolean> {
  if (before.workflowId === current.workflowId) return false;
  return await gate.backend.exists(before.workflowId, current.wait).catch(() => false);
}

/** `stale` is an answer that was reached before this pull and is no longer good: worth asking afresh. */
interface Answer {
  readonly stale: boolean;
  readonly decision: Decision;
}

async function ask(gate: BackendAccess, question: Question): Promise<Answer> {
  const { workflowId, key, statement } = question;
  const watching = question.watch && watchChecks(gate.backend, workflowId, question.wait, question.watch);
  try {
    const told = statement === undefined ? {} : { statement };
    const { fleet: _, ...asked } = key;
    const input = { decisionId: decisionId(workflowId), ...asked, ...told };
    const carried = await gate.backend.verify({ workflowId, input, node: gate.node }, question.wait);
    const answer = judge(gate, question, carried);
    if (!answer.stale) await watching?.last();
    return answer;
  } catch (error) {
    if (!(error instanceof BackendProblem)) throw error;
    return { stale: false, decision: await explainSilence(gate, question, error) };
  } finally {
    watching?.stop();
  }
}

function judge(gate: BackendAccess, question: Question, carried: unknown): Answer {
  const check = checkVerdict(carried, question.key, gate.keys(), Date.now());
  // A shared verdict may be older than the end of its key's window: one that is signed now need not be.
  if (check.kind === 'refused') {
    return { stale: check.outlived === true, decision: refuse(question, check.reason) };
  }
  const { verdict, envelope } = check;
  if (!isComparable(gate.policy.revoked(), verdict)) {
    return { stale: true, decision: refuse(question, { code: 'VERDICT_MISMATCH', sentence: NOT_COMPARABLE }) };
  }
  gate.onVerdict?.(verdict, envelope, check.keyId);
  const decision: Decision = { by: 'verdict', verdict, from: 'backend', workflowId: question.workflowId };
  if (check.kind === 'good') return { stale: false, decision };
  // A refusal needs no freshness: when nothing newer comes, it is told as it was reached.
  if (verdict.outcome !== 'allow') return { stale: true, decision };
  const sentence = `the newest verdict ended at ${verdict.expiresAt}; pull again`;
  return { stale: true, decision: refuse(question, { code: 'VERDICT_EXPIRED', sentence }) };
}

const NOT_COMPARABLE =
  'the verdict does not say what the image contains, and digests are revoked; see that the workers have the same policy directory, then pull again';

/** No verdict in time: finds out whether Temporal, a worker, or the evidence is missing. */
async function explainSilence(gate: BackendAccess, question: Question, problem: BackendProblem): Promise<Decision> {
  const { workflowId } = question;
  const own: Reason = { code: problem.code, sentence: problem.message };
  if (problem.code === 'WORKFLOW_FAILED') return refuse(question, own);
  const until = Math.max(question.deadline - ANSWER_MS, Date.now() + ANSWER_MS / 2);
  const [checks, exists] = await Promise.all([
    gate.backend.checks(workflowId, until).catch(() => undefined),
    gate.backend.exists(workflowId, until).catch((error: unknown) => (error instanceof BackendProblem ? error : false)),
  ]);
  if (checks !== undefined) return refuse(question, ...stillVerifying(checks, workflowId));
  // A call that ends by its deadline says that there was no answer, and not whether anybody is there to give one. This
  // last question has little time: that Temporal is late with it too is no news.
  const isNews = exists instanceof BackendProblem && !exists.isLate;
  const silence = own.code === 'STILL_VERIFYING' && isNews ? exists : problem;
  if (exists === true) {
    const sentence = `no portcullis worker answers; the verification waits for one as ${workflowId}`;
    return { ...refuse(question, { code: 'WORKER_UNAVAILABLE', sentence }), ...absent('silent') };
  }
  // It has just answered that it does not know the verification.
  const isThere = exists === false && silence.code === 'TEMPORAL_UNREACHABLE';
  const code = isThere ? 'TEMPORAL_REFUSED' : silence.code;
  const refused = refuse(question, { code, sentence: silence.message });
  return { ...refused, workflowId: undefined, ...absent(isThere ? 'silent' : absenceOf(silence)) };
}

function absent(absence: Absence | undefined): { readonly absence?: Absence } {
  return absence === undefined ? {} : { absence };
}

function stillVerifying(checks: readonly Check[], workflowId: string): [Reason, ...Reason[]] {
  const going: Reason = {
    code: 'STILL_VERIFYING',
    sentence: `the verification goes on as ${workflowId}; pull again`,
  };
  const retried = checks.find((check) => check.state === 'retrying');
  if (retried?.code === undefined) return [going];
  return [{ code: retried.code, sentence: retried.detail }, going];
}

function refuse({ key, workflowId }: Question, ...reasons: [Reason, ...Reason[]]): Decision & { by: 'node' } {
  const request = { name: key.name, digest: key.digest };
  return { by: 'node', reasons, request, decisionId: decisionId(workflowId), workflowId };
}
