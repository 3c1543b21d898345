import { MAX_LOG_TREES } from '../limits.ts';
import { parseCheckpoint } from '../sigstore/log/checkpoint.ts';
import type { TransparencyLog } from '../trust/trust-root.ts';
import type { LogAlarm, OnAlarm } from './alarm.ts';
import type { CheckpointStore, Conviction, LoadedRecord, LogRecord } from './checkpoint-store.ts';
import { misbehaved } from './failure.ts';
import { type SignedCheckpoint, signatureProblem, treeOf } from './log-api.ts';

/** What is remembered of one log: the newest accepted checkpoint of each tree, and whether it was caught lying. */
export class LogMemory {
  readonly log: TransparencyLog;
  readonly #store: CheckpointStore | undefined;
  readonly #onAlarm: OnAlarm;
  readonly #newest = new Map<string, SignedCheckpoint>();
  #conviction: Conviction | undefined;
  #loading: Promise<void> | undefined;
  #inReserve = false;
  /** Why what the log showed before is not known: something is there that can't be read. */
  #lost: string | undefined;
  /** The sentence that was raised as an alarm. */
  #raisedLoss: string | undefined;
  #saving: Promise<void> = Promise.resolve();
  #isUnsaved = false;

  constructor(log: TransparencyLog, store: CheckpointStore | undefined, onAlarm: OnAlarm) {
    this.log = log;
    this.#store = store;
    this.#onAlarm = onAlarm;
  }

  /** Reads what an earlier worker left; a second call waits for the first. What could not be read is read again. */
  async load(): Promise<void> {
    this.#loading ??= this.#load();
    await this.#loading;
    if (this.#lost !== undefined) this.#loading = undefined;
  }

  /** Why nothing of this log is accepted until a person has looked at what is kept of it; `undefined` while that is known. */
  get loss(): string | undefined {
    return this.#lost;
  }

  /** Why nothing of this log is believed any more, and what a person can do; `undefined` while nothing is wrong. */
  get refusal(): string | undefined {
    return this.#conviction === undefined ? undefined : `${this.#conviction.sentence}; ${this.#cure()}`;
  }

  /** The notes of the newest checkpoints, one for each tree. */
  notes(): readonly string[] {
    return [...this.#newest.values()].map(({ note }) => note);
  }

  newest(tree: string): SignedCheckpoint | undefined {
    return this.#newest.get(tree);
  }

  /** Throws LOG_MISBEHAVED for a log that shows more trees than any has. */
  async remember(tree: string, signed: SignedCheckpoint): Promise<void> {
    const known = this.#newest.get(tree);
    if (known === undefined && this.#newest.size >= MAX_LOG_TREES) {
      const name = `transparency log ${this.log.baseUrl.host}`;
      throw misbehaved(name, `expected at most ${MAX_LOG_TREES} trees, it has shown more`);
    }
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
    if (this.#conviction === undefined || this.#store === undefined) return false;
    // The file may be about to be written for the first time.
    await this.#saving;
    if (this.#isUnsaved) return false;
    const loaded = await this.#store.load(this.log.id);
    // Another worker may have begun a new file since.
    const isFree = loaded.kind === 'none' || (loaded.kind === 'record' && loaded.record.conviction === undefined);
    if (!isFree) return false;
    this.#conviction = undefined;
    this.#newest.clear();
    return true;
  }

  raise(kind: LogAlarm['kind'], sentence: string): void {
    this.#onAlarm({ kind, log: this.log.baseUrl.href, sentence });
  }

  async #load(): Promise<void> {
    this.#lost = undefined;
    await this.#store?.reserve(this.log.id);
    const loaded = await this.#store?.load(this.log.id);
    if (loaded === undefined || loaded.kind === 'none') return;
    const problem = loaded.kind === 'unreadable' ? loaded.problem : undefined;
    this.#inReserve = loaded.kind === 'record' && loaded.inReserve === true;
    const { checkpoints, conviction } =
      loaded.kind === 'record' ? loaded.record : { checkpoints: [], conviction: undefined };
    this.#conviction = conviction;
    const unsigned = checkpoints.filter((note) => !this.#recall(note)).length;
    if (problem === undefined && unsigned === 0) return;
    const what = problem ?? `${unsigned} checkpoints in it are not signed by the log`;
    const path = this.#path();
    this.#lost = `it is not known what transparency log ${this.log.baseUrl.host} showed before (${path}: ${what}); restore ${path}, or remove it to begin anew`;
    if (this.#raisedLoss !== this.#lost) this.raise('memory-lost', this.#lost);
    this.#raisedLoss = this.#lost;
  }

  #recall(note: string): boolean {
    const signed = this.parse(note);
    if (signed === undefined) return false;
    this.#newest.set(treeOf(this.log, signed.checkpoint.origin), signed);
    return true;
  }

  /** A checkpoint that this log has signed; `undefined` for anything else. */
  parse(note: string): SignedCheckpoint | undefined {
    const checkpoint = parseCheckpoint(note);
    if (checkpoint === undefined || signatureProblem(this.log, checkpoint) !== undefined) return undefined;
    return { note, checkpoint };
  }

  /** One after the other, so that the newest is what stays. */
  async #save(): Promise<void> {
    const store = this.#store;
    if (store === undefined) return;
    this.#saving = this.#saving.then(async () => {
      const problem = await store.save(this.log.id, this.#merged(await store.load(this.log.id)));
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

  /** Other workers may keep their memory in the same file: a conviction is never lost, nor the larger tree. */
  #merged(stored: LoadedRecord): LogRecord {
    const merged = new Map(this.#newest);
    const record = stored.kind === 'record' ? stored.record : undefined;
    for (const note of record?.checkpoints ?? []) {
      const signed = this.parse(note);
      if (signed === undefined) continue;
      const tree = treeOf(this.log, signed.checkpoint.origin);
      const ours = merged.get(tree);
      if (ours === undefined || ours.checkpoint.treeSize < signed.checkpoint.treeSize) merged.set(tree, signed);
    }
    this.#conviction ??= record?.conviction;
    return { checkpoints: [...merged.values()].map(({ note }) => note), conviction: this.#conviction };
  }

  #cure(): string {
    const path = this.#path();
    if (path === undefined) return 'explain it, then restart the worker to believe the log again';
    const reserve = this.#store?.reserveOf(this.log.id);
    if (this.#isUnsaved || this.#inReserve)
      return `explain it, then remove ${path} and ${reserve} to believe the log again`;
    return `explain it, then remove ${path} to believe the log again`;
  }

  #path(): string | undefined {
    return this.#store?.pathOf(this.log.id);
  }
}
