import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import {
  CONDITION_BYTES,
  MAX_CONDITION_MEMORY_MB,
  MAX_CONDITION_PROCESSOR_MS,
  MAX_CONDITION_WAIT_MS,
} from '../limits.ts';
import type { ConditionAnswer, ConditionMessage, ConditionQuestion } from './condition-message.ts';
import { processorMs } from './processor-time.ts';

/** How often a process that computes is looked at, in ms. */
const LOOK_MS = 50;

/** How one evaluation ended. */
export type ConditionEnd =
  | ConditionAnswer
  | { readonly kind: 'out-of-time' }
  | { readonly kind: 'out-of-memory' }
  /** Not the condition's doing: this machine started no process, or gave it no time. */
  | { readonly kind: 'not-evaluated'; readonly problem: string };

const ABORTED: ConditionEnd = { kind: 'not-evaluated', problem: 'its caller has left' };

const STARVED: ConditionEnd = {
  kind: 'not-evaluated',
  problem: `this machine had no time for it within ${MAX_CONDITION_WAIT_MS / 1000} s`,
};

/**
 * A process that evaluates conditions, one at a time, and is ended in the middle of one that computes too long. It is a
 * process and no thread, because V8 ends the whole process of a thread that meets its memory's limit inside `JSON.parse`.
 * Its time is the processor's, so that a busy machine makes no condition fail. It keeps no program alive while it is
 * idle, and ends with the one that started it.
 */
export class ConditionProcess {
  private readonly child: ChildProcess;
  private readonly ready = Promise.withResolvers<void>();
  private ended: ConditionEnd | undefined;
  private finish: ((end: ConditionEnd) => void) | undefined;

  constructor() {
    this.child = fork(fileURLToPath(new URL('./condition-program.ts', import.meta.url)), {
      execArgv: [`--max-old-space-size=${MAX_CONDITION_MEMORY_MB}`],
      // It has no use for this program's secrets.
      env: {},
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      serialization: 'advanced',
    });
    this.child.on('message', (message: ConditionMessage) => this.receive(message));
    this.child.on('error', (error) => this.end({ kind: 'not-evaluated', problem: codeOf(error) }));
    this.child.on('exit', (_code, signal) => this.end(endOf(signal)));
    this.keepsProgramAlive(false);
  }

  /** False once the process is gone: nothing more can be asked of it. */
  get alive(): boolean {
    return this.ended === undefined;
  }

  /** Evaluates one condition. Never rejects; only one at a time may be asked for. */
  async evaluate(question: ConditionQuestion, signal: AbortSignal | undefined): Promise<ConditionEnd> {
    if (this.ended !== undefined) return this.ended;
    if (signal?.aborted === true) return ABORTED;
    const end = Promise.withResolvers<ConditionEnd>();
    this.finish = end.resolve;
    const abort = (): void => this.end(ABORTED);
    signal?.addEventListener('abort', abort, { once: true });
    const patience = setTimeout(() => this.end(STARVED), MAX_CONDITION_WAIT_MS);
    this.keepsProgramAlive(true);
    try {
      await Promise.race([this.ready.promise, end.promise]);
      const watch = this.watch(conditionProcessorMs(question.statement));
      this.ask(question);
      return await end.promise.finally(() => clearInterval(watch));
    } finally {
      this.finish = undefined;
      clearTimeout(patience);
      signal?.removeEventListener('abort', abort);
      this.keepsProgramAlive(false);
    }
  }

  private ask(question: ConditionQuestion): void {
    if (!this.child.connected) return;
    this.child.send(question, (error) => {
      if (error !== null) this.end({ kind: 'not-evaluated', problem: codeOf(error) });
    });
  }

  /** Ends the process once it has computed for too long. */
  private watch(maxProcessorMs: number): NodeJS.Timeout {
    const { pid } = this.child;
    const before = processorMs(pid) ?? 0;
    return setInterval(() => {
      if ((processorMs(pid) ?? 0) - before > maxProcessorMs) this.end({ kind: 'out-of-time' });
    }, LOOK_MS);
  }

  private receive(message: ConditionMessage): void {
    if (message.kind === 'ready') this.ready.resolve();
    else this.finish?.(message);
  }

  private end(how: ConditionEnd): void {
    if (this.ended !== undefined) return;
    this.ended = how;
    this.finish?.(how);
    this.child.kill('SIGKILL');
  }

  private keepsProgramAlive(needed: boolean): void {
    if (needed) {
      this.child.ref();
      this.child.channel?.ref();
    } else {
      this.child.unref();
      this.child.channel?.unref();
    }
  }
}

/** What a condition over that statement may compute, in ms of processor time. */
export function conditionProcessorMs(statement: string): number {
  return Math.round(MAX_CONDITION_PROCESSOR_MS * Math.max(1, statement.length / CONDITION_BYTES));
}

/** V8 aborts a process that needs more than its `--max-old-space-size`. */
function endOf(signal: NodeJS.Signals | null): ConditionEnd {
  if (signal === 'SIGABRT' || signal === 'SIGTRAP') return { kind: 'out-of-memory' };
  return { kind: 'not-evaluated', problem: `its process ended${signal === null ? '' : ` by ${signal}`}` };
}

function codeOf(error: Error): string {
  return `its process failed${'code' in error && typeof error.code === 'string' ? ` (${error.code})` : ''}`;
}
