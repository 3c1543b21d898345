import type { Descriptor } from './format/descriptor.ts';
import type { Digest } from './format/digest.ts';
import type { Reason, ReasonCode } from './verdict/reason.ts';
import type { Envelope, SignedVerdict, Signer, Verdict } from './verdict/verdict.ts';

/**
 * The port: what the workflows need from the outside. `activities/` implements it; a problem that is an answer comes
 * back as a value, an inability is thrown as an ApplicationFailure whose type is a reason code.
 */
export interface Activities {
  /** Which loaded policies match this name. Throws POLICY_INVALID, POLICY_CHANGED. */
  resolvePolicy(request: PolicyRequest): Promise<PolicyResolution>;
  /**
   * Every place signatures can live for this digest. Throws the REGISTRY_ codes when no place has evidence and one of
   * them gives no answer.
   */
  fetchSignatures(request: SignaturesRequest): Promise<SignatureSet>;
  /** That the key, or the trust root, of one authority may be used now. Throws KEY_UNREADABLE, the TRUST_ROOT_ codes, POLICY_CHANGED. */
  checkKey(request: KeyRequest): Promise<KeyCheck>;
  /** Judges the fetched signatures by one authority. Throws the REGISTRY_ codes (bytes that left the cache are fetched again), POLICY_CHANGED. */
  verifySignature(request: VerificationRequest): Promise<AuthorityOutcome>;
  /**
   * What the transparency logs say of the signatures that one authority accepts, in the way its policy chose. Throws the
   * LOG_ codes that are about reaching a log, the REGISTRY_ codes, POLICY_CHANGED.
   */
  checkTransparencyLog(request: VerificationRequest): Promise<LogOutcome>;
  /**
   * Signs a verdict: DSSE over a SLSA Verification Summary, with the times of the worker's own clock. An allow is proven
   * once more from the evidence before it is signed, so that nobody who can schedule activities can make one up. It comes back
   * as a refusal when something that the image contains is revoked, or when that can't be found out.
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
  readonly digest: Digest;
  /** The revision the caller wants applied; another one is POLICY_CHANGED. */
  readonly policyRevision: string;
}

export interface PolicyResolution {
  /** How many policies are loaded at all: none is a refusal of its own. */
  readonly loaded: number;
  readonly matching: readonly MatchingPolicy[];
  /** The digest is revoked: then no policy is asked, and none is listed. */
  readonly revoked?: true;
  /** Where no policy matches the name itself: some of those that would match a name of the same place, and why. */
  readonly near?: readonly NearPolicy[];
}

/** How a policy may be about an image although none of its globs matches the name: by a tag, which the name lacks, or by another name of its host. */
export interface NearMatch {
  readonly by: 'tag' | 'host';
  readonly glob: string;
}

export interface NearPolicy extends NearMatch {
  readonly policy: string;
}

export interface MatchingPolicy {
  readonly name: string;
  /** A policy that warns never refuses. */
  readonly mode: 'enforce' | 'warn';
  readonly authorities: readonly MatchingAuthority[];
  /** Set where the policy applies beside one that matches the name itself. */
  readonly near?: NearMatch;
}

/** Names one authority of one policy; what it trusts stays with the worker. */
export interface AuthorityReference {
  readonly policy: string;
  readonly authority: string;
}

/** How a transparency log is checked: the proof in the bundle; that and the live log; or a look-up where there is no proof. */
export type LogMode = 'offline' | 'consistency' | 'lookup';

/** One authority, with as much of its rule as tells which steps it takes. */
export interface MatchingAuthority extends AuthorityReference {
  /** The key as the policy names it, where it lives in a KMS. */
  readonly key?: string;
  /** The answer of an authority that needs no evidence; absent for all others. */
  readonly static?: StaticAnswer;
  /** How the transparency log is checked; absent where none is asked for. */
  readonly log?: LogMode;
  /** Where its evidence lives; empty for a static one alone. */
  readonly sources: readonly SignatureSource[];
}

/** Everything passes, or nothing (policy-controller `static`). */
export interface StaticAnswer {
  readonly action: 'pass' | 'fail';
  /** What the policy says to whoever is refused. */
  readonly message?: string;
}

/** A repository in which evidence of an image may live. An empty one is the image's own repository under the usual tags. */
export interface SignatureSource {
  /** `registry/repository`; absent is the image's own. */
  readonly repository?: string;
  /** Goes before `sha256-<hex>` in the tags (policy-controller `source[].tagPrefix`). */
  readonly tagPrefix?: string;
  /** Names of the pull secrets in the policy directory. */
  readonly pullSecrets?: readonly string[];
  /** Also what is about the index that the name's tag points to, where that index lists the digest. */
  readonly coversIndexChildren?: true;
  /** All evidence is wanted at once and from every place: a piece that is missing could decide. */
  readonly everyPart?: true;
}

export interface SignaturesRequest {
  readonly name: string;
  readonly digest: Digest;
  readonly policyRevision: string;
  readonly source: SignatureSource;
  /** Which part of the evidence, from 0 and below {@link MAX_EVIDENCE_PARTS}; absent is the first one. */
  readonly part?: number;
  /** Fails while a place gives no answer and another try may help, whatever the other places have. */
  readonly allPlaces?: true;
}

/** Where a signature was listed. */
export type SignaturePlace = 'referrers' | 'referrers-tag' | 'signature-tag' | 'attestation-tag';

interface SignatureLocation {
  readonly place: SignaturePlace;
  readonly source: SignatureSource;
  readonly manifest: Digest;
  /** Digest of the bundle, of the simple signing payload, or of the envelope. */
  readonly blob: Digest;
  /** The index that it is about, where that lists the image; absent when it is about the image itself. */
  readonly index?: Digest;
}

/**
 * A signature or attestation that was found and not yet judged. Of `simple-signing` (cosign `.sig`) and `envelope`
 * (cosign `.att`) the signature, certificate and log entry are annotations of a layer.
 */
export type SignatureReference =
  | ({ readonly format: 'bundle' } & SignatureLocation)
  | ({ readonly format: 'simple-signing' | 'envelope'; readonly layer: number } & SignatureLocation);

/** A place that could not be looked at, and whether another try may help. */
export interface UnavailablePlace extends Reason {
  readonly retryable: boolean;
}

/** One part of what a source holds. */
export interface SignatureSet {
  readonly signatures: readonly SignatureReference[];
  /** Artefacts that were listed but can't be signatures we read: junk, too large, truncated. */
  readonly unreadable: readonly { readonly artefact: string; readonly code: ReasonCode; readonly sentence: string }[];
  /** Places that gave no answer, each with its code; absent when all of them did. What was found is good without them. */
  readonly unavailable?: readonly UnavailablePlace[];
  /** There is another part. */
  readonly more?: true;
}

export interface KeyRequest extends AuthorityReference {
  readonly policyRevision: string;
  /** What another worker found out about keys in a KMS, and saw of logs, signed. */
  readonly statement?: Envelope;
}

/** What an authority is known by, or why it is no use: a key that its owner has disabled, say. */
export type KeyCheck =
  | {
      readonly usable: true;
      /** Hex SHA-256: of the DER SubjectPublicKeyInfo of a key, or the revision of a trust root. */
      readonly keyId: string;
      /** For people: `ECDSA P-256`, `trust root public-good`, or the key's resource, its state, and when it was asked for. */
      readonly detail: string;
    }
  | ({ readonly usable: false } & Reason);

export interface VerificationRequest extends KeyRequest {
  readonly name: string;
  readonly digest: Digest;
  readonly keyId: string;
  readonly signatures: readonly SignatureReference[];
}

/** One piece of evidence that an authority did not accept. */
export interface Rejection extends Reason {
  readonly blob: Digest;
}

/** What the signatures proved about one authority. */
export type AuthorityOutcome =
  | {
      readonly satisfied: true;
      /** One for the signature, or one for each attestation that is wanted. */
      readonly signers: readonly Signer[];
    }
  | {
      readonly satisfied: false;
      /** One line for each piece of evidence that was judged, in order. */
      readonly rejected: readonly Rejection[];
      /** Evidence that satisfies one of several rules: with what is found later, it may satisfy all of them. */
      readonly partial?: readonly Digest[];
    };

/** What the logs said about the signatures that an authority accepts by themselves. */
export interface LogOutcome {
  /** The signatures whose log entries are as the policy wants them. */
  readonly confirmed: readonly Digest[];
  readonly rejected: readonly Rejection[];
  /** For people: which log, which entry, which tree. */
  readonly detail: string;
}

/** What the workflow concluded; the worker adds for whom, when, until when, by which trust roots and what it covers. */
export type VerdictClaim = Omit<
  Verdict,
  'fleet' | 'trustRevision' | 'decidedAt' | 'expiresAt' | 'offlineUntil' | 'workerSilenceMs' | 'covers'
>;

export interface VerdictRequest {
  readonly claim: VerdictClaim;
  /** The signatures that the signers of the claim rest on. */
  readonly evidence: readonly SignatureReference[];
}
