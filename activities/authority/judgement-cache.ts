import type { ThreadJudgement } from '../judging/judging-message.ts';

/** A refusal that is known to be the answer to a question. */
type KnownRefusal = Extract<ThreadJudgement, { readonly valid: false }>;

/** A judgement, and for how long it is the answer to its question, in ms; 0 keeps it only for those who wait for it. */
export interface Judged {
  readonly judgement: ThreadJudgement;
  readonly keepMs: number;
}

interface Entry {
  readonly judged: Promise<Judged>;
  /** When it is forgotten; later for one that is still being made. */
  until: number;
  /** Characters of the statement that is kept with it. */
  size: number;
}

export interface JudgementBounds {
  readonly most: number;
  /** Of all statements together, in characters. */
  readonly statements: number;
}

/**
 * What this worker has found out lately about evidence, by everything that the answer depends on. One verification judges
 * the same bytes in up to three activities, two of them at once, and those that are retried judge them again: a proof is
 * kept for a moment, and a refusal that the bytes alone decide for as long as a verification lives, so that junk is
 * judged once. What is asked for several times at once is made once.
 */
export class JudgementCache {
  readonly #bounds: JudgementBounds;
  readonly #now: () => number;
  // A Map iterates in order of insertion, and a hit inserts again: the first entry is the least recently used.
  readonly #entries = new Map<string, Entry>();
  readonly #refusals = new Map<string, { readonly refusal: KnownRefusal; readonly until: number }>();
  #statements = 0;

  constructor(bounds: JudgementBounds, now: () => number = () => performance.now()) {
    this.#bounds = bounds;
    this.#now = now;
  }

  /** The judgement under that question, made now unless it is known or being made. */
  async get(question: string, make: () => Promise<Judged>): Promise<ThreadJudgement> {
    const known = this.#entries.get(question);
    if (known !== undefined && known.until > this.#now()) {
      this.#entries.delete(question);
      this.#entries.set(question, known);
      return (await known.judged).judgement;
    }
    this.#forget(question, known);
    const entry: Entry = { judged: make(), until: Number.POSITIVE_INFINITY, size: 0 };
    this.#entries.set(question, entry);
    this.#shrink();
    try {
      const { judgement, keepMs } = await entry.judged;
      entry.until = this.#now() + keepMs;
      if (keepMs <= 0) this.#forget(question, entry);
      else this.#weigh(question, entry, judgement);
      return judgement;
    } catch (error) {
      this.#forget(question, entry);
      throw error;
    }
  }

  /** The refusal that was kept under that question, if there is one. A proof is never handed out here. */
  refusal(question: string): KnownRefusal | undefined {
    const known = this.#refusals.get(question);
    return known === undefined || known.until <= this.#now() ? undefined : known.refusal;
  }

  /** Keeps a refusal under another question to which it is the answer too. */
  keepRefusal(question: string, refusal: KnownRefusal, keepMs: number): void {
    this.#refusals.delete(question);
    this.#refusals.set(question, { refusal, until: this.#now() + keepMs });
    for (const oldest of this.#refusals.keys()) {
      if (this.#refusals.size <= this.#bounds.most) break;
      this.#refusals.delete(oldest);
    }
  }

  #weigh(question: string, entry: Entry, judgement: ThreadJudgement): void {
    if (this.#entries.get(question) !== entry) return;
    entry.size = judgement.valid ? (judgement.statement?.json?.length ?? 0) : 0;
    this.#statements += entry.size;
    this.#shrink();
  }

  #shrink(): void {
    for (const [oldest, entry] of this.#entries) {
      if (this.#entries.size <= this.#bounds.most && this.#statements <= this.#bounds.statements) break;
      this.#forget(oldest, entry);
    }
  }

  #forget(question: string, entry: Entry | undefined): void {
    if (entry === undefined || this.#entries.get(question) !== entry) return;
    this.#entries.delete(question);
    this.#statements -= entry.size;
  }
}
