import type { Descriptor } from './descriptor.ts';
import type { Digest } from './digest.ts';
import type { ReasonCode } from './reason.ts';
import type { Envelope, SignedVerdict, Signer, Verdict } from './verdict.ts';

/**
 * The port: what the workflows need from the outside. `activities/` implements it; a problem that is an answer comes
 * back as a value, an inability is thrown as an ApplicationFailure whose type is a reason code.
 */
export interface Activities {
  /** Which loaded policies match this name. Throws POLICY_INVALID, POLICY_CHANGED. */
  resolvePolicy(request: PolicyRequest): Promise<PolicyResolution>;
  /** Every place signatures can live for this digest. Throws the REGISTRY_ codes. */
  fetchSignatures(request: SignaturesRequest): Promise<SignatureSet>;
  /** That the key of one authority may be used now. Throws KEY_UNREADABLE, POLICY_CHANGED. */
  checkKey(request: KeyRequest): Promise<KeyCheck>;
  /** Judges the fetched signatures by one authority's key. Throws the REGISTRY_ codes (bytes that left the cache are fetched again), POLICY_CHANGED. */
  verifySignature(request: VerificationRequest): Promise<AuthorityOutcome>;
  /**
   * Signs a verdict: DSSE over a SLSA Verification Summary, with the times of the worker's own clock. An allow is proven
   * once more from the evidence before it is signed, so that nobody who can schedule activities can make one up.
   * Throws KEY_UNREADABLE, CLAIM_UNPROVEN and what {@link verifySignature} throws.
   */
  signVerdict(request: VerdictRequest): Promise<SignedVerdict>;
  /** The signed statement of which policy revision this worker applies. Throws KEY_UNREADABLE. */
  describePolicy(): Promise<Envelope>;
  /** What a name points to now: for people at a terminal; containerd brings its own descriptor. Throws the REGISTRY_ codes. */
  resolveDescriptor(request: { readonly name: string }): Promise<Descriptor>;
}

export interface PolicyRequest {
  /** The name without its digest. */
  readonly name: string;
  /** The revision the caller wants applied; another one is POLICY_CHANGED. */
  readonly policyRevision: string;
}

export interface PolicyResolution {
  /** How many policies are loaded at all: none is a refusal of its own. */
  readonly loaded: number;
  readonly matching: readonly MatchingPolicy[];
}

export interface MatchingPolicy {
  readonly name: string;
  readonly authorities: readonly AuthorityReference[];
}

/** Names one authority of one policy; its key stays with the worker. */
export interface AuthorityReference {
  readonly policy: string;
  readonly authority: string;
}

export interface SignaturesRequest {
  readonly name: string;
  readonly digest: Digest;
}

/** Where a signature was listed. */
export type SignaturePlace = 'referrers' | 'referrers-tag' | 'signature-tag';

/** A signature that was found and not yet judged. */
export type SignatureReference =
  | { readonly format: 'bundle'; readonly place: SignaturePlace; readonly manifest: Digest; readonly blob: Digest }
  | {
      readonly format: 'simple-signing';
      readonly place: SignaturePlace;
      readonly manifest: Digest;
      /** Digest of the signed payload. */
      readonly blob: Digest;
      /** Which layer of the manifest: the signature is an annotation there. */
      readonly layer: number;
    };

export interface SignatureSet {
  readonly signatures: readonly SignatureReference[];
  /** Artefacts that were listed but can't be signatures we read: junk, too large, truncated. */
  readonly unreadable: readonly { readonly artefact: string; readonly code: ReasonCode; readonly sentence: string }[];
}

export interface KeyRequest extends AuthorityReference {
  readonly policyRevision: string;
}

export interface KeyCheck {
  /** Hex SHA-256 of the DER SubjectPublicKeyInfo. */
  readonly keyId: string;
  /** For example `ECDSA P-256`, `RSA 2048`, `Ed25519`. */
  readonly algorithm: string;
}

export interface VerificationRequest extends KeyRequest, SignaturesRequest {
  readonly keyId: string;
  readonly signatures: readonly SignatureReference[];
}

/** What the signatures proved about one authority. */
export type AuthorityOutcome =
  | { readonly satisfied: true; readonly signer: Signer }
  | {
      readonly satisfied: false;
      /** One line for each signature that was judged, in order. */
      readonly rejected: readonly { readonly blob: Digest; readonly code: ReasonCode; readonly sentence: string }[];
    };

/** What the workflow concluded; the worker adds when, and until when. */
export type VerdictClaim = Omit<Verdict, 'decidedAt' | 'expiresAt'>;

export interface VerdictRequest {
  readonly claim: VerdictClaim;
  /** The signatures that the signers of the claim rest on. */
  readonly evidence: readonly SignatureReference[];
}
