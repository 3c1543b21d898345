import type { LogStatement } from '../../workflows/verdict/policy-head.ts';
import type { ProvenEntry } from '../sigstore/judgement.ts';
import type { EntryQuestion, FoundEntry } from '../sigstore/log/looked-up-entry.ts';
import type { TransparencyLog } from '../trust/trust-root.ts';

/** What asking a log about an entry found. */
export type Confirmation =
  | {
      readonly confirmed: true;
      readonly log: string;
      /** Size of the tree that the entry's checkpoint was found to be a prefix of. */
      readonly treeSize: bigint;
    }
  | {
      readonly confirmed: false;
      readonly code: 'LOG_INCONSISTENT' | 'LOG_ROLLED_BACK' | 'LOG_MEMORY_UNREADABLE';
      readonly sentence: string;
    };

/**
 * Asks transparency logs over the network, and remembers what they said: the newest checkpoint of each log is kept
 * across restarts, and no older or other history is accepted afterwards.
 */
export interface LiveLogs {
  /**
   * That the log's current tree contains the entry's tree (v1 without a proof: the entry itself), and the last tree
   * that was seen. Throws LOG_UNREACHABLE, LOG_TIMEOUT, LOG_THROTTLED, LOG_ERROR, LOG_MISBEHAVED.
   */
  confirm(log: TransparencyLog, entry: ProvenEntry, signal: AbortSignal): Promise<Confirmation>;
  /** The newest trees that were seen, to be told to other workers. */
  statements(): readonly LogStatement[];
  /**
   * Takes over what other workers saw: the next time that a log is asked, its tree has to continue that too. What the log
   * did not sign is passed over then.
   */
  learn(statements: readonly LogStatement[]): void;
  /** The entries of a signature that carries none; an empty list is the log's own answer. Throws what {@link confirm} throws. */
  lookUp(log: TransparencyLog, question: EntryQuestion, signal: AbortSignal): Promise<readonly FoundEntry[]>;
}
