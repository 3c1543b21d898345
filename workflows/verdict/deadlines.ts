import type { Outcome } from './reason.ts';

/**
 * Every deadline of one pull, in ms, outermost last: each layer has to print its own reason before the next one
 * gives up on it. The outermost is containerd's `per_verifier_timeout`, 10 s unless the operator changed it.
 */

/** One attempt of a check on the fast path; also below 80 % of {@link WORKFLOW_TASK_MS}, where a heartbeat would cost events. */
export const FAST_ATTEMPT_MS = 2_000;

/** What an activity leaves for itself to say why an attempt failed, before Temporal cuts it off without a reason. */
export const ATTEMPT_RESERVE_MS = 200;

/** All attempts of one check on the fast path; after that it is retried durably, where people can watch it. */
export const FAST_BUDGET_MS = 4_000;

/** One attempt of a check on the durable path. */
export const DURABLE_ATTEMPT_MS = 10_000;

/** How long a check is retried durably before the verification ends as inconclusive. */
export const DURABLE_BUDGET_MS = 600_000;

/** When a worker dies in the middle of a fast check, another one takes over after this. */
export const WORKFLOW_TASK_MS = 3_000;

/** Parts of the evidence of one source that are judged, each of at most 50 signatures: a thousand, as many as cosign reads. */
export const MAX_EVIDENCE_PARTS = 20;

/** A bound for garbage only: {@link DURABLE_BUDGET_MS} for two checks in a row and room to answer. */
export const WORKFLOW_EXECUTION_MS = 1_500_000;

/** The shim waits this long for a verdict, then asks once what the verification is waiting for. */
export const SHIM_WAIT_MS = 8_000;

/** The shim answers at the latest after this. */
export const SHIM_DEADLINE_MS = 8_700;

/**
 * How long a verdict is good for. A deny is short because people sign after pushing; an inconclusive one is only for
 * those who were waiting when it was reached.
 */
export const VERDICT_TTL_MS: Readonly<Record<Outcome, number>> = { allow: 900_000, deny: 10_000, inconclusive: 1_000 };

/**
 * How short an allow may be that rests on the state of a key in a KMS, and ends with it: long enough to reach the node
 * that waits for it. A disabled key therefore opens the gate at most this much longer than its policy's `maxAge`.
 */
export const SHORTEST_ALLOW_MS = 10_000;

/** How often a worker restates which policy revision it applies. */
export const POLICY_HEAD_INTERVAL_MS = 8_000;

/** How often a node asks for that statement; with the interval above, a policy change arrives within 15 s. */
export const POLICY_HEAD_POLL_MS = 5_000;

/**
 * How old that statement may be while the backend is there: a server that holds it back delays a policy change no longer than
 * this. Where an OfflineUse permits it, images of the last known policy count again when nothing answers, or when workers
 * have been silent for {@link WORKER_SILENCE_MS}.
 */
export const POLICY_HEAD_TTL_MS = 60_000;

/**
 * How long workers must be silent, while Temporal answers, before an OfflineUse that names no time counts. Longer than a
 * restart, an upgrade or a node drain of workers takes, and than a flood of hard evidence keeps them busy: whoever freezes
 * the workers must not choose the moment at which old policy counts.
 */
export const WORKER_SILENCE_MS = 900_000;

/** The longest time that an OfflineUse can permit, and the longest that a node uses any verdict: a quarter of a year. */
export const MAX_OFFLINE_MS = 90 * 24 * 3_600_000;

/** How far the clocks of worker and node may be apart. */
export const CLOCK_SKEW_MS = 5_000;
