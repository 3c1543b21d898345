import assert from 'node:assert/strict';
import type { Refusal } from '../../activities/sigstore/judgement.ts';
import { REASON_OUTCOME } from '../../workflows/verdict/reason.ts';
import type { Input } from './input.ts';

/** What a reader did with an input. */
export type Outcome = 'accepted' | 'refused';

/** One reader under attack. */
export interface Target {
  readonly name: string;
  /** Inputs that are accepted; all others are made from them. */
  readonly seeds: readonly Input[];
  /**
   * Gives an input to the reader. Throws when the reader breaks its contract: throws something that it should not, says
   * something that would break a line, or accepts what nobody signed.
   */
  run(input: Input): Outcome | Promise<Outcome>;
}

/** Characters that break a line, hide, or reorder. */
const BREAKING = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

/** Sentences of the readers are short, and cut what they quote. */
const LONGEST = 2_000;

/** Shows that a text is one inert line, whatever was quoted in it. */
export function assertInert(text: string): void {
  assert.ok(text.length > 0 && text.length <= LONGEST, `expected a short line, found ${text.length} characters`);
  assert.doesNotMatch(text, BREAKING);
}

/** Shows that a refusal is one of ours. */
export function refused({ code, sentence }: Omit<Refusal, 'valid'>): Outcome {
  assert.equal(REASON_OUTCOME[code], 'deny', code);
  assertInert(sentence);
  return 'refused';
}

/** The bytes of a part; none where the input has no such part. */
export function partOf(input: Input, name: string): Buffer {
  return Buffer.from(input.parts[name] ?? []);
}
