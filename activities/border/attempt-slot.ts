import { Context } from '@temporalio/activity';
import type { ReasonCode } from '../../workflows/verdict/reason.ts';
import { EvidenceError } from '../evidence-error.ts';
import { type Party, Slots } from '../judging/slots.ts';
import { MAX_DURABLE_CHECKS, MAX_SLOT_WAIT_MS, MAX_VERIFICATIONS } from '../limits.ts';

/**
 * A check that has no place is tried again after this for each attempt it has made, in ms, half as much sooner or later, so that
 * not all come at once: hundreds that come back each second would keep the server from everything else.
 */
const RETRY_MS = 2_000;
const MAX_RETRY_STEPS = 5;

/** Whom a check waits for, and the code that says so. */
export interface Awaited extends Party {
  readonly onTimeout: ReasonCode;
}

/** A fast check holds its workflow task, so there are as many places as verifications; a durable one holds a slot of the worker. */
const fast = new Slots(MAX_VERIFICATIONS);
const durable = new Slots(MAX_DURABLE_CHECKS);

/**
 * Runs an attempt in a place of its own, of which each party has a fair share: those who wait for a registry that never
 * answers must not hold the places of all others. Without a place the attempt fails at once, to be retried.
 */
export async function inSlot<T>({ host, part, onTimeout }: Awaited, attempt: () => Promise<T>): Promise<T> {
  const { isLocal, attempt: number } = Context.current().info;
  const leave = await (isLocal ? fast : durable).enter({ host, part }, MAX_SLOT_WAIT_MS);
  if (leave === undefined) throw crowded(host, onTimeout, isLocal ? undefined : retryAfter(number));
  try {
    return await attempt();
  } finally {
    leave();
  }
}

function retryAfter(attempt: number): number {
  return Math.round(Math.min(attempt, MAX_RETRY_STEPS) * RETRY_MS * (0.5 + Math.random()));
}

function crowded(host: string, onTimeout: ReasonCode, retryAfterMs: number | undefined): EvidenceError {
  const sentence = `many other checks wait for ${host}, so this one gave way; verification goes on, check whether ${host} answers`;
  const later = retryAfterMs === undefined ? {} : { retryAfterMs };
  return new EvidenceError(onTimeout, sentence, { retryable: true, ...later });
}
