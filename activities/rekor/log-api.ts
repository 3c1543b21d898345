import type { EntryInclusion } from '../sigstore/judgement.ts';
import { type Checkpoint, isSignedBy, parseCheckpoint } from '../sigstore/log/checkpoint.ts';
import type { EntryQuestion, FoundEntry } from '../sigstore/log/looked-up-entry.ts';
import type { Consistency, TreeHead } from '../sigstore/log/merkle.ts';
import { quote } from '../text/quote.ts';
import type { TransparencyLog } from '../trust/trust-root.ts';
import { misbehaved } from './failure.ts';

/** A checkpoint that the log signed, with the note it was read from. */
export interface SignedCheckpoint {
  readonly note: string;
  readonly checkpoint: Checkpoint;
}

/** What a log can be asked, in either version. All throw the LOG_ codes that are about reaching it, LOG_MISBEHAVED too. */
export interface LogApi {
  /** The tree as the log signs it now. */
  readCheckpoint(tree: string, signal: AbortSignal): Promise<SignedCheckpoint>;
  /** Whether the smaller tree (of at least one entry) is a prefix of the larger one, by hashes from the log. */
  compare(tree: string, smaller: TreeHead, larger: TreeHead, signal: AbortSignal): Promise<Consistency>;
  /** Where a promised entry is: proven against a checkpoint of the log. */
  locate(canonicalizedBody: Uint8Array, signal: AbortSignal): Promise<EntryInclusion>;
  /** What {@link LiveLogs.lookUp} answers. */
  lookUp(question: EntryQuestion, signal: AbortSignal): Promise<readonly FoundEntry[]>;
}

/**
 * Names the tree that a checkpoint is about: a log's own name, or the tree id of Rekor v1, whose servers may each put
 * another host name before it (rekor `cmd/rekor-server/app/root.go`: the pod's).
 */
export function treeOf(log: TransparencyLog, origin: string): string {
  if (log.version === 'v2') return origin;
  return / - ([0-9]+)$/.exec(origin)?.[1] ?? origin;
}

/** Reads a checkpoint that the log has to have signed. Throws LOG_MISBEHAVED. */
export function verifiedCheckpoint(log: TransparencyLog, what: string, note: string): SignedCheckpoint {
  const checkpoint = parseCheckpoint(note);
  if (checkpoint === undefined) throw misbehaved(what, 'expected a checkpoint, got something else');
  const problem = signatureProblem(log, checkpoint);
  if (problem !== undefined) throw misbehaved(what, problem);
  return { note, checkpoint };
}

/** What is wrong with whom a checkpoint is by; `undefined` when it is the log's. */
export function signatureProblem(log: TransparencyLog, checkpoint: Checkpoint): string | undefined {
  if (log.version === 'v2' && log.origin !== undefined && checkpoint.origin !== log.origin) {
    return `expected a checkpoint of ${quote(log.origin)}, got one of ${quote(checkpoint.origin)}`;
  }
  const name = log.version === 'v2' ? log.origin : undefined;
  if (isSignedBy(checkpoint, log.publicKey, name)) return undefined;
  return 'the checkpoint is not signed by the key that the trust root names; look at what stands before the log';
}
