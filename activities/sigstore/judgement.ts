import type { Digest } from '../../workflows/format/digest.ts';
import type { Glob } from '../../workflows/policy/glob.ts';
import type { ReasonCode } from '../../workflows/verdict/reason.ts';

/** What a signature has to be about. */
export interface ExpectedImage {
  readonly digest: Digest;
  /** `registry/repository`, as `repositoryOf` writes it. */
  readonly repository: string;
  /** What a policy says about the reference that is signed; without it the repository above, with any tag or none. */
  readonly identity?: SignedIdentity;
}

/** Which reference a signature may name where it names one. */
export interface SignedIdentity {
  /** Repositories that count beside the image's own. */
  readonly signedAs: readonly Glob[];
  readonly reference: ExpectedReference;
}

/** `exact`: a signature names the tag as well; `tag` is that of the name that is pulled. */
export type ExpectedReference =
  | { readonly kind: 'repository' }
  | { readonly kind: 'exact'; readonly tag: string | undefined };

/** What one piece of evidence proved. The sentence is one line and quotes foreign text inertly. */
export type SignatureJudgement = Proof | Refusal;

export interface Proof {
  readonly valid: true;
  /** Who signed, in words a person recognises: `key sha256:<hex>`, or `<subject> (<issuer>)` of a certificate. */
  readonly identity: string;
  /** The log entries that were proven, in the order of the evidence. */
  readonly entries: readonly ProvenEntry[];
  /**
   * Unix time in ms from which the certificate of the signer is valid, as its authority signed it; `undefined` for a key.
   * Entries and timestamps can be added to old evidence by anyone, which makes it no newer.
   */
  readonly certifiedAt: number | undefined;
  /** For an attestation: what it states. */
  readonly statement: Statement | undefined;
}

export interface Refusal {
  readonly valid: false;
  readonly code: ReasonCode;
  readonly sentence: string;
}

/** An in-toto statement whose signature holds and whose subject is the image. */
export interface Statement {
  readonly predicateType: string;
  /** Whatever the predicate is: parsed JSON, or `undefined` where there is none. */
  readonly predicate: unknown;
  /** The whole statement as it was signed. */
  readonly document: Readonly<Record<string, unknown>>;
}

/** A log entry that is about this signature, and proven by the log's own signature. */
export interface ProvenEntry {
  /** Hex of the log id (SHA-256 of the log's key; for tiled logs the C2SP key id and name). */
  readonly logId: string;
  /** The bytes that were logged. */
  readonly canonicalizedBody: Uint8Array;
  /** Unix time in ms; `undefined` for logs without one (Rekor v2) and where no promise vouches for it. */
  readonly integratedTime: number | undefined;
  /** `undefined` when the log only promised (SET). */
  readonly inclusion: EntryInclusion | undefined;
}

/** Where in the tree of a signed checkpoint the entry is. */
export interface EntryInclusion {
  /** First line of the checkpoint: which tree it is (Rekor v1: `<host> - <tree id>`; a log may have several). */
  readonly origin: string;
  readonly index: bigint;
  readonly treeSize: bigint;
  readonly rootHash: Uint8Array;
}

/** A step of a judgement: what it produced, or the refusal that ends the judgement. */
export type Step<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly refusal: Refusal };

/** A refusal with its code and sentence. */
export function refuse(code: ReasonCode, sentence: string): Refusal {
  return { valid: false, code, sentence };
}

/** The step that ends in this refusal. */
export function failed<T>(refusal: Refusal): Step<T> {
  return { ok: false, refusal };
}
