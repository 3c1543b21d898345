import { Worker } from 'node:worker_threads';
import type { JudgingAnswer, JudgingMessage, JudgingQuestion } from './judging-message.ts';

/** How often a thread that computes is looked at, in ms. */
const LOOK_MS = 50;

/** How one question ended. */
export type JudgingEnd =
  | { readonly kind: 'answered'; readonly answer: JudgingAnswer; readonly processorMs: number }
  | { readonly kind: 'out-of-time'; readonly processorMs: number }
  /** The thread failed in the middle of it, as it would again. */
  | { readonly kind: 'crashed'; readonly processorMs: number }
  /** Not the evidence's doing: this machine started no thread. */
  | { readonly kind: 'failed'; readonly problem: string; readonly processorMs: number };

/**
 * A thread that reads evidence, one piece at a time, and is ended in the middle of one that computes for more than
 * `maxProcessorMs`. Its time is the processor's, so that a busy machine makes no evidence fail. It keeps no program alive.
 */
export class JudgingThread {
  readonly #worker: Worker;
  readonly #maxProcessorMs: number;
  readonly #ready = Promise.withResolvers<void>();
  #finish: ((end: JudgingEnd) => void) | undefined;
  #failure: string | undefined;
  #isAsked = false;
  /** Processor time used before the question that is being answered, in ms. */
  #before = 0;

  constructor(maxProcessorMs: number) {
    this.#maxProcessorMs = maxProcessorMs;
    this.#worker = new Worker(new URL('./judging-program.ts', import.meta.url), {
      env: {},
      stdout: true,
      stderr: true,
    });
    this.#worker.on('message', (message: JudgingMessage) => this.#receive(message));
    this.#worker.on('error', (error) => this.#end(`its thread failed (${error.name})`));
    this.#worker.on('exit', () => this.#end('its thread ended'));
    this.#worker.unref();
  }

  /** False once the thread is gone: nothing more can be asked of it. */
  get alive(): boolean {
    return this.#failure === undefined;
  }

  /** Asks; never rejects. Only one question at a time. `share` is how often the thread's time it may compute, at least once. */
  async ask(question: JudgingQuestion, share = 1): Promise<JudgingEnd> {
    if (this.#failure !== undefined) return this.#failed(this.#failure);
    const end = Promise.withResolvers<JudgingEnd>();
    this.#finish = end.resolve;
    this.#worker.ref();
    await Promise.race([this.#ready.promise, end.promise]);
    const watch = setInterval(() => void this.#look(this.#maxProcessorMs * share), LOOK_MS);
    this.#isAsked = this.#failure === undefined;
    this.#worker.postMessage(question);
    try {
      return await end.promise;
    } finally {
      clearInterval(watch);
      this.#isAsked = false;
      this.#finish = undefined;
      this.#worker.unref();
    }
  }

  #receive({ answer, processorMs }: JudgingMessage): void {
    const used = processorMs - this.#before;
    this.#before = processorMs;
    if (answer === undefined) this.#ready.resolve();
    else this.#finish?.({ kind: 'answered', answer, processorMs: used });
  }

  /** Ends the thread once it has computed for too long. */
  async #look(maxProcessorMs: number): Promise<void> {
    const finish = this.#finish;
    const usage = await this.#worker.cpuUsage().catch(() => undefined);
    if (usage === undefined || finish !== this.#finish) return;
    const used = (usage.user + usage.system) / 1_000 - this.#before;
    if (used <= maxProcessorMs) return;
    this.#failure = 'its thread was ended';
    finish?.({ kind: 'out-of-time', processorMs: used });
    await this.#worker.terminate();
  }

  #end(problem: string): void {
    this.#failure ??= problem;
    this.#finish?.(this.#isAsked ? { kind: 'crashed', processorMs: 0 } : this.#failed(problem));
  }

  #failed(problem: string): JudgingEnd {
    return { kind: 'failed', problem, processorMs: 0 };
  }
}
