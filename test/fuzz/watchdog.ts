import { writeSync } from 'node:fs';
import { isMainThread, Worker, workerData } from 'node:worker_threads';

/** Far more than any input takes on a busy machine; the slowest known one takes some tenths of a second. */
const HANG_MS = 30_000;
const LOOK_MS = 1_000;

/** Ends this process, saying at which input, when one keeps it busy for longer than any should. */
export interface Watchdog {
  /** Told before each input. */
  begin(number: number): void;
  stop(): Promise<void>;
}

interface Watched {
  readonly counter: Int32Array;
  readonly what: string;
}

/** `what` names the campaign. The watchdog is a thread of its own: an input that hangs leaves this one no time to look. */
export function startWatchdog(what: string): Watchdog {
  const counter = new Int32Array(new SharedArrayBuffer(4));
  const watched: Watched = { counter, what };
  const worker = new Worker(new URL(import.meta.url), { workerData: watched });
  worker.unref();
  return {
    begin: (number) => void Atomics.store(counter, 0, number),
    stop: async () => void (await worker.terminate()),
  };
}

function watch({ counter, what }: Watched): void {
  let last = -1;
  let since = Date.now();
  setInterval(() => {
    const number = Atomics.load(counter, 0);
    if (number !== last) {
      last = number;
      since = Date.now();
    } else if (Date.now() - since > HANG_MS) {
      writeSync(2, `${what}: input ${number} hangs; it is made again by this seed and number\n`);
      process.kill(process.pid, 'SIGKILL');
    }
  }, LOOK_MS);
}

// The cast is what the constructor above was given.
if (!isMainThread && workerData !== null) watch(workerData as Watched);
