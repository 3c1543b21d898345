import { availableParallelism } from 'node:os';
import type { ConditionQuestion } from './condition-message.ts';
import { type ConditionEnd, ConditionProcess } from './condition-process.ts';

/** One alone would let a slow condition hold up all others. */
const PROCESSES = Math.min(2, availableParallelism());

const idle: ConditionProcess[] = [];
const waiting: (() => void)[] = [];
let busy = 0;

/** Starts a process before it is needed: the first evaluation is then as fast as the next. Not starting is told by that one. */
export function prepareConditions(): void {
  if (busy === 0 && idle.length === 0) idle.push(new ConditionProcess());
}

/** Evaluates in a process that is free, in the order of asking. Rejects only with the signal's reason. */
export async function evaluateInProcess(
  question: ConditionQuestion,
  signal: AbortSignal | undefined,
): Promise<ConditionEnd> {
  await freeProcess(signal);
  try {
    const kept = idle.pop();
    const process = kept?.alive === true ? kept : new ConditionProcess();
    const end = await process.evaluate(question, signal);
    if (process.alive) idle.push(process);
    return end;
  } finally {
    busy--;
    waiting.shift()?.();
  }
}

/** Waits for its turn. */
async function freeProcess(signal: AbortSignal | undefined): Promise<void> {
  while (busy >= PROCESSES) {
    const turn = Promise.withResolvers<void>();
    const leave = (): void => turn.reject(signal?.reason);
    waiting.push(turn.resolve);
    signal?.addEventListener('abort', leave, { once: true });
    try {
      await turn.promise;
    } catch (error) {
      const place = waiting.indexOf(turn.resolve);
      if (place >= 0) waiting.splice(place, 1);
      throw error;
    } finally {
      signal?.removeEventListener('abort', leave);
    }
  }
  busy++;
}
