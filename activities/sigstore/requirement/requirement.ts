import type { TrustMaterial } from '@sigstore/verify';
import type { VerificationKey } from '../key/key.ts';
import type { ClaimName } from './claim.ts';
import type { TextPattern } from './text-pattern.ts';
import type { Witness } from './witness.ts';

/** What one signature or attestation has to prove: the rule of one authority, with all that it trusts at hand. */
export interface Requirement {
  readonly signer: SignerRequirement;
  /** `undefined`: log entries are not looked at, except for the time that a certificate needs. */
  readonly log: LogRequirement | undefined;
  /** Signed timestamps (RFC 3161) that have to hold, from as many different authorities; 0 asks for none. */
  readonly timestamps: number;
  /** Verified times of either kind (log or timestamp authority) that have to agree; 0 asks for none (sigstore-go: observer timestamps). */
  readonly observers: number;
  /** Certificate authorities, CT logs, transparency logs and timestamp authorities: one trust domain, never merged with another. */
  readonly trust: TrustMaterial;
  readonly wanted: Wanted;
}

export type SignerRequirement =
  | { readonly kind: 'key'; readonly key: VerificationKey }
  | {
      readonly kind: 'keyless';
      /** One of them is enough; an empty list matches nothing. */
      readonly identities: readonly IdentityRule[];
      /** All of them have to hold. */
      readonly claims: readonly ClaimRule[];
      /** Certificate timestamps (SCT) from CT logs of the trust root that have to hold. */
      readonly certificateTimestamps: number;
    };

/** Who may have signed: both halves have to match. */
export interface IdentityRule {
  /** The OIDC issuer in the certificate (Fulcio OID 1.3.6.1.4.1.57264.1.8, else .1.1). */
  readonly issuer: TextPattern;
  /** The subject alternative name: e-mail, URI, other name, DNS name. */
  readonly subject: TextPattern;
}

/** A Fulcio certificate extension that has to have a value. */
export interface ClaimRule {
  readonly claim: ClaimName;
  readonly value: TextPattern;
}

export interface LogRequirement {
  /** Entries, each proven by promise or inclusion proof, from as many different logs. At least 1. */
  readonly entries: number;
  /** Witnesses that have to have co-signed the checkpoint of an inclusion proof; 0 asks for none. */
  readonly cosignatures: number;
  readonly witnesses: readonly Witness[];
}

/** `signature`: of the image itself. `attestation`: a statement about it with one of these predicate types. */
export type Wanted =
  | { readonly kind: 'signature' }
  | { readonly kind: 'attestation'; readonly predicateTypes: readonly string[] };
