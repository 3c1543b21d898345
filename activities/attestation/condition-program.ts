import { Worker } from 'node:worker_threads';
import { answerCondition } from './condition-answer.ts';
import type { ConditionMessage, ConditionQuestion } from './condition-message.ts';

/**
 * The program of a process that evaluates conditions, one after the other, as `condition-process.ts` asks. It may be
 * ended in the middle of one, by its parent or by the memory that it may not have.
 */

process.on('message', (question: ConditionQuestion) => say(answerCondition(question)));
say({ kind: 'ready' });
endWithParent();

/** A process that is evaluating receives no event, so a thread watches that the parent is still there. */
function endWithParent(): void {
  const watch = `setInterval(() => process.ppid === ${process.ppid} || process.kill(process.pid, 'SIGKILL'), 1000)`;
  new Worker(watch, { eval: true }).unref();
}

function say(message: ConditionMessage): void {
  process.send?.(message);
}
