import type { KeyStatement } from '../../../workflows/verdict/policy-head.ts';
import type { KeyDescription, KeyReference } from '../managed-key.ts';

/** How fresh the state of a key has to be. */
export interface KeyFreshness {
  /** A state that is older is asked for again, in ms. Default of policies: 5 min. */
  readonly maxAgeMs: number;
  /** How old the last known state may be while the service can't be reached, in ms; 0 refuses at once. */
  readonly staleMs: number;
}

/** What is known of a key, and since when. */
export interface CheckedKey {
  readonly reference: KeyReference;
  readonly description: KeyDescription;
  /** Unix time in ms of the question: the answer was true then. */
  readonly checkedAt: number;
  /** The keys that the reference meant before, where it means others now: an alias that was moved. Newest first. */
  readonly before: readonly PreviousKey[];
}

export interface PreviousKey {
  /** Hex SHA-256 of the SPKI. */
  readonly keyId: string;
  readonly resource: string;
  /** Unix time in ms when the reference was last seen to mean it. */
  readonly seenAt: number;
}

/** The keys of one worker's policies. Simultaneous and repeated callers share one answer for as long as it is fresh. */
export interface ManagedKeys {
  /**
   * The key as it is, or was at most `maxAgeMs` ago; while its service can't be reached, as it was at most `staleMs` ago.
   * Throws the KMS_ codes, and KEY_STATE_STALE when the last state is older than that. A caller whose time is over
   * (`AbortSignal.timeout`) is told KMS_TIMEOUT.
   */
  check(reference: KeyReference, freshness: KeyFreshness, signal: AbortSignal): Promise<CheckedKey>;
  /** What is known of keys now, to be told to others. */
  statements(): readonly KeyStatement[];
  /**
   * Takes over what another worker found out since, about keys whose public half is known here already. What is older
   * than what is known, or about another key, is passed over. The caller has checked the signature.
   */
  learn(statements: readonly KeyStatement[]): void;
  /** Has the service itself verify. Throws the KMS_ codes. */
  verify(checked: CheckedKey, signed: Uint8Array, signature: Uint8Array, signal: AbortSignal): Promise<boolean>;
}
