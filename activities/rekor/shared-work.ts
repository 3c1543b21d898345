import { timedOut } from './failure.ts';

interface Running<T> {
  readonly promise: Promise<T>;
  readonly controller: AbortController;
  waiting: number;
}

/** Work that is done once for all who ask for it at the same time, and given up when the last of them has left. */
export class SharedWork<T> {
  readonly #running = new Map<string, Running<T>>();

  isRunning(key: string): boolean {
    return this.#running.has(key);
  }

  /** Joins the work of that key, or starts it. Throws LOG_TIMEOUT once the caller's own signal ends its waiting. */
  async join(key: string, what: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (signal.aborted) throw timedOut(what, signal.reason);
    const running = this.#running.get(key) ?? this.#start(key, work);
    running.waiting++;
    try {
      return await untilAborted(running.promise, what, signal);
    } finally {
      if (--running.waiting === 0) {
        this.#forget(key, running);
        running.controller.abort();
      }
    }
  }

  #start(key: string, work: (signal: AbortSignal) => Promise<T>): Running<T> {
    const controller = new AbortController();
    const running: Running<T> = { promise: work(controller.signal), controller, waiting: 0 };
    this.#running.set(key, running);
    const end = () => this.#forget(key, running);
    running.promise.then(end, end);
    return running;
  }

  #forget(key: string, running: Running<T>): void {
    if (this.#running.get(key) === running) this.#running.delete(key);
  }
}

async function untilAborted<T>(promise: Promise<T>, what: string, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(timedOut(what, signal.reason));
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
