import type { Digest } from '../format/digest.ts';
import type { Outcome, Reason } from './reason.ts';

/** A signer that satisfied an authority, in words a person recognises. */
export interface Signer {
  /** `<policy>/<authority>` that this signer satisfied. */
  readonly authority: string;
  /** Of a key `key sha256:<hex of the SPKI>`, of a certificate `<subject> (<issuer>)`. */
  readonly identity: string;
  /** Digest of the signed artefact that proved it: a bundle blob, a simple signing payload or an envelope. */
  readonly evidence: Digest;
  /** What it attests; absent for a signature of the image. */
  readonly predicateType?: string;
}

/** The decision about one name and digest. It travels only inside a signed envelope. */
export interface Verdict {
  /** Short id that people copy from a refused pull; see `decisionId`. */
  readonly decisionId: string;
  /** The name as it was asked for, without its digest, in one spelling. */
  readonly name: string;
  readonly digest: Digest;
  /** The fleet whose nodes may use it; `undefined` in verdicts of versions that named none, which no node uses. */
  readonly fleet: string | undefined;
  readonly outcome: Outcome;
  /** Never empty; the decisive one first. */
  readonly reasons: readonly [Reason, ...Reason[]];
  /** Hex of the content hash over the policy directory and the trust roots that were applied. */
  readonly policyRevision: string;
  /** Hex SHA-256 over the trust roots that were believed; empty when no policy names one. Part of the revision above. */
  readonly trustRevision: string;
  readonly signers: readonly Signer[];
  /** RFC 3339 times, UTC. A verdict is good from `decidedAt` until `expiresAt`. */
  readonly decidedAt: string;
  readonly expiresAt: string;
  /**
   * Until when a node that can't reach the backend may go on allowing by it, RFC 3339, UTC; absent where the policy
   * permits none of that. Only an allow has it.
   */
  readonly offlineUntil?: string;
  /** With `offlineUntil`: for how long workers must have been silent, in ms, while Temporal answers. */
  readonly workerSilenceMs?: number;
  /**
   * Of an allow, the digests besides its own by whose revocation it ends: the manifests that the image lists, and what
   * its evidence is stored in or is about. Absent where the worker could not find them out: such an allow is not used
   * by a node that knows of any revoked digest.
   */
  readonly covers?: readonly Digest[];
}

/** Digests that one verdict covers: those that an index lists (`MAX_LISTED`), and evidence of as many signers as there may be. */
export const MAX_COVERED = 1_000;

/** A DSSE envelope (secure-systems-lab/dsse, envelope.md): payload and signatures in base64. */
export interface Envelope {
  readonly payloadType: string;
  readonly payload: string;
  readonly signatures: readonly { readonly keyid: string; readonly sig: string }[];
}

/**
 * What a verification answers. Nodes read the envelope alone, after its signature holds; `verdict` repeats its content
 * in the clear for whoever looks at the workflow's result.
 */
export interface SignedVerdict {
  readonly verdict: Verdict;
  readonly envelope: Envelope;
}
