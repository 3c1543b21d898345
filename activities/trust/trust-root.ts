import type { KeyObject } from 'node:crypto';
import type { TrustMaterial } from '@sigstore/verify';

/** The name under which Sigstore's public-good instance is trusted; what a policy means that names no trust root. */
export const PUBLIC_GOOD = 'public-good';

/** One trust domain: certificate authorities, CT logs, transparency logs and timestamp authorities that belong together. */
export interface TrustRoot {
  readonly name: string;
  /** Hex SHA-256 over its content: another one is another trust root. */
  readonly revision: string;
  readonly material: TrustMaterial;
  /** The transparency logs once more, as they are asked over the network. */
  readonly logs: readonly TransparencyLog[];
}

/** A transparency log that a trust root names. */
export interface TransparencyLog {
  /** Hex log id. */
  readonly id: string;
  readonly baseUrl: URL;
  readonly publicKey: KeyObject;
  /** `v1` has the Rekor API, `v2` serves tiles (C2SP tlog-tiles). */
  readonly version: 'v1' | 'v2';
  /** What its checkpoints are signed as; `undefined` for a v1 log, whose host name may be any. */
  readonly origin: string | undefined;
  /** Unix times in ms between which its key is believed; `undefined` is open. */
  readonly validFrom: number;
  readonly validUntil: number | undefined;
}

/** The trust roots of one worker, as they are now. Reading never touches the network. */
export interface TrustStore {
  /**
   * The trust root of that name. Throws TRUST_ROOT_UNAVAILABLE while none could be had, TRUST_ROOT_EXPIRED with the date
   * when its metadata is past its time, INTERNAL for a name that no policy could have named.
   */
  find(name: string): TrustRoot;
  /** Hex SHA-256 over names and revisions of all trust roots that are usable now. */
  revision(): string;
}
