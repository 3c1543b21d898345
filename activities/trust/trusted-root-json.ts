import { PublicKeyDetails, TrustedRoot } from '@sigstore/protobuf-specs';
import { isRecord } from '../../workflows/record.ts';
import { MAX_TRUSTED_ROOT_BYTES } from '../limits.ts';
import { quote } from '../sigstore/quote.ts';
import { parseStrictJson } from '../sigstore/strict-json.ts';
import type { LogOrigins, TrustRootDocument } from './trust-root-document.ts';
import { checkTrustedRoot } from './trusted-root.ts';

export type TrustedRootJsonResult =
  | { readonly ok: true; readonly document: TrustRootDocument }
  | { readonly ok: false; readonly problem: string };

/** `application/vnd.dev.sigstore.trustedroot+json;version=0.1` and the newer spelling, 0.1 and 0.2. */
const MEDIA_TYPE = /^application\/vnd\.dev\.sigstore\.trustedroot(?:\+json;version=0\.[12]|\.v0\.[12]\+json)$/;

/**
 * Reads a plain `trusted_root.json` (sigstore protobuf-specs `TrustedRoot`) as the trust root of that name. Logs with a
 * key of an algorithm that is not known here are left out: they can prove nothing. `tlogs[].origin` is ours, see
 * {@link LogOrigins}. `problem` is one line: where, what was expected, what was found, what to do.
 */
export function readTrustedRootJson(name: string, bytes: Uint8Array): TrustedRootJsonResult {
  if (bytes.byteLength > MAX_TRUSTED_ROOT_BYTES) {
    return fail(`expected at most ${MAX_TRUSTED_ROOT_BYTES} bytes of trusted root, found ${bytes.byteLength}`);
  }
  const json = parseStrictJson(bytes);
  if (!json.ok) return fail(`expected the JSON of a trusted root, found other bytes: ${json.problem}`);
  if (!isRecord(json.value)) return fail('expected a JSON object, found another value; write a trusted_root.json');
  const { mediaType } = json.value;
  if (typeof mediaType !== 'string' || !MEDIA_TYPE.test(mediaType)) {
    const found = typeof mediaType === 'string' ? quote(mediaType) : 'none';
    return fail(`expected the mediaType application/vnd.dev.sigstore.trustedroot+json;version=0.1, found ${found}`);
  }
  const tlogs = usableLogs(json.value['tlogs']);
  const origins: LogOrigins = new Map(
    tlogs.flatMap((log, i) => (typeof log['origin'] === 'string' ? [[i, log['origin']] as const] : [])),
  );
  let root: TrustedRoot;
  try {
    root = TrustedRoot.fromJSON({ ...json.value, tlogs, ctlogs: usableLogs(json.value['ctlogs']) });
  } catch {
    // An enum of the future, or an entry that is no object.
    return fail('expected the fields of a trusted root, found others; write it with "cosign trusted-root create"');
  }
  const result = checkTrustedRoot(root, origins);
  return result.ok ? { ok: true, document: { name, source: { kind: 'keys', root, origins } } } : fail(result.problem);
}

/** The algorithms that logs sign with and that the library checks. */
const KEY_DETAILS: ReadonlySet<unknown> = new Set(
  [
    PublicKeyDetails.PKCS1_RSA_PKCS1V5,
    PublicKeyDetails.PKIX_RSA_PKCS1V5,
    PublicKeyDetails.PKIX_RSA_PKCS1V15_2048_SHA256,
    PublicKeyDetails.PKIX_RSA_PKCS1V15_3072_SHA256,
    PublicKeyDetails.PKIX_RSA_PKCS1V15_4096_SHA256,
    PublicKeyDetails.PKIX_ECDSA_P256_SHA_256,
    PublicKeyDetails.PKIX_ECDSA_P384_SHA_384,
    PublicKeyDetails.PKIX_ECDSA_P521_SHA_512,
    PublicKeyDetails.PKIX_ED25519,
  ].flatMap((details) => [details, PublicKeyDetails[details]]),
);

function usableLogs(list: unknown): readonly Readonly<Record<string, unknown>>[] {
  if (!Array.isArray(list)) return [];
  const entries: readonly unknown[] = list;
  return entries
    .filter(isRecord)
    .filter(({ publicKey }) => !isRecord(publicKey) || KEY_DETAILS.has(publicKey['keyDetails']));
}

function fail(problem: string): { readonly ok: false; readonly problem: string } {
  return { ok: false, problem };
}
