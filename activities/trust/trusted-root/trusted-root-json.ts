import { PublicKeyDetails, TrustedRoot } from '@sigstore/protobuf-specs';
import { isRecord } from '../../../workflows/format/record.ts';
import { MAX_TRUSTED_ROOT_BYTES } from '../../limits.ts';
import { readProto, type Unknown, type UnknownFields } from '../../sigstore/proto-json.ts';
import { quote } from '../../text/quote.ts';
import { parseStrictJson } from '../../text/strict-json.ts';
import type { LogOrigins, TrustRootDocument } from '../trust-root-document.ts';
import { TRUSTED_ROOT, WINDOW_FIELDS } from '../trusted-root-message.ts';
import { type TrustAuthority, uselessness } from './trust-authority.ts';
import { type CheckedTrustedRoot, checkTrustedRoot } from './trusted-root.ts';

export type TrustedRootJsonResult =
  | {
      readonly ok: true;
      readonly document: TrustRootDocument;
      /** One line that names what was passed over because it is not known here; `undefined` when nothing was. */
      readonly passedOver: string | undefined;
    }
  | { readonly ok: false; readonly problem: string };

/** `application/vnd.dev.sigstore.trustedroot+json;version=0.1` and the newer spelling, 0.1 and 0.2. */
const MEDIA_TYPE = /^application\/vnd\.dev\.sigstore\.trustedroot(?:\+json;version=0\.[12]|\.v0\.[12]\+json)$/;

/**
 * Reads a plain `trusted_root.json` (sigstore protobuf-specs `TrustedRoot`) as the trust root of that name. An operator
 * writes it (`refuse` unknown fields), or it comes signed by a TUF repository (`tolerate` them). Logs with a key of an
 * algorithm that is not known here are left out either way: they can prove nothing. `tlogs[].origin` is ours, see
 * {@link LogOrigins}. `problem` is one line: where, what was expected, what was found, what to do.
 */
export function readTrustedRootJson(
  name: string,
  bytes: Uint8Array,
  unknownFields: UnknownFields,
): TrustedRootJsonResult {
  if (bytes.byteLength > MAX_TRUSTED_ROOT_BYTES) {
    return fail(`expected at most ${MAX_TRUSTED_ROOT_BYTES} bytes of trusted root, found ${bytes.byteLength}`);
  }
  const json = parseStrictJson(bytes);
  if (!json.ok) return fail(`expected the JSON of a trusted root, found other bytes: ${json.problem}`);
  if (!isRecord(json.value)) return fail('expected a JSON object, found another value; write a trusted_root.json');
  const mediaType = json.value['mediaType'] ?? json.value['media_type'];
  if (typeof mediaType !== 'string' || !MEDIA_TYPE.test(mediaType)) {
    const found = typeof mediaType === 'string' ? quote(mediaType) : 'none';
    return fail(`expected the mediaType application/vnd.dev.sigstore.trustedroot+json;version=0.1, found ${found}`);
  }
  const read = readProto(TRUSTED_ROOT, json.value, { unknownFields, reserved: WINDOW_FIELDS });
  if (!read.ok) return fail(read.problem);
  const strange = read.unknown.find(({ what, path }) => what === 'value' && !path.endsWith('.keyDetails'));
  if (strange !== undefined) return fail(`${strange.path}: expected a value that is known, found another; correct it`);
  const unnamed = unknownFields === 'refuse' ? unnamedKey(read.value, read.unknown) : undefined;
  if (unnamed !== undefined) return fail(unnamed);
  const tlogs = usableLogs(read.value['tlogs']);
  const ctlogs = usableLogs(read.value['ctlogs']);
  const origins: LogOrigins = new Map(
    tlogs.flatMap(({ log }, i) => (typeof log['origin'] === 'string' ? [[i, log['origin']] as const] : [])),
  );
  const logs = { tlogs: tlogs.map(({ log }) => log), ctlogs: ctlogs.map(({ log }) => log) };
  const places = { tlogs: tlogs.map(({ place }) => place), ctlogs: ctlogs.map(({ place }) => place) };
  const root = TrustedRoot.fromJSON({ ...read.value, ...logs });
  const result = checkTrustedRoot(root, origins, places);
  if (!result.ok) return fail(result.problem);
  const useless = unknownFields === 'refuse' ? allUseless(result.checked) : undefined;
  if (useless !== undefined) return fail(useless);
  return {
    ok: true,
    document: { name, source: { kind: 'keys', root, origins } },
    passedOver: sayUnknown(read.unknown),
  };
}

/** Authorities of one kind none of which could ever make a signature valid: then the trust root is for nothing. */
function allUseless({ certificateAuthorities, timestampAuthorities }: CheckedTrustedRoot): string | undefined {
  const problems = (list: readonly TrustAuthority[], kind: 'certificates' | 'timestamps') =>
    list.map(({ chain }) => uselessness(chain, kind));
  const say = (name: string, found: readonly (string | undefined)[]): string | undefined =>
    found.length > 0 && found.every((problem) => problem !== undefined) ? `${name}[0]: ${found[0] ?? ''}` : undefined;
  return (
    say('certificateAuthorities', problems(certificateAuthorities, 'certificates')) ??
    say('timestampAuthorities', problems(timestampAuthorities, 'timestamps'))
  );
}

/** Places that one sentence names. */
const MAX_NAMED = 5;

function sayUnknown(unknown: readonly Unknown[]): string | undefined {
  if (unknown.length === 0) return undefined;
  const named = unknown.slice(0, MAX_NAMED).map(({ path }) => path);
  const more = unknown.length > MAX_NAMED ? ` and ${unknown.length - MAX_NAMED} more` : '';
  return `what is not known here is passed over: ${named.join(', ')}${more}; upgrade portcullis`;
}

/** The algorithms that logs sign with and that the library checks. */
const KEY_DETAILS: ReadonlySet<unknown> = new Set([
  PublicKeyDetails.PKCS1_RSA_PKCS1V5,
  PublicKeyDetails.PKIX_RSA_PKCS1V5,
  PublicKeyDetails.PKIX_RSA_PKCS1V15_2048_SHA256,
  PublicKeyDetails.PKIX_RSA_PKCS1V15_3072_SHA256,
  PublicKeyDetails.PKIX_RSA_PKCS1V15_4096_SHA256,
  PublicKeyDetails.PKIX_ECDSA_P256_SHA_256,
  PublicKeyDetails.PKIX_ECDSA_P384_SHA_384,
  PublicKeyDetails.PKIX_ECDSA_P521_SHA_512,
  PublicKeyDetails.PKIX_ED25519,
]);

/** A key without its kind, which would leave its log out; a kind that is not known here is told from that. */
function unnamedKey(root: Readonly<Record<string, unknown>>, unknown: readonly Unknown[]): string | undefined {
  for (const name of ['tlogs', 'ctlogs'] as const) {
    const logs: readonly unknown[] = Array.isArray(root[name]) ? root[name] : [];
    for (const [i, log] of logs.entries()) {
      const place = `${name}[${i}].publicKey.keyDetails`;
      const key = isRecord(log) ? log['publicKey'] : undefined;
      const isNamed = !isRecord(key) || (key['keyDetails'] ?? 0) !== 0 || unknown.some(({ path }) => path === place);
      if (!isNamed)
        return `${place}: expected the kind of the key, found none; add it, such as PKIX_ECDSA_P256_SHA_256`;
    }
  }
  return undefined;
}

interface UsableLog {
  readonly log: Readonly<Record<string, unknown>>;
  /** Among all logs of its list. */
  readonly place: number;
}

/** Logs as {@link readProto} answers them, without those whose keys are not known here. */
function usableLogs(list: unknown): readonly UsableLog[] {
  if (!Array.isArray(list)) return [];
  const entries: readonly unknown[] = list;
  return entries.flatMap((log, place) => {
    if (!isRecord(log)) return [];
    const { publicKey } = log;
    return !isRecord(publicKey) || KEY_DETAILS.has(publicKey['keyDetails']) ? [{ log, place }] : [];
  });
}

function fail(problem: string): { readonly ok: false; readonly problem: string } {
  return { ok: false, problem };
}
