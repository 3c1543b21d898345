import type { Proof } from './sigstore/judgement.ts';

/**
 * What this worker has proven lately, by everything that the proof depends on. One verification judges the same bytes
 * in up to three activities, and a certificate costs some milliseconds each time. Refusals are not kept.
 */
export class JudgementCache {
  readonly #most: number;
  readonly #proofs = new Map<string, Proof>();

  constructor(most: number) {
    this.#most = most;
  }

  get(question: string): Proof | undefined {
    return this.#proofs.get(question);
  }

  put(question: string, proof: Proof): void {
    this.#proofs.delete(question);
    this.#proofs.set(question, proof);
    for (const oldest of this.#proofs.keys()) {
      if (this.#proofs.size <= this.#most) break;
      this.#proofs.delete(oldest);
    }
  }
}
