import type { ReasonCode } from '../../workflows/verdict/reason.ts';
import type { VerificationKey } from '../sigstore/key/key.ts';

/** The services in which keys may live, each with a grammar of its own (sigstore/sigstore `pkg/signature/kms`). */
export type KeyProvider = 'awskms' | 'hashivault' | 'openbao' | 'gcpkms' | 'azurekms';

/** A key as a policy names it. Made only by `parseKeyUri`. */
export interface KeyReference {
  readonly provider: KeyProvider;
  /** The whole of it, for example `awskms:///alias/release`: what people recognise. Holds no secret. */
  readonly uri: string;
}

/** What a service says of a key now. */
export interface KeyDescription {
  /** The resource behind the reference as its owner knows it: an ARN, a path with its version. Never bytes of a key. */
  readonly resource: string;
  readonly state: KeyState;
  /** The keys under which a signature may hold: one, or the versions that are still good. Empty unless it is usable. */
  readonly keys: readonly VerificationKey[];
}

export type KeyState =
  | { readonly kind: 'usable' }
  /** An answer, not an inability: KEY_DISABLED, KEY_PENDING_DELETION, KEY_UNAVAILABLE, KEY_UNSUITABLE or KEY_NOT_FOUND. */
  | { readonly kind: 'unusable'; readonly code: ReasonCode; readonly sentence: string };

/** A signature that a service made with one of its keys. */
export interface ManagedSignature {
  readonly signature: Uint8Array;
  /** The key that made it. */
  readonly key: VerificationKey;
}

/**
 * One service. What could not be found out is thrown as an EvidenceError: KMS_THROTTLED, KMS_UNREACHABLE, KMS_TIMEOUT,
 * KMS_ERROR, KMS_MISBEHAVED (retryable), KMS_ACCESS_DENIED, KMS_CREDENTIALS. Each call is one attempt: Temporal retries.
 */
export interface KeyManager {
  /** Public key and state, both asked now. */
  describe(reference: KeyReference, signal: AbortSignal): Promise<KeyDescription>;
  /** Has the service verify a signature over these bytes, for those who want its audit trail. */
  verify(
    reference: KeyReference,
    key: VerificationKey,
    signed: Uint8Array,
    signature: Uint8Array,
    signal: AbortSignal,
  ): Promise<boolean>;
  /** Signs these bytes with the hash that fits the key. */
  sign(reference: KeyReference, bytes: Uint8Array, signal: AbortSignal): Promise<ManagedSignature>;
}
