import { type LogStatement, MAX_LOG_STATEMENTS } from '../../workflows/verdict/policy-head.ts';
import { MAX_LOG_REQUEST_MS } from '../limits.ts';
import type { ProvenEntry } from '../sigstore/judgement.ts';
import type { TransparencyLog } from '../trust/trust-root.ts';
import type { OnAlarm } from './alarm.ts';
import { askerOf } from './ask.ts';
import { CheckpointStore } from './checkpoint-store.ts';
import type { Confirmation, LiveLogs } from './live-log.ts';
import { type LogApi, treeOf } from './log-api.ts';
import { LogMemory } from './log-memory.ts';
import { createRekorV1 } from './rekor-v1.ts';
import { createRekorV2 } from './rekor-v2.ts';
import { WatchedTree, type WatchSettings } from './watched-tree.ts';

/** A checkpoint of the public logs is a second old; half a minute bounds what a node can be shown late. */
const DEFAULT_MAX_AGE_MS = 30_000;

/** Logs of which something is remembered that was only told; each has to be asked to be of any use. */
const MAX_TOLD_LOGS = 64;

export interface LiveLogsOptions {
  /** Where checkpoints are kept across restarts; without it they are forgotten with the process. */
  readonly directory?: string;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  /** One request, its body included. */
  readonly requestTimeoutMs?: number;
  /** How long a fetched checkpoint serves. */
  readonly maxAgeMs?: number;
  readonly onAlarm?: OnAlarm;
}

/** The transparency logs of one worker, asked over HTTP. */
export function createLiveLogs(options: LiveLogsOptions = {}): LiveLogs {
  const store = options.directory === undefined ? undefined : new CheckpointStore(options.directory);
  const { requestTimeoutMs = MAX_LOG_REQUEST_MS } = options;
  const settings = { now: options.now ?? Date.now, maxAgeMs: options.maxAgeMs ?? DEFAULT_MAX_AGE_MS };
  const watched = new Map<string, WatchedLog>();
  const told = new Map<string, Set<string>>();
  const watch = (log: TransparencyLog): WatchedLog => {
    const key = `${log.id} ${log.baseUrl.href}`;
    const known = watched.get(key);
    if (known !== undefined) return known;
    const ask = askerOf(log, { requestTimeoutMs, now: settings.now });
    const api = log.version === 'v1' ? createRekorV1(log, ask) : createRekorV2(log, ask);
    const created = new WatchedLog(api, new LogMemory(log, store, options.onAlarm ?? (() => undefined)), settings);
    watched.set(key, created);
    return created;
  };
  return {
    confirm: async (log, entry, signal) => await watch(log).confirm(entry, told.get(log.id) ?? new Set(), signal),
    statements: () => [...watched.values()].flatMap((one) => one.statements()).slice(0, MAX_LOG_STATEMENTS),
    learn(statements) {
      for (const { log, checkpoint } of statements) {
        // Which log it is will be known when that is asked for the first time.
        const notes = told.get(log) ?? new Set();
        if (notes.size < MAX_LOG_STATEMENTS && told.size < MAX_TOLD_LOGS) told.set(log, notes.add(checkpoint));
      }
    },
    lookUp: async (log, question, signal) => await watch(log).api.lookUp(question, signal),
  };
}

/** One log with all its trees. */
class WatchedLog {
  readonly api: LogApi;
  readonly #memory: LogMemory;
  readonly #settings: WatchSettings;
  readonly #trees = new Map<string, WatchedTree>();

  constructor(api: LogApi, memory: LogMemory, settings: WatchSettings) {
    this.api = api;
    this.#memory = memory;
    this.#settings = settings;
  }

  /** What this worker saw of the log. */
  statements(): readonly LogStatement[] {
    return this.#memory.notes().map((checkpoint) => ({ log: this.#memory.log.id, checkpoint }));
  }

  async confirm(entry: ProvenEntry, told: Set<string>, signal: AbortSignal): Promise<Confirmation> {
    await this.#memory.load();
    const { loss } = this.#memory;
    if (loss !== undefined) return { confirmed: false, code: 'LOG_MEMORY_UNREADABLE', sentence: loss };
    if (await this.#memory.isAcquitted()) this.#trees.clear();
    const refusal = this.#memory.refusal;
    if (refusal !== undefined) return { confirmed: false, code: 'LOG_INCONSISTENT', sentence: refusal };
    const answer = await this.#confirmTold(told, signal);
    if (answer !== undefined) return answer;
    const inclusion = entry.inclusion ?? (await this.api.locate(entry.canonicalizedBody, signal));
    return await this.#treeOf(inclusion.origin).confirm(inclusion, signal);
  }

  /** Holds what other workers saw against the log as it is now; each once. */
  async #confirmTold(notes: Set<string>, signal: AbortSignal): Promise<Confirmation | undefined> {
    for (const note of notes) {
      const signed = this.#memory.parse(note);
      if (signed !== undefined) {
        const tree = this.#treeOf(signed.checkpoint.origin);
        const answer = await tree.confirm(signed.checkpoint, signal, 'the checkpoint that another worker saw');
        if (!answer.confirmed) return answer;
      }
      notes.delete(note);
    }
    return undefined;
  }

  #treeOf(origin: string): WatchedTree {
    const tree = treeOf(this.#memory.log, origin);
    const known = this.#trees.get(tree);
    if (known !== undefined) return known;
    const created = new WatchedTree(tree, this.api, this.#memory, this.#settings);
    this.#trees.set(tree, created);
    return created;
  }
}
