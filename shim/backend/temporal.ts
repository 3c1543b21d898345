import {
  Client,
  Connection,
  defaultGrpcRetryOptions,
  makeGrpcRetryInterceptor,
  QueryRejectedError,
  ServiceError,
  WithStartWorkflowOperation,
  WorkflowClient,
  WorkflowFailedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { ApplicationFailure, NamespaceNotFoundError } from '@temporalio/common';
import { parseChecks } from '../../workflows/checklist.ts';
import { CHECKS_QUERY, POLICY_HEAD_QUERY, VERDICT_UPDATE } from '../../workflows/handlers.ts';
import { explainStatus, isAnswer, placeOf, STATUS } from '../../workflows/temporal/explain.ts';
import type { TemporalSettings } from '../../workflows/temporal/settings.ts';
import { SHIM_WAIT_MS, WORKFLOW_EXECUTION_MS, WORKFLOW_TASK_MS } from '../../workflows/verdict/deadlines.ts';
import { isReasonCode } from '../../workflows/verdict/reason.ts';
import type { VerificationInput } from '../../workflows/verdict/verification-input.ts';
import { type Backend, BackendProblem, unreachable } from './backend.ts';
import {
  ABANDONED,
  channelOptions,
  type Diagnosis,
  type LinkOptions,
  openTemporalLink,
  type TemporalSession,
} from './temporal-link.ts';
import { describeRuns, MAX_RUNS } from './temporal-runs.ts';
import { describeStart, policyHeadId } from './workflow-description.ts';

const NO_WORKER = 'no portcullis worker answers on the task queue; is one running?';

/** What is kept of a question's time to find out whether Temporal or a worker is missing. */
const LAST_QUESTION_MS = 500;

/**
 * How long nothing must have been heard of Temporal before a call that ends by its deadline says that it can't be reached,
 * in ms. A call may have less time than a busy Temporal takes; a pull waits this long.
 */
const SILENCE_MS = SHIM_WAIT_MS;

/** Back-off of calls to an unreachable server: the SDK's own sleeps up to 5 s and looks at no deadline. */
const [RETRY_FIRST_MS, RETRY_MAX_MS] = [50, 400];

/** A client whose calls end by their deadline (Unix ms) and fail as BackendProblem. */
interface BoundedClient extends TemporalSession {
  readonly client: Client;
  /** Gets answers of open runs only. */
  readonly open: WorkflowClient;
  within<T>(deadline: number, call: () => Promise<T>): Promise<T>;
}

function openClient(settings: TemporalSettings, diagnosis: Diagnosis): BoundedClient {
  let closing = false;
  let retriedUntil = 0;
  /** The newest answer of Temporal to any call, Unix ms, and what it was when it was a refusal that is retried. */
  let heard: { readonly at: number; readonly refusal: string | undefined } = { at: 0, refusal: undefined };
  /** When any call was answered at all, if only in part. */
  let answeredAt = 0;
  /** Since when calls find no connection or no answer. */
  let silentSince: number | undefined;
  let retired = false;
  const waiting = new Set<(problem: BackendProblem) => void>();
  const lose = () => {
    silentSince ??= Date.now();
    diagnosis.look();
    if (retired) for (const giveUp of waiting) giveUp(ABANDONED);
  };
  const { retryableDecider } = defaultGrpcRetryOptions({ maxAttempts: Number.MAX_SAFE_INTEGER });
  const retry = makeGrpcRetryInterceptor({
    retryableDecider(attempt, status) {
      const at = Date.now();
      const isRetried = retryableDecider(attempt, status);
      const refusal = isRetried ? explainStatus(status.code, status.details, settings) : undefined;
      if (isAnswer(status.code)) heard = { at, refusal };
      if (isAnswer(status.code) || status.code === STATUS.ok) [answeredAt, silentSince] = [at, undefined];
      if (status.code === STATUS.unavailable) lose();
      return !closing && isRetried;
    },
    delayFunction(attempt) {
      const delay = Math.min(RETRY_FIRST_MS * 2 ** attempt, RETRY_MAX_MS);
      retriedUntil = Math.max(retriedUntil, Date.now() + delay);
      return delay;
    },
  });
  const connection = Connection.lazy({ ...channelOptions(settings), interceptors: [retry] });
  const options = { connection, namespace: settings.namespace };
  /** gRPC's own deadline overshoots when the server is unreachable, so a timer has the last word. */
  async function within<T>(deadline: number, call: () => Promise<T>): Promise<T> {
    const begun = Date.now();
    const aborted = new AbortController();
    const late = Promise.withResolvers<never>();
    const giveUp = (problem: BackendProblem) => {
      late.reject(problem);
      aborted.abort();
    };
    const left = Math.max(0, deadline - begun);
    const timer = setTimeout(giveUp, left, unreachable(`no answer from ${placeOf(settings)} in time`));
    waiting.add(giveUp);
    const endDoubt = diagnosis.doubt(deadline);
    const answer = connection.withAbortSignal(aborted.signal, () => connection.withDeadline(deadline, call));
    answer.catch(() => {}); // the loser of the race below has no reader left
    try {
      const value = await Promise.race([answer, late.promise]);
      heard = { at: Date.now(), refusal: undefined };
      return value;
    } catch (error) {
      const problem = toProblem(error, settings);
      if (problem.code !== 'TEMPORAL_UNREACHABLE' || problem === ABANDONED) throw problem;
      if (heard.at > (silentSince === undefined ? Math.min(begun, Date.now() - SILENCE_MS) : begun)) {
        const said = `${placeOf(settings)}: it answers other calls, and this one not in time`;
        throw new BackendProblem('TEMPORAL_REFUSED', heard.refusal ?? said, error, heard.refusal === undefined);
      }
      if (answeredAt < begun) silentSince ??= begun;
      throw diagnosis.found === undefined ? problem : new BackendProblem(problem.code, diagnosis.found, error);
    } finally {
      waiting.delete(giveUp);
      clearTimeout(timer);
      endDoubt();
    }
  }
  return {
    client: new Client(options),
    open: new WorkflowClient({ ...options, queryRejectCondition: 'NOT_OPEN' }),
    within,
    silentSince: () => silentSince,
    retire() {
      retired = true;
      if (silentSince !== undefined) lose();
    },
    async ping(deadline) {
      try {
        await within(deadline, () => connection.workflowService.getSystemInfo({}));
      } catch (error) {
        if (!(error instanceof BackendProblem) || error.code !== 'TEMPORAL_REFUSED') throw error;
      }
    },
    async close() {
      closing = true;
      // A retry that sleeps wakes up to make a call, and throws where nobody listens when the channel is shut by then.
      // However late timers are, the one that is due last comes last.
      const asleep = Math.max(0, retriedUntil - Date.now());
      if (retriedUntil > 0) await new Promise((resolve) => setTimeout(resolve, asleep + RETRY_FIRST_MS));
      await connection.close();
    },
  };
}

/**
 * Connects lazily to the server that the environment names (`TEMPORAL_ADDRESS` and the other variables and the
 * configuration file of the Temporal CLI).
 */
export function connectBackend(taskQueue: string, options: LinkOptions = {}): Backend {
  const link = openTemporalLink(openClient, options);
  const within = <T>(deadline: number, call: (session: BoundedClient) => Promise<T>): Promise<T> =>
    link.use((session) => session.within(deadline, () => call(session)));
  return {
    async verify({ workflowId, input, node }, deadline) {
      try {
        return await within(deadline, ({ client }) => {
          // Made for each attempt: the SDK executes an operation once.
          const startWorkflowOperation = startVerification(workflowId, taskQueue, input, node);
          const update = { updateId: VERDICT_UPDATE, startWorkflowOperation };
          return client.workflow.executeUpdateWithStart(VERDICT_UPDATE, update);
        });
      } catch (error) {
        if (error instanceof BackendProblem && error.isLate) {
          throw new BackendProblem('STILL_VERIFYING', `${error.message}; pull again`, error);
        }
        // The update of a run that failed says only that it was left without an answer; the run says why.
        if (!(error instanceof BackendProblem) || error.code !== 'WORKFLOW_FAILED') throw error;
        await within(deadline, ({ client }) => client.workflow.getHandle(workflowId).result());
        throw error;
      }
    },
    checks: (workflowId, deadline) =>
      within(deadline, async ({ client }) =>
        parseChecks(await client.workflow.getHandle(workflowId).query(CHECKS_QUERY)),
      ),
    exists: (workflowId, deadline) =>
      within(deadline, async ({ client }) => {
        try {
          return (await client.workflow.getHandle(workflowId).describe()).workflowId === workflowId;
        } catch (error) {
          if (error instanceof WorkflowNotFoundError) return false;
          throw error;
        }
      }),
    async policyHead(deadline) {
      const reserve = Math.min(LAST_QUESTION_MS, (deadline - Date.now()) / 2);
      const workflowId = policyHeadId(taskQueue);
      try {
        return await within(deadline - reserve, ({ open }) => queryPolicyHead(open, workflowId, taskQueue));
      } catch (error) {
        const describing = within(deadline, ({ client }) => client.workflow.getHandle(workflowId).describe());
        const known = await describing.catch((problem: unknown) => problem);
        if (!(known instanceof BackendProblem)) throw new BackendProblem('WORKER_UNAVAILABLE', NO_WORKER, error);
        // The last answer says whether Temporal is there, whatever the first one waited for.
        throw known.code === 'TEMPORAL_REFUSED' ? known : error;
      }
    },
    resolve: (name, deadline) => within(deadline, ({ client }) => resolveName(client, taskQueue, name, deadline)),
    find: (decisionId, deadline) =>
      within(deadline, ({ client: { workflow } }) =>
        describeRuns(
          workflow.list({ query: `DecisionId = '${decisionId}'`, pageSize: MAX_RUNS }),
          ({ workflowId, runId }) => workflow.getHandle(workflowId, runId),
        ),
      ),
    close: link.close,
  };
}

/** An operation serves one call only. */
function startVerification(workflowId: string, taskQueue: string, input: VerificationInput, node: string) {
  return new WithStartWorkflowOperation('verifyImage', {
    workflowId,
    taskQueue,
    args: [input],
    workflowIdConflictPolicy: 'USE_EXISTING',
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    workflowTaskTimeout: WORKFLOW_TASK_MS,
    workflowExecutionTimeout: WORKFLOW_EXECUTION_MS,
    ...describeStart(input, node),
  });
}

/** A failure keeps the code of what went wrong: it is the answer that a person at a terminal gets. */
async function resolveName(client: Client, taskQueue: string, name: string, deadline: number): Promise<unknown> {
  try {
    return await client.workflow.execute('resolveName', {
      workflowId: `resolve/${name}/${new Date().toISOString()}`,
      taskQueue,
      args: [{ name }],
      workflowTaskTimeout: WORKFLOW_TASK_MS,
      workflowExecutionTimeout: Math.max(1, deadline - Date.now()),
      staticSummary: name,
    });
  } catch (error) {
    const failure = error instanceof WorkflowFailedError ? error.cause : undefined;
    const code = failure instanceof ApplicationFailure ? (failure.type ?? '') : '';
    if (failure === undefined || !isReasonCode(code)) throw error;
    throw new BackendProblem(code, failure.message, error);
  }
}

/** The statement's workflow runs for ever; a node that finds none running, or one that was ended by hand, starts it. */
async function queryPolicyHead(open: WorkflowClient, workflowId: string, taskQueue: string): Promise<unknown> {
  // A closed run would still answer the query, with a statement that is not renewed any more.
  try {
    return await open.getHandle(workflowId).query(POLICY_HEAD_QUERY);
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError) && !(error instanceof QueryRejectedError)) throw error;
  }
  const started = await open.start('statePolicy', {
    workflowId,
    taskQueue,
    workflowIdConflictPolicy: 'USE_EXISTING',
    workflowTaskTimeout: WORKFLOW_TASK_MS,
    staticSummary: 'the policy revision that workers apply',
  });
  return await started.query(POLICY_HEAD_QUERY);
}

function toProblem(error: unknown, settings: TemporalSettings): BackendProblem {
  if (error instanceof BackendProblem) return error;
  const refused = (text: string, code?: number) =>
    new BackendProblem('TEMPORAL_REFUSED', explainStatus(code, text, settings), error);
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) {
    return new BackendProblem('STILL_VERIFYING', `no verdict from ${placeOf(settings)} in time`, error);
  }
  if (error instanceof WorkflowUpdateFailedError || error instanceof WorkflowFailedError) {
    const reason = error.cause instanceof Error ? error.cause.message : error.message;
    return new BackendProblem('WORKFLOW_FAILED', `the verification failed: ${reason}`, error);
  }
  if (error instanceof WorkflowNotFoundError || error instanceof QueryRejectedError) return refused(error.message);
  if (error instanceof NamespaceNotFoundError) return refused(error.message, STATUS.notFound);
  // The client wraps what gRPC said in an error whose own message names only the call.
  const cause = error instanceof ServiceError && error.cause !== undefined ? error.cause : error;
  const text = cause instanceof Error ? cause.message : String(cause);
  if (/no poller seen|worker may be down/.test(text)) {
    return new BackendProblem('WORKER_UNAVAILABLE', NO_WORKER, error);
  }
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (typeof code === 'number' && isAnswer(code)) return refused(text, code);
  return unreachable(`${placeOf(settings)}: ${text}`, error);
}
