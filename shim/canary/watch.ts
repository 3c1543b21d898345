import { setTimeout as delay } from 'node:timers/promises';
import type { Digest } from '../../workflows/digest.ts';
import type { Log } from '../log.ts';
import { criClient } from './clients.ts';
import { runCanary } from './run.ts';

/** What the last canary of a daemon showed. */
export interface CanaryState {
  /** `undefined` before the first. */
  readonly green: boolean | undefined;
  /** When it ended, Unix ms; 0 before the first. */
  readonly at: number;
}

export interface CanaryWatch {
  state(): CanaryState;
  stop(): void;
}

/** The first one comes soon after the start, when an upgrade may have changed something; in ms. */
const FIRST_MS = 10_000;

/** Nodes that start together must not pull together. */
const jitter = (ms: number) => ms * (0.9 + Math.random() * 0.2);

/**
 * Runs a canary through the CRI again and again. `passed` is what the daemon's rule lets in meanwhile. A red one is logged
 * as a warning each time, a green one when it is the first after something else.
 */
export function watchCanary(socket: string, everyMs: number, passed: Set<Digest>, log: Log): CanaryWatch {
  const stopped = new AbortController();
  let state: CanaryState = { green: undefined, at: 0 };

  async function once(): Promise<void> {
    const client = criClient(socket);
    try {
      const [result] = await runCanary([client], async (digest) => {
        passed.add(digest);
        return () => passed.delete(digest);
      });
      const green = result?.outcome === 'green';
      if (!green) log.warn('canary is red', { outcome: result?.outcome, sentence: result?.sentence });
      else if (state.green !== true) log.info('canary is green', { sentence: result.sentence });
      state = { green, at: Date.now() };
    } catch (error) {
      log.warn('canary could not be run', { error: String(error) }); // no port on loopback, for example
      state = { green: false, at: Date.now() };
    } finally {
      client.close();
    }
  }

  async function run(): Promise<void> {
    const { signal } = stopped;
    for (let wait = jitter(Math.min(FIRST_MS, everyMs)); ; wait = jitter(everyMs)) {
      await delay(wait, undefined, { signal, ref: false });
      await once();
    }
  }
  run().catch(() => {}); // only its end by `stop` rejects

  return { state: () => state, stop: () => stopped.abort() };
}
