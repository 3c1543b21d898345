import type { SignatureJudgement } from './sigstore/judgement.ts';

/**
 * What this worker has proven lately, by everything that the proof depends on. One verification judges the same bytes
 * in up to three activities, two of them at once, and a certificate costs some milliseconds each time. Refusals are
 * shared while they are being made and not kept.
 */
export class JudgementCache {
  readonly #most: number;
  readonly #judgements = new Map<string, Promise<SignatureJudgement>>();

  constructor(most: number) {
    this.#most = most;
  }

  /** The judgement under that question, made now unless it is known or being made. */
  async get(question: string, make: () => Promise<SignatureJudgement>): Promise<SignatureJudgement> {
    const known = this.#judgements.get(question);
    if (known !== undefined) return await known;
    const making = make();
    this.#judgements.set(question, making);
    for (const oldest of this.#judgements.keys()) {
      if (this.#judgements.size <= this.#most) break;
      this.#judgements.delete(oldest);
    }
    try {
      const judgement = await making;
      if (!judgement.valid) this.#forget(question, making);
      return judgement;
    } catch (error) {
      this.#forget(question, making);
      throw error;
    }
  }

  #forget(question: string, made: Promise<SignatureJudgement>): void {
    if (this.#judgements.get(question) === made) this.#judgements.delete(question);
  }
}
