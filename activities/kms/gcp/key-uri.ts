import { quote } from '../../text/quote.ts';

/** A key of Google Cloud KMS as a policy names it. */
export interface GcpKey {
  /** `projects/P/locations/L/keyRings/R/cryptoKeys/K`, as the API names it. */
  readonly name: string;
  /** One version; otherwise the newest that is enabled is meant. */
  readonly version: string | undefined;
}

export type GcpKeyResult =
  | { readonly ok: true; readonly key: GcpKey }
  | { readonly ok: false; readonly problem: string };

const FORM = 'gcpkms://projects/P/locations/L/keyRings/R/cryptoKeys/K, and /cryptoKeyVersions/N for one version';

/** A project's id may hold the domain of its owner: `example.com:project`. */
const KEY =
  /^gcpkms:\/\/(projects\/[a-z0-9][a-z0-9.:-]{0,99}\/locations\/[a-z0-9-]{1,63}\/keyRings\/[A-Za-z0-9_-]{1,63}\/cryptoKeys\/[A-Za-z0-9_-]{1,63})(?:\/(?:cryptoKeyVersions|versions)\/([1-9]\d{0,9}))?$/;

/**
 * Reads `gcpkms://` (sigstore/sigstore `pkg/signature/kms/gcp`), which calls versions `versions` or, as the API does,
 * `cryptoKeyVersions`.
 */
export function parseGcpKey(uri: string): GcpKeyResult {
  const [, name, version] = KEY.exec(uri) ?? [];
  if (name === undefined) return { ok: false, problem: `expected ${FORM}, found ${quote(uri)}` };
  return { ok: true, key: { name, version } };
}
