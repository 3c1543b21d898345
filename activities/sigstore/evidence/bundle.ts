import { type Bundle, bundleFromJSON } from '@sigstore/bundle';
import { isRecord } from '../../../workflows/format/record.ts';
import { MAX_BUNDLE_BYTES, MAX_CERTIFICATES, MAX_DER_BYTES, MAX_TIMESTAMPS, MAX_TLOG_ENTRIES } from '../../limits.ts';
import { quote } from '../../text/quote.ts';
import { parseStrictJson } from '../../text/strict-json.ts';
import { isSelfIssued } from '../certificate/certificate.ts';
import { failed, type Refusal, refuse, type Step } from '../judgement.ts';
import { readProto } from '../proto-json.ts';
import { BUNDLE } from '../proto-messages.ts';

const MEDIA_TYPES: ReadonlySet<unknown> = new Set([
  'application/vnd.dev.sigstore.bundle+json;version=0.1',
  'application/vnd.dev.sigstore.bundle+json;version=0.2',
  'application/vnd.dev.sigstore.bundle+json;version=0.3',
  'application/vnd.dev.sigstore.bundle.v0.3+json',
]);

/** What names the signer (protobuf-specs `VerificationMaterial`); a bundle has exactly one. */
const MATERIALS = ['publicKey', 'certificate', 'x509CertificateChain'] as const;

/** What was signed (protobuf-specs `Bundle`); a bundle has exactly one. */
const CONTENTS = ['dsseEnvelope', 'messageSignature'] as const;

/** What the bundle may sign: an image is signed in an envelope, any other file may be signed as it is. */
export type BundleContents = 'envelope' | 'any';

/**
 * Reads a Sigstore bundle. Bounded and strict before `@sigstore/bundle` sees it, which takes the first of two contents,
 * skips what is not base64, and reads any version number. Fields may have their original proto names, and fields of a
 * later version are passed over, near misses of known ones excepted ({@link readProto}). A chain in a v0.3 bundle, which cosign writes on request and
 * the library refuses, is read as its leaf. Nothing in it is believed yet.
 */
export function readBundle(bytes: Uint8Array, contents: BundleContents): Step<Bundle> {
  if (bytes.length > MAX_BUNDLE_BYTES) {
    return failed(
      refuse('EVIDENCE_TOO_LARGE', `the bundle has ${bytes.length} bytes, at most ${MAX_BUNDLE_BYTES} are read`),
    );
  }
  const json = parseStrictJson(bytes);
  if (!json.ok && json.tooLarge === true) {
    return failed(refuse('EVIDENCE_TOO_LARGE', `the bundle is not read: ${json.problem}`));
  }
  if (!json.ok) return failed(malformed(json.problem));
  return isRecord(json.value) ? readDocument(json.value, contents) : failed(malformed('expected a JSON object'));
}

/** Reads a bundle that is parsed already, or was made from an older format. */
export function readDocument(json: Readonly<Record<string, unknown>>, contents: BundleContents): Step<Bundle> {
  const unsupported = checkMediaType(json);
  if (unsupported !== undefined) return failed(unsupported);
  const read = readProto(BUNDLE, json, { unknownFields: 'tolerate' });
  if (!read.ok) return failed(malformed(read.problem));
  const strange = read.unknown.find(({ what }) => what === 'value');
  if (strange !== undefined) {
    return failed(refuse('EVIDENCE_UNSUPPORTED', `the bundle has a value of a later version at ${strange.path}`));
  }
  const document = read.value;
  const problem = checkMaterial(document) ?? checkContent(document, contents);
  if (problem !== undefined) return failed(problem);
  try {
    return { ok: true, value: bundleFromJSON(withLeafAlone(document)) };
  } catch (error) {
    return failed(malformed(`@sigstore/bundle refused it: ${quote(describe(error))}`));
  }
}

/** A chain by its first certificate. The others are no anchors and not needed: the trust root has the intermediates. */
function withLeafAlone(document: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const material = document['verificationMaterial'];
  if (!isRecord(material) || !isRecord(material['x509CertificateChain'])) return document;
  const { x509CertificateChain: chain, ...others } = material;
  const [leaf]: unknown[] = isRecord(chain) && Array.isArray(chain['certificates']) ? chain['certificates'] : [];
  return { ...document, verificationMaterial: { ...others, certificate: leaf } };
}

/** Before all else: a version that is not read here may have other fields. */
function checkMediaType(bundle: Readonly<Record<string, unknown>>): Refusal | undefined {
  const mediaType = bundle['mediaType'] ?? bundle['media_type'];
  if (typeof mediaType !== 'string') return malformed('expected a mediaType, found none');
  if (MEDIA_TYPES.has(mediaType)) return undefined;
  const sentence = `the bundle is of media type ${quote(mediaType)}, versions 0.1 to 0.3 are read`;
  return refuse('EVIDENCE_UNSUPPORTED', sentence);
}

function checkMaterial(bundle: Readonly<Record<string, unknown>>): Refusal | undefined {
  const material = bundle['verificationMaterial'];
  if (!isRecord(material)) return malformed('expected verificationMaterial, found none');
  const [kind, ...others] = MATERIALS.filter((name) => material[name] !== undefined);
  if (kind === undefined || others.length > 0) {
    const count = kind === undefined ? 0 : others.length + 1;
    return malformed(`expected exactly one of ${MATERIALS.join(', ')}, found ${count}`);
  }
  const signer = material[kind];
  if (!isRecord(signer)) return malformed(`expected ${kind} to be an object`);
  const times = material['timestampVerificationData'];
  return (
    checkCertificates(kind, signer) ??
    over(MAX_TLOG_ENTRIES, 'log entries', material['tlogEntries']) ??
    checkTimestamps(isRecord(times) ? times['rfc3161Timestamps'] : undefined)
  );
}

function checkTimestamps(timestamps: unknown): Refusal | undefined {
  if (!Array.isArray(timestamps)) return undefined; // what is no list is for @sigstore/bundle to refuse
  const tooMany = over(MAX_TIMESTAMPS, 'timestamps', timestamps);
  if (tooMany !== undefined) return tooMany;
  return timestamps.some((one) => isRecord(one) && isTooLong(one['signedTimestamp']))
    ? refuse('EVIDENCE_TOO_LARGE', `a timestamp has more than ${MAX_DER_BYTES} bytes`)
    : undefined;
}

function checkCertificates(
  kind: (typeof MATERIALS)[number],
  signer: Readonly<Record<string, unknown>>,
): Refusal | undefined {
  if (kind === 'publicKey') return undefined;
  const certificates: unknown = kind === 'certificate' ? [signer] : signer['certificates'];
  if (!Array.isArray(certificates) || certificates.length === 0) return malformed('expected a certificate, found none');
  const isWhole = certificates.every((one) => isRecord(one) && hasBytes(one['rawBytes']));
  if (!isWhole) return malformed('expected the bytes of each certificate, found none');
  if (certificates.some((one: Readonly<Record<string, unknown>>) => isTooLong(one['rawBytes']))) {
    return refuse('EVIDENCE_TOO_LARGE', `a certificate has more than ${MAX_DER_BYTES} bytes`);
  }
  return over(MAX_CERTIFICATES, 'certificates', certificates) ?? checkWithoutRoot(certificates.slice(1));
}

/** Signers must not put a root into a bundle (protobuf-specs `sigstore_bundle.proto`), for somebody might trust it. */
function checkWithoutRoot(others: readonly Readonly<Record<string, unknown>>[]): Refusal | undefined {
  const hasRoot = others.some(({ rawBytes }) => isSelfIssued(Buffer.from(String(rawBytes), 'base64')));
  return hasRoot
    ? malformed('its chain contains a root certificate or something that is not a certificate')
    : undefined;
}

function checkContent(bundle: Readonly<Record<string, unknown>>, contents: BundleContents): Refusal | undefined {
  const [kind, ...others] = CONTENTS.filter((name) => bundle[name] !== undefined);
  if (kind === undefined || others.length > 0) {
    return malformed(`expected exactly one of ${CONTENTS.join(', ')}, found ${kind === undefined ? 0 : 2}`);
  }
  if (kind === 'messageSignature' && contents === 'envelope') return refuseBlob();
  const content = bundle[kind];
  if (!isRecord(content)) return malformed(`expected ${kind} to be an object`);
  return kind === 'dsseEnvelope' ? checkEnvelope(content) : checkMessage(content);
}

function checkEnvelope(envelope: Readonly<Record<string, unknown>>): Refusal | undefined {
  if (typeof envelope['payloadType'] !== 'string') return malformed('expected a payloadType, found none');
  if (!hasBytes(envelope['payload'])) return malformed('expected a payload, found none');
  const signatures = envelope['signatures'];
  const count = Array.isArray(signatures) ? signatures.length : 0;
  if (!Array.isArray(signatures) || count !== 1) return malformed(`expected exactly one signature, found ${count}`);
  const signature: unknown = signatures[0];
  if (!isRecord(signature) || !hasBytes(signature['sig'])) return malformed('expected a signature, found none');
  return undefined;
}

/** For an image, a bundle over a blob is nothing: cosign@3 signs images in envelopes only. */
export function refuseBlob(): Refusal {
  const sentence =
    'the bundle signs a blob (messageSignature), an image is signed in a DSSE envelope: sign it with "cosign sign"';
  return refuse('EVIDENCE_UNSUPPORTED', sentence);
}

function checkMessage(message: Readonly<Record<string, unknown>>): Refusal | undefined {
  return hasBytes(message['signature']) ? undefined : malformed('expected a signature, found none');
}

/** Bytes that are there, in the one spelling of base64 that {@link readProto} answers. */
function hasBytes(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

/** Four characters of base64 are three bytes. */
function isTooLong(base64: unknown): boolean {
  return typeof base64 === 'string' && base64.length > Math.ceil(MAX_DER_BYTES / 3) * 4;
}

function over(limit: number, what: string, list: unknown): Refusal | undefined {
  if (!Array.isArray(list) || list.length <= limit) return undefined;
  return refuse('EVIDENCE_TOO_LARGE', `the bundle has ${list.length} ${what}, at most ${limit} are read`);
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return 'no reason given';
  const fields = 'fields' in error && Array.isArray(error.fields) ? `: ${error.fields.join(', ')}` : '';
  return `${error.message}${fields}`;
}

function malformed(problem: string): Refusal {
  return refuse('EVIDENCE_MALFORMED', `the bundle can't be read: ${problem}`);
}
