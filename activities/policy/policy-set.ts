import type { KeyObject } from 'node:crypto';
import type { LogMode, SignatureSource } from '../../workflows/activities.ts';
import type { Glob } from '../../workflows/policy/glob.ts';
import type { Revocations } from '../../workflows/revocations.ts';
import type { Condition } from '../attestation/condition.ts';
import type { KeyFreshness } from '../kms/checked/managed-keys.ts';
import type { KeyReference } from '../kms/managed-key.ts';
import type { DockerConfig } from '../registry/credentials/docker-config.ts';
import type { HashAlgorithm, VerificationKey } from '../sigstore/key/key.ts';
import type { ClaimRule, IdentityRule } from '../sigstore/requirement/requirement.ts';
import type { Witness } from '../sigstore/requirement/witness.ts';
import type { TrustRootDocument } from '../trust/trust-root-document.ts';
import type { PolicyProblem } from '../yaml/problem.ts';

/** One ClusterImagePolicy, parsed and with its keys at hand. */
export interface Policy {
  readonly name: string;
  /** The file it stands in, relative to the directory. */
  readonly file: string;
  readonly images: readonly Glob[];
  /** A policy that warns never refuses; what it would have refused is among the reasons. */
  readonly mode: 'enforce' | 'warn';
  readonly authorities: readonly Authority[];
}

/** Somebody whose signature, or whose attestations, satisfy a policy. */
export interface Authority {
  readonly name: string;
  readonly signer: SignerRule;
  /** `undefined`: no transparency log is asked for. */
  readonly log: LogRule | undefined;
  readonly timestamps: TimestampRule | undefined;
  /** Verified times of either kind that are wanted; 0 asks for none. */
  readonly observers: number;
  /** All of them are wanted; none means that a signature of the image is wanted. */
  readonly attestations: readonly AttestationRule[];
  /** Where its evidence lives; empty is the image's own repository. */
  readonly sources: readonly SignatureSource[];
  /** Which forms count. */
  readonly formats: readonly ('bundle' | 'legacy')[];
  /** Evidence about the image index of the tag that is pulled counts for the manifests that the index lists. */
  readonly coversIndexChildren: boolean;
  /** Of the attestations of one kind that are proven, the newest has to meet the condition; the others count for nothing. */
  readonly newestAttestation: boolean;
  /** Repositories under which the image may have been signed, beside its own. */
  readonly signedAs: readonly SignedAs[];
  /** `exact`: a signature has to name the tag that is pulled as well. */
  readonly signedReference: 'repository' | 'exact';
}

/** Repositories under which an image may have been signed, beside its own. */
export type SignedAs =
  | { readonly kind: 'glob'; readonly glob: Glob }
  /** The image's repository with `signedPrefix` in the place of `prefix`, as for a mirror. */
  | { readonly kind: 'prefix'; readonly prefix: string; readonly signedPrefix: string };

export type SignerRule =
  | { readonly kind: 'key'; readonly key: VerificationKey }
  | ManagedSigner
  | {
      readonly kind: 'keyless';
      readonly identities: readonly IdentityRule[];
      readonly claims: readonly ClaimRule[];
      /** Name of the trust root whose certificate authorities and CT logs count; `undefined`: none, with `ca-cert`. */
      readonly trustRoot: string | undefined;
      /** `keyless.ca-cert`: these certificates (DER, leaf-most first) instead of the trust root's authorities. */
      readonly certificateAuthority: readonly Uint8Array[] | undefined;
      readonly insecureIgnoreSct: boolean;
    }
  /** Needs no evidence: everything passes, or nothing. */
  | { readonly kind: 'static'; readonly action: 'pass' | 'fail'; readonly message: string | undefined };

/** A key that lives in a KMS: its public half and its state are asked for, and nothing about it is in the policy. */
export interface ManagedSigner {
  readonly kind: 'kms';
  readonly reference: KeyReference;
  /** Pins the hash of ECDSA and RSA signatures. */
  readonly hashAlgorithm: HashAlgorithm | undefined;
  readonly freshness: KeyFreshness;
  /** `remote`: the KMS verifies as well, and keeps its record of that. */
  readonly verification: 'local' | 'remote';
}

export interface LogRule {
  readonly mode: LogMode;
  /** Entries that are wanted, from as many different logs. */
  readonly entries: number;
  /** Name of the trust root whose logs count. */
  readonly trustRoot: string;
  /** `ctlog.url`; of meaning only with `publicKey` and for look-up. */
  readonly url: string | undefined;
  /** `ctlog.public-key`: this log key instead of the trust root's logs. */
  readonly publicKey: KeyObject | undefined;
  readonly cosignatures: number;
  readonly witnesses: readonly Witness[];
}

export interface TimestampRule {
  /** From as many different authorities. */
  readonly count: number;
  /** Name of the trust root whose timestamp authorities count. */
  readonly trustRoot: string;
}

export interface AttestationRule {
  /** Names it in sentences. */
  readonly name: string;
  /** Full predicate types, aliases resolved; one of them is enough. */
  readonly predicateTypes: readonly string[];
  /** What the statement has to say; `undefined`: that it is there. */
  readonly condition: Condition | undefined;
}

/** How long a node that can't reach the backend may go on using an allow, for the images that these globs match. */
export interface OfflineUse {
  readonly images: readonly Glob[];
  /** Counted from when the verdict was reached, in ms. */
  readonly forMs: number;
  /** For how long workers must have been silent, in ms, while Temporal answers. */
  readonly silenceMs: number;
}

/** All policies of one directory at one moment. */
export interface PolicySet {
  /**
   * Hex SHA-256 over the paths and bytes of the policy files, but for those that only revoke, and of the files they refer to.
   * A part of the policy revision, which `appliedRevision` makes, and never shown.
   */
  readonly contentHash: string;
  readonly policies: readonly Policy[];
  /** How long nodes without a backend may use an allow: not at all for a name that none of them matches. */
  readonly offlineUses: readonly OfflineUse[];
  /** Stated to nodes beside the revision, so that other decisions stay good when another digest is revoked. */
  readonly revocations: Revocations;
  /** Names under which revoked indexes can be read, where Revocations say so. */
  readonly revokedNames: readonly string[];
  readonly trustRoots: readonly TrustRootDocument[];
  /** Registry credentials that policies name by `signaturePullSecrets`, by name. */
  readonly pullSecrets: ReadonlyMap<string, DockerConfig>;
}

/** A directory is used as a whole or not at all. */
export type PolicyLoad =
  | { readonly ok: true; readonly set: PolicySet }
  | { readonly ok: false; readonly revision: string; readonly problems: readonly PolicyProblem[] };
