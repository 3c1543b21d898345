import { Context } from '@temporalio/activity';
import type { ReasonCode } from '../workflows/reason.ts';
import { EvidenceError } from './evidence-error.ts';
import { type Party, Slots } from './judging/slots.ts';
import { MAX_DURABLE_CHECKS, MAX_SLOT_WAIT_MS, MAX_VERIFICATIONS } from './limits.ts';

/** A check that has no place is tried again after this, in ms, and up to as much later, so that not all come at once. */
const RETRY_MS = 1_000;

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
  const { isLocal } = Context.current().info;
  const leave = await (isLocal ? fast : durable).enter({ host, part }, MAX_SLOT_WAIT_MS);
  if (leave === undefined) throw crowded(host, onTimeout, isLocal);
  try {
    return await attempt();
  } finally {
    leave();
  }
}

function crowded(host: string, onTimeout: ReasonCode, isLocal: boolean): EvidenceError {
  const sentence = `many other checks wait for ${host}, so this one gave way; verification goes on, check whether ${host} answers`;
  const later = isLocal ? {} : { retryAfterMs: Math.round(RETRY_MS * (1 + Math.random())) };
  return new EvidenceError(onTimeout, sentence, { retryable: true, ...later });
}
