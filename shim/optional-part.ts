import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from './log/log.ts';
import { messageOf } from './log/message-of.ts';

/** A part of the daemon that the gate does not need: metrics, the gRPC service, canaries. */
export interface OptionalPart {
  /** As metrics and doctor name it. */
  readonly name: string;
  /** Why it is not there now; `undefined` once it is. */
  problem(): string | undefined;
  /** Settles once it is there, or the first attempt failed, or took long. */
  readonly tried: Promise<void>;
  /** Gives up opening it, or closes it. */
  close(): Promise<void>;
}

/** Between two attempts, in ms: another program may hold a port for good, and one attempt costs nothing. */
const RETRY_MS = 5_000;

/** A host name may take long to be resolved, and nothing waits for it longer than this, in ms. */
const FIRST_MS = 500;

/**
 * Opens a part of the daemon in the background, again and again until it succeeds. `open` answers how it is closed. A
 * failure is logged as a warning when it is the first one or another than before. Never rejects.
 */
export function openOptionalPart(
  name: string,
  open: () => Promise<() => unknown>,
  log: Log,
  retryMs = RETRY_MS,
): OptionalPart {
  const ended = new AbortController();
  const { signal } = ended;
  let problem: string | undefined = 'it is being opened';
  let close: (() => unknown) | undefined;

  async function attempt(): Promise<void> {
    try {
      const opened = await open();
      if (signal.aborted) await opened();
      else close = opened;
      if (problem !== undefined && said) log.info('a part of the daemon is there now', { part: name });
      problem = undefined;
    } catch (error) {
      const found = messageOf(error);
      if (found !== problem)
        log.warn('a part of the daemon is missing; the gate works without it', { part: name, error: found });
      [problem, said] = [found, true];
    }
  }
  let said = false;
  const first = attempt();
  const opening = first.then(async () => {
    while (close === undefined && !signal.aborted) {
      await delay(retryMs, undefined, { signal, ref: false }).catch(() => {});
      if (!signal.aborted) await attempt();
    }
  });

  return {
    name,
    problem: () => problem,
    tried: Promise.race([first, delay(FIRST_MS, undefined, { ref: false })]),
    async close() {
      ended.abort();
      await Promise.race([opening, delay(FIRST_MS, undefined, { ref: false })]);
      await close?.();
    },
  };
}
