import { EvidenceError } from '../evidence-error.ts';
import { type Consistency, checkConsistency, type TreeHead } from '../sigstore/log/merkle.ts';
import { misbehaved } from './failure.ts';
import type { Confirmation } from './live-log.ts';
import type { LogApi, SignedCheckpoint } from './log-api.ts';
import type { LogMemory } from './log-memory.ts';
import { SharedWork } from './shared-work.ts';

export interface WatchSettings {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** How long a fetched checkpoint serves, in ms. */
  readonly maxAgeMs: number;
}

type Refused = Extract<Confirmation, { readonly confirmed: false }>;

/** A tree that was compared with the current one; `note` is its evidence. */
interface Compared extends TreeHead {
  readonly note: string;
  readonly name: string;
}

/** Trees of which is known that today's tree continues them; a tree is some 100 bytes. */
const MAX_KNOWN_TREES = 10_000;
const REFRESH = 'refresh';

/** One tree of one log: its current checkpoint, and that all which it has shown is one history. */
export class WatchedTree {
  readonly #tree: string;
  readonly #api: LogApi;
  readonly #memory: LogMemory;
  readonly #settings: WatchSettings;
  readonly #refreshes = new SharedWork<SignedCheckpoint | Refused>();
  readonly #comparisons = new SharedWork<Refused | undefined>();
  /** Root by size, hex; every later checkpoint that is accepted continues them too. */
  readonly #known = new Map<bigint, string>();
  #current: { readonly signed: SignedCheckpoint; readonly at: number } | undefined;
  #isRolledBack = false;

  constructor(tree: string, api: LogApi, memory: LogMemory, settings: WatchSettings) {
    this.#tree = tree;
    this.#api = api;
    this.#memory = memory;
    this.#settings = settings;
  }

  /** That today's tree continues `head`, which the log signed. Throws the LOG_ codes that are about reaching the log. */
  async confirm(head: TreeHead, signal: AbortSignal, name = "the entry's checkpoint"): Promise<Confirmation> {
    const current = await this.#currentTree(head.treeSize, signal);
    if ('confirmed' in current) return current;
    const key = `${head.treeSize} ${hex(head.rootHash)}`;
    const refused =
      this.#known.get(head.treeSize) === hex(head.rootHash)
        ? undefined
        : await this.#comparisons.join(key, this.#name, signal, async (shared) => {
            return await this.#continue(describe(head, name), current, shared);
          });
    return refused ?? { confirmed: true, log: this.#name, treeSize: current.checkpoint.treeSize };
  }

  /** A checkpoint that is fresh enough, and as large as the entry's if the log has one. */
  async #currentTree(size: bigint, signal: AbortSignal): Promise<SignedCheckpoint | Refused> {
    const held = this.#current;
    const age = held === undefined ? Number.POSITIVE_INFINITY : this.#settings.now() - held.at;
    if (held !== undefined && age >= 0 && age <= this.#settings.maxAgeMs && held.signed.checkpoint.treeSize >= size) {
      // In the second half of its life it still serves, and the next one is on its way.
      if (age > this.#settings.maxAgeMs / 2) this.#refresh(new AbortController().signal).catch(() => undefined);
      return held.signed;
    }
    // What is under way may have been asked for before the entry was logged.
    const wasRunning = this.#refreshes.isRunning(REFRESH);
    const current = await this.#refresh(signal);
    if (!wasRunning || 'confirmed' in current || current.checkpoint.treeSize >= size) return current;
    return await this.#refresh(signal);
  }

  async #refresh(signal: AbortSignal): Promise<SignedCheckpoint | Refused> {
    return await this.#refreshes.join(REFRESH, this.#name, signal, async (shared) => await this.#accept(shared));
  }

  /** Fetches the current checkpoint and holds it against the newest one that was accepted before. */
  async #accept(signal: AbortSignal): Promise<SignedCheckpoint | Refused> {
    const signed = await this.#api.readCheckpoint(this.#tree, signal);
    const before = this.#memory.newest(this.#tree);
    if (before !== undefined) {
      const head = { ...before.checkpoint, note: before.note, name: 'the checkpoint that was seen before' };
      const refused = await this.#continue(head, signed, signal);
      if (refused !== undefined) return refused;
    }
    await this.#memory.remember(this.#tree, signed);
    this.#isRolledBack = false;
    this.#know(signed.checkpoint);
    this.#current = { signed, at: this.#settings.now() };
    return signed;
  }

  /** Refuses when `current` does not continue `earlier`; both are signed by the log. */
  async #continue(earlier: Compared, current: SignedCheckpoint, signal: AbortSignal): Promise<Refused | undefined> {
    const { checkpoint } = current;
    const known = this.#known.get(earlier.treeSize);
    if (known !== undefined && known !== hex(earlier.rootHash)) return await this.#convict(earlier, current);
    if (earlier.treeSize > checkpoint.treeSize) {
      if (await this.#isForked(checkpoint, earlier, signal)) return await this.#convict(earlier, current);
      return this.#rollBack(earlier, current);
    }
    const consistency = await this.#compare(earlier, checkpoint, signal);
    if (consistency === 'inconsistent') return await this.#convict(earlier, current);
    if (consistency === 'unproven') {
      throw misbehaved(
        this.#name,
        `the proof from ${earlier.treeSize} to ${checkpoint.treeSize} entries does not hold`,
      );
    }
    this.#know(earlier);
    return undefined;
  }

  async #compare(smaller: TreeHead, larger: TreeHead, signal: AbortSignal): Promise<Consistency> {
    // No hashes are needed for one size, nor from the empty tree.
    if (smaller.treeSize === larger.treeSize || smaller.treeSize === 0n) return checkConsistency(smaller, larger, []);
    return await this.#api.compare(this.#tree, smaller, larger, signal);
  }

  /** Whether a tree that seems rolled back is another history. A log that has rolled back can hardly be asked: no answer is no. */
  async #isForked(smaller: TreeHead, larger: TreeHead, signal: AbortSignal): Promise<boolean> {
    try {
      return (await this.#compare(smaller, larger, signal)) === 'inconsistent';
    } catch (error) {
      if (error instanceof EvidenceError) return false;
      throw error;
    }
  }

  async #convict(earlier: Compared, { note, checkpoint }: SignedCheckpoint): Promise<Refused> {
    const sentence =
      `${this.#name} has signed two histories: ${earlier.name}, of ${earlier.treeSize} entries, ` +
      `and its current tree of ${checkpoint.treeSize} can't both be`;
    const at = new Date(this.#settings.now()).toISOString();
    await this.#memory.convict({ sentence, at, evidence: [earlier.note, note] });
    this.#current = undefined;
    return { confirmed: false, code: 'LOG_INCONSISTENT', sentence: this.#memory.refusal ?? sentence };
  }

  #rollBack(earlier: Compared, { checkpoint }: SignedCheckpoint): Refused {
    const sentence =
      `${this.#name} shows a tree of ${checkpoint.treeSize} entries, and ${earlier.name} has ${earlier.treeSize}; ` +
      'pull again, and raise the alarm if it stays so';
    if (!this.#isRolledBack) this.#memory.raise('rolled-back', sentence);
    this.#isRolledBack = true;
    return { confirmed: false, code: 'LOG_ROLLED_BACK', sentence };
  }

  #know({ treeSize, rootHash }: TreeHead): void {
    this.#known.set(treeSize, hex(rootHash));
    const [oldest] = this.#known.keys();
    if (this.#known.size > MAX_KNOWN_TREES && oldest !== undefined) this.#known.delete(oldest);
  }

  get #name(): string {
    return `transparency log ${this.#memory.log.baseUrl.host}`;
  }
}

function describe(head: TreeHead, name: string): Compared {
  return { ...head, name, note: `${head.treeSize} ${Buffer.from(head.rootHash).toString('base64')}` };
}

function hex(hash: Uint8Array): string {
  return Buffer.from(hash).toString('hex');
}
