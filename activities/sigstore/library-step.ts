import {
  type SignedEntity,
  type TrustMaterial,
  VerificationError,
  Verifier,
  type VerifierOptions,
} from '@sigstore/verify';
import type { Evidence } from './evidence/evidence.ts';
import { isDigestOf } from './evidence/signed.ts';
import type { VerificationKey } from './key/key.ts';

/** A signature that is known to hold, the key it holds under, and the certificate of that key if it has one. */
export interface Signing {
  readonly evidence: Evidence;
  readonly key: VerificationKey;
  /** DER, as found in the evidence. */
  readonly certificate: Buffer | undefined;
}

/** What one step looks at, and what it trusts; the rest is empty, and asks for nothing. */
export interface LibraryStep {
  readonly entity: Partial<SignedEntity>;
  readonly trust: Partial<TrustMaterial>;
  readonly thresholds?: VerifierOptions;
}

/** The code of a `VerificationError`, or `FAILED` for the other errors that hostile bytes provoke. */
export type LibraryFailure = VerificationError['code'] | 'FAILED';

/**
 * Runs one step of `@sigstore/verify` by itself, so that each has its own answer: its `Verifier` has one order for all,
 * and one code for several faults. The signature itself is not verified again: the library knows only the usual hash.
 */
export function runLibrary(signing: Signing, { entity, trust, thresholds }: LibraryStep): LibraryFailure | undefined {
  const material = { ...trustOnly(signing.key), ...trust };
  const options = { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0, ...thresholds };
  try {
    new Verifier(material, options).verify({
      signature: contentOf(signing.evidence),
      key: { $case: 'public-key', hint: '' },
      tlogEntries: [],
      timestamps: [],
      ...entity,
    });
    return undefined;
  } catch (error) {
    return error instanceof VerificationError ? error.code : 'FAILED';
  }
}

/** The library's seam for signatures that it can't verify itself; what it compares with a log entry is ours too. */
export function contentOf({ signature, signed, payload }: Evidence): SignedEntity['signature'] {
  return {
    signature,
    compareSignature: (other) => other.equals(signature),
    compareDigest: (digest) =>
      payload.kind === 'envelope' ? isDigestOf(digest, payload.bytes) : signed.hasDigest(digest),
    compareSignedDigest: (digest) => signed.hasDigest(digest),
    verifySignature: () => true,
  };
}

function trustOnly(key: VerificationKey): TrustMaterial {
  return {
    certificateAuthorities: [],
    timestampAuthorities: [],
    tlogs: [],
    ctlogs: [],
    publicKey: () => ({ publicKey: key.publicKey, validFor: () => true }),
  };
}
