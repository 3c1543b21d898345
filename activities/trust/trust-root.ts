import type { KeyObject } from 'node:crypto';
import type { TrustedRoot } from '@sigstore/protobuf-specs';
import { type TrustMaterial, toTrustMaterial } from '@sigstore/verify';
import { EvidenceError } from '../evidence-error.ts';
import { quote } from '../text/quote.ts';
import type { LogOrigins } from './trust-root-document.ts';
import type { TrustLog } from './trusted-root/trust-log.ts';
import { checkTrustedRoot, revisionOfTrust } from './trusted-root/trusted-root.ts';

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
   * when its metadata is past its time, POLICY_CHANGED for a name that the policies in use don't have.
   */
  find(name: string): TrustRoot;
  /** Hex SHA-256 over names and revisions of all trust roots that are usable now. */
  revision(): string;
}

/**
 * Makes a trusted root ready for judging. Throws TRUST_ROOT_UNAVAILABLE (not retryable) for one that
 * {@link checkTrustedRoot} refuses; those that came through a reader of this folder never are.
 */
export function toTrustRoot(name: string, root: TrustedRoot, origins?: LogOrigins): TrustRoot {
  const result = checkTrustedRoot(root, origins);
  if (!result.ok) {
    throw new EvidenceError(
      'TRUST_ROOT_UNAVAILABLE',
      `the trust root ${quote(name)} can't be used: ${result.problem}`,
      {
        retryable: false,
      },
    );
  }
  const { checked } = result;
  // Logs are ours: the library reads an RSA key by its label only, and an id as it stands.
  const authorities = toTrustMaterial({ ...root, tlogs: [], ctlogs: [] });
  return {
    name,
    revision: revisionOfTrust(checked),
    material: {
      ...authorities,
      tlogs: checked.tlogs.map(toMaterial),
      ctlogs: checked.ctlogs.map(toMaterial),
    },
    logs: checked.tlogs.flatMap(({ id, url, publicKey, version, origin, validFrom, validUntil }) =>
      url === undefined
        ? []
        : [{ id: id.toString('hex'), baseUrl: url, publicKey, version, origin, validFrom, validUntil }],
    ),
  };
}

const END_OF_TIME = 8_640_000_000_000_000;

function toMaterial(log: TrustLog): TrustMaterial['tlogs'][number] {
  return {
    logID: log.id,
    // Used for one thing: a checkpoint's name has to occur in it. A declared name takes its place.
    baseURL: log.declaredOrigin ?? log.baseUrl,
    publicKey: log.publicKey,
    validFor: { start: new Date(log.validFrom), end: new Date(log.validUntil ?? END_OF_TIME) },
  };
}
