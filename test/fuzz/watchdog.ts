import { writeSync } from 'node:fs';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import type { Find } from './campaign.ts';

/** Far more than any input takes on a busy machine; the slowest known one takes some tenths of a second. */
const HANG_MS = 30_000;
/** Of the whole process; with all readers at work it takes less than half of it. */
const MAX_BYTES = 1.5e9;
const LOOK_MS = 1_000;

/** Ends this process, keeping the input, when one keeps it busy or lets it grow for more than any should. */
export interface Watchdog {
  /** Told before each input. */
  begin(number: number): void;
  stop(): Promise<void>;
}

interface Watched {
  readonly counter: Int32Array;
  readonly target: string;
  readonly seed: string;
}

/** The watchdog is a thread of its own: an input that hangs leaves this one no time to look. */
export function startWatchdog(target: string, seed: string): Watchdog {
  const counter = new Int32Array(new SharedArrayBuffer(4));
  const watched: Watched = { counter, target, seed };
  const worker = new Worker(new URL(import.meta.url), { workerData: watched });
  worker.unref();
  return {
    begin: (number) => void Atomics.store(counter, 0, number),
    stop: async () => void (await worker.terminate()),
  };
}

function watch(watched: Watched): void {
  const { counter } = watched;
  let last = -1;
  let since = Date.now();
  const look = setInterval(() => {
    const number = Atomics.load(counter, 0);
    if (number !== last) {
      last = number;
      since = Date.now();
    }
    const hangs = Date.now() - since > HANG_MS;
    if (!hangs && process.memoryUsage.rss() < MAX_BYTES) return;
    clearInterval(look);
    void end(watched, number, hangs ? 'it hangs' : 'it makes the process grow');
  }, LOOK_MS);
}

async function end({ target: name, seed }: Watched, number: number, problem: string): Promise<void> {
  try {
    // Only now: an input is made again from its number, and all of this takes a while to load.
    const [{ inputOf }, { keep }, { TARGETS }] = await Promise.all([
      import('./campaign.ts'),
      import('./keep.ts'),
      import('./targets.ts'),
    ]);
    const target = TARGETS.find((one) => one.name === name);
    if (target === undefined) throw new Error(`there is no target ${name}`);
    const find: Find = { number, input: inputOf(target, seed, number), problem };
    writeSync(2, `${name}, input ${number}: ${problem}; kept as ${await keep(name, seed, find)}\n`);
  } catch (error) {
    writeSync(2, `${name}, input ${number} of seed ${seed}: ${problem}; it could not be kept: ${String(error)}\n`);
  } finally {
    process.kill(process.pid, 'SIGKILL');
  }
}

// The cast is what the constructor above was given.
if (!isMainThread && workerData !== null) watch(workerData as Watched);
