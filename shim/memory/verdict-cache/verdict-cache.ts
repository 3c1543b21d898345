import type { Digest } from '../../../workflows/format/digest.ts';
import type { Envelope } from '../../../workflows/verdict/verdict.ts';

/** What a kept verdict is about. */
export interface CacheKey {
  readonly name: string;
  readonly digest: Digest;
  readonly policyRevision: string;
}

/**
 * Signed verdicts that allow, on the node's disk. It believes nothing: what it answers is checked like an answer from
 * Temporal (`verdict-check.ts`), each time. It never throws, because a node with a full disk still has to decide.
 */
export interface VerdictCache {
  /** The newest envelope that was kept about this pull; `undefined` for none, and for one that can't be read any more. */
  find(key: CacheKey): Envelope | undefined;
  /** Keeps an envelope that was believed. What doesn't fit the bounds or the disk is not kept, and counted. */
  keep(key: CacheKey, envelope: Envelope, goodUntilMs: number): void;
  /** Entries that can be found, entries that could not be kept since the start, and bytes on the disk. */
  stats(): { readonly entries: number; readonly lost: number; readonly bytes: number };
  /** Writes what is not written yet. */
  close(): Promise<void>;
}
