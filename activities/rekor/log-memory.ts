import { parseCheckpoint } from '../sigstore/checkpoint.ts';
import type { TransparencyLog } from '../trust/trust-root.ts';
import type { LogAlarm, OnAlarm } from './alarm.ts';
import type { CheckpointStore, Conviction } from './checkpoint-store.ts';
import { type SignedCheckpoint, signatureProblem, treeOf } from './log-api.ts';

/** What is remembered of one log: the newest accepted checkpoint of each tree, and whether it was caught lying. */
export class LogMemory {
  readonly log: TransparencyLog;
  readonly #store: CheckpointStore | undefined;
  readonly #onAlarm: OnAlarm;
  readonly #newest = new Map<string, SignedCheckpoint>();
  #conviction: Conviction | undefined;
  #loading: Promise<void> | undefined;
  #saving: Promise<void> = Promise.resolve();
  #isUnsaved = false;

  constructor(log: TransparencyLog, store: CheckpointStore | undefined, onAlarm: OnAlarm) {
    this.log = log;
    this.#store = store;
    this.#onAlarm = onAlarm;
  }

  /** Reads what an earlier worker left; a second call waits for the first. */
  async load(): Promise<void> {
    this.#loading ??= this.#load();
    await this.#loading;
  }

  /** Why nothing of this log is believed any more, and what a person can do; `undefined` while nothing is wrong. */
  get refusal(): string | undefined {
    return this.#conviction === undefined ? undefined : `${this.#conviction.sentence}; ${this.#cure()}`;
  }

  newest(tree: string): SignedCheckpoint | undefined {
    return this.#newest.get(tree);
  }

  async remember(tree: string, signed: SignedCheckpoint): Promise<void> {
    const known = this.#newest.get(tree);
    this.#newest.set(tree, signed);
    // A checkpoint that is only signed anew is not worth a write.
    if (known?.checkpoint.treeSize !== signed.checkpoint.treeSize) await this.#save();
  }

  /** From here on nothing of this log is believed. The first one counts. */
  async convict(conviction: Conviction): Promise<void> {
    if (this.#conviction !== undefined) return;
    this.#conviction = conviction;
    this.raise('inconsistent', conviction.sentence);
    await this.#save();
  }

  /** A person who takes the file away acquits the log, and clears all that was remembered of it. Answers whether it is so. */
  async isAcquitted(): Promise<boolean> {
    if (this.#conviction === undefined) return false;
    // The file may be about to be written for the first time.
    await this.#saving;
    if (this.#isUnsaved || !(await this.#store?.isRemoved(this.log.id))) return false;
    this.#conviction = undefined;
    this.#newest.clear();
    return true;
  }

  raise(kind: LogAlarm['kind'], sentence: string): void {
    this.#onAlarm({ kind, log: this.log.baseUrl.href, sentence });
  }

  async #load(): Promise<void> {
    const loaded = await this.#store?.load(this.log.id);
    if (loaded === undefined || loaded.kind === 'none') return;
    const problem = loaded.kind === 'unreadable' ? loaded.problem : undefined;
    const { checkpoints, conviction } =
      loaded.kind === 'record' ? loaded.record : { checkpoints: [], conviction: undefined };
    this.#conviction = conviction;
    const unsigned = checkpoints.filter((note) => !this.#recall(note)).length;
    if (problem === undefined && unsigned === 0) return;
    const what = problem ?? `${unsigned} checkpoints in it are not signed by the log`;
    this.raise('memory-lost', `${this.#path()} is not used, ${what}: what the log showed before is forgotten`);
  }

  #recall(note: string): boolean {
    const checkpoint = parseCheckpoint(note);
    if (checkpoint === undefined || signatureProblem(this.log, checkpoint) !== undefined) return false;
    this.#newest.set(treeOf(this.log, checkpoint.origin), { note, checkpoint });
    return true;
  }

  /** One after the other, so that the newest is what stays. */
  async #save(): Promise<void> {
    const store = this.#store;
    if (store === undefined) return;
    this.#saving = this.#saving.then(async () => {
      const checkpoints = [...this.#newest.values()].map(({ note }) => note);
      const problem = await store.save(this.log.id, { checkpoints, conviction: this.#conviction });
      if (problem !== undefined && !this.#isUnsaved) {
        this.raise(
          'memory-unsaved',
          `${this.#path()} can't be written (${problem}); the log's history holds until a restart`,
        );
      }
      this.#isUnsaved = problem !== undefined;
    });
    await this.#saving;
  }

  #cure(): string {
    const path = this.#path();
    if (path === undefined) return 'explain it, then restart the worker to believe the log again';
    return `explain it, then remove ${path} to believe the log again`;
  }

  #path(): string | undefined {
    return this.#store?.pathOf(this.log.id);
  }
}
