import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../log/log.ts';
import type { CanarySource } from './canary.ts';
import type { PullClient } from './clients.ts';
import type { ContainerdIdentity } from './identity.ts';
import { type CanaryOutcome, type CanaryResult, colourOf } from './outcome.ts';
import { runCanary } from './run.ts';

/** What the canaries of a daemon show. */
export interface CanaryState {
  /** Of the last one; `undefined` before the first and when it could not be found out. */
  readonly green: boolean | undefined;
  /** When the last one ended that was green or red, Unix ms; 0 before the first. */
  readonly at: number;
  /** How many came to what. */
  readonly outcomes: ReadonlyMap<string, number>;
}

export interface CanaryWatch {
  state(): CanaryState;
  /** Settles when the one that is under way has left nothing behind. */
  stop(): Promise<void>;
}

export interface CanaryWatchOptions {
  readonly source: CanarySource;
  readonly client: PullClient;
  readonly identity: ContainerdIdentity;
  readonly everyMs: number;
  /** How often it is looked whether containerd is still the same, in ms. */
  readonly lookMs?: number;
}

const LOOK_MS = 5_000;

/** One that is not green is tried again sooner, so that a cure shows, in ms. */
const NOT_GREEN_MS = 60_000;

/** For an image to be taken off a node whose containerd may hang, in ms. */
const LEAVE_MS = 3_000;

/** Nodes that start together must not pull together. */
const jitter = (ms: number) => ms * (0.9 + Math.random() * 0.2);

/**
 * Runs a canary each time when containerd is there anew, after an upgrade as after the daemon's own start, and otherwise
 * again and again. A red one is logged as an error each time, a green one when it is the first after something else.
 */
export function watchCanary(options: CanaryWatchOptions, log: Log): CanaryWatch {
  const { source, client, identity, everyMs, lookMs = Math.min(LOOK_MS, everyMs) } = options;
  const stopped = new AbortController();
  const { signal } = stopped;
  const outcomes = new Map<CanaryOutcome, number>();
  let state: CanaryState = { green: undefined, at: 0, outcomes };

  function note(result: CanaryResult): void {
    const { outcome } = result;
    const colour = colourOf(outcome);
    const fields = { outcome, client: result.client, sentence: result.steps.at(-1)?.sentence, cure: result.cure };
    if (colour === 'red') log.error('canary is red', fields);
    else if (colour === 'unknown') log.warn('canary could not be run', fields);
    else if (state.green !== true) log.info('canary is green', { client: result.client });
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    if (colour === 'unknown') state = { ...state, green: undefined };
    else state = { green: colour === 'green', at: Date.now(), outcomes };
  }

  async function run(): Promise<void> {
    let known: string | undefined;
    let due = performance.now() + everyMs; // there may be no containerd for so long after a start
    while (!signal.aborted) {
      await delay(jitter(lookMs), undefined, { signal, ref: false });
      const found = await identity.read();
      const isNew = found !== undefined && found !== known;
      if (!isNew && performance.now() < due) continue;
      known = found ?? known;
      const result = await runCanary(source, client, signal);
      if (signal.aborted) return; // it was cut short
      note(result);
      due = performance.now() + jitter(state.green === true ? everyMs : Math.min(everyMs, NOT_GREEN_MS));
    }
  }
  const running = run()
    .catch(() => {}) // only its end by `stop` rejects
    .finally(() => {
      client.close();
      identity.close();
    });

  return {
    state: () => state,
    async stop() {
      stopped.abort();
      await Promise.race([running, delay(LEAVE_MS, undefined, { ref: false })]);
    },
  };
}
