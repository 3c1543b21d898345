import type { Check } from '../../workflows/checklist.ts';
import type { ReasonCode } from '../../workflows/verdict/reason.ts';
import type { VerificationInput } from '../../workflows/verdict/verification-input.ts';

/** Temporal could not be asked, or did not answer. `code` is one of the inconclusive codes. */
export class BackendProblem extends Error {
  override readonly name = 'BackendProblem';
  readonly code: ReasonCode;
  /** Whether the call did not end by its deadline although Temporal answers others. */
  readonly isLate: boolean;

  constructor(code: ReasonCode, message: string, cause?: unknown, isLate = false) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.isLate = isLate;
  }
}

export function unreachable(message: string, cause?: unknown): BackendProblem {
  return new BackendProblem('TEMPORAL_UNREACHABLE', message, cause);
}

/**
 * How the backend is not there: `unreachable` when nothing answers, as on a node whose network is gone; `silent` when
 * Temporal answers and no worker does, or Temporal refuses the question.
 */
export type Absence = 'unreachable' | 'silent';

/** The absence that a question of this node ended in; `undefined` when the backend did something else. */
export function absenceOf({ code }: BackendProblem): Absence | undefined {
  if (code === 'TEMPORAL_UNREACHABLE') return 'unreachable';
  return code === 'WORKER_UNAVAILABLE' || code === 'TEMPORAL_REFUSED' ? 'silent' : undefined;
}

/** What the run of a verification shows from outside. */
export interface RunState {
  readonly workflowId: string;
  readonly runId: string;
  /** `RUNNING`, `COMPLETED`, `FAILED`, ... */
  readonly status: string;
  readonly startedAt: Date;
  readonly checks: readonly Check[];
  /** The run's result as it was carried: not verified. */
  readonly result?: unknown;
  /** Why it ended without one. */
  readonly failure?: string;
}

/** The backend as a node sees it. Answers are untrusted: whoever uses one checks its signature. All deadlines are Unix time in ms. */
export interface Backend {
  /** Starts or joins the verification and waits for its answer. */
  verify(request: { workflowId: string; input: VerificationInput; node: string }, deadline: number): Promise<unknown>;
  /** What a verification has found so far. */
  checks(workflowId: string, deadline: number): Promise<readonly Check[]>;
  /** Whether the server knows the workflow; works without any worker. */
  exists(workflowId: string, deadline: number): Promise<boolean>;
  /** The newest signed policy head. */
  policyHead(deadline: number): Promise<unknown>;
  /** What a name points to now. */
  resolve(name: string, deadline: number): Promise<unknown>;
  /** The runs of one decision, newest first. */
  find(decisionId: string, deadline: number): Promise<readonly RunState[]>;
  close(): Promise<void>;
}
