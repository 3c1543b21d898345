import { MAX_CERTIFICATES } from '../limits.ts';
import { DER_TAG, type Der, insideDer, readDer } from './der.ts';

/** What a time-stamp response holds around its signed parts, read strictly. */
export interface TimestampFrame {
  /** Kind of the key that its signature names. */
  readonly keyType: 'ec' | 'rsa' | 'ed25519';
  /** Certificates that it brings along, in DER; nothing in it signs them. */
  readonly certificates: readonly Buffer[];
}

/** OBJECT IDENTIFIERs, whole. */
const SIGNED_DATA = '06092a864886f70d010702';
const TST_INFO = '060b2a864886f70d0109100104';
const CONTENT_TYPE = '06092a864886f70d010903';
const MESSAGE_DIGEST = '06092a864886f70d010904';

/** SHA-256, SHA-384 and SHA-512. */
const HASHES: ReadonlySet<string> = new Set(['01', '02', '03'].map((end) => `06096086480165030402${end}`));

/** What signs: `@sigstore/core` takes SHA-256 wherever it does not know the name, so that no other RSA name would be true. */
const SIGNATURES: ReadonlyMap<string, TimestampFrame['keyType']> = new Map([
  // The kind of key, which older signers wrote in place of the algorithm.
  ['06072a8648ce3d0201', 'ec'],
  ['06082a8648ce3d040302', 'ec'],
  ['06082a8648ce3d040303', 'ec'],
  ['06082a8648ce3d040304', 'ec'],
  ['06092a864886f70d010101', 'rsa'],
  ['06092a864886f70d01010b', 'rsa'],
  ['06032b6570', 'ed25519'],
]);

const NULL = '0500';
const STATUS_GRANTED: ReadonlySet<string> = new Set(['020100', '020101']);
const VERSION_1 = '020101';
/** CMS prescribes 3 for this content; Sigstore's first authorities wrote 1. No signature covers it, and it decides nothing. */
const VERSIONS: ReadonlySet<string> = new Set([VERSION_1, '020103']);

/**
 * Reads a `TimeStampResp` (RFC 3161 section 2.4.2) as the one spelling that a granted response has, which
 * `@sigstore/core` reads past: DER throughout, versions and names as CMS prescribes them (RFC 5652 sections 5.1 and
 * 5.3), one signer, and no part without a use: no failure info, revocation lists or unsigned attributes.
 * `undefined` for anything else. What is signed is left to the library: the content, the attributes, and by them the
 * digest; so are the names of the signer, which have to be those of a trusted certificate.
 */
export function readTimestampFrame(der: Buffer): TimestampFrame | undefined {
  const [status, token, ...rest] = insideDer(readDer(der), DER_TAG.sequence) ?? [];
  if (!isGranted(status) || rest.length > 0) return undefined;
  const [type, explicit, ...others] = insideDer(token, DER_TAG.sequence) ?? [];
  if (!is(type, SIGNED_DATA) || others.length > 0) return undefined;
  const [signedData, ...second] = insideDer(explicit, DER_TAG.context0) ?? [];
  return second.length === 0 ? readSignedData(signedData) : undefined;
}

/** The status and its text, which no signature covers and which decide nothing. */
function isGranted(status: Der | undefined): boolean {
  const [code, text, ...rest] = insideDer(status, DER_TAG.sequence) ?? [];
  if (code === undefined || !STATUS_GRANTED.has(hex(code)) || rest.length > 0) return false;
  return text === undefined || insideDer(text, DER_TAG.sequence)?.every(isUtf8String) === true;
}

function isUtf8String({ tag, content }: Der): boolean {
  return tag === DER_TAG.utf8String && content.equals(Buffer.from(content.toString()));
}

function readSignedData(signedData: Der | undefined): TimestampFrame | undefined {
  const [version, hashes, content, ...more] = insideDer(signedData, DER_TAG.sequence) ?? [];
  const [certificates, signers, ...rest] = more.length === 2 ? more : [undefined, ...more];
  if (version === undefined || !VERSIONS.has(hex(version)) || !isTstInfo(content) || rest.length > 0) return undefined;
  const [signer, ...second] = insideDer(signers, DER_TAG.set) ?? [];
  const keyType = readSigner(signer, insideDer(hashes, DER_TAG.set));
  if (keyType === undefined || second.length > 0) return undefined;
  const brought = certificates === undefined ? [] : insideDer(certificates, DER_TAG.context0);
  if (brought === undefined || brought.length > MAX_CERTIFICATES) return undefined;
  return { keyType, certificates: brought.map(({ whole }) => whole) };
}

function isTstInfo(content: Der | undefined): boolean {
  const [type, explicit, ...rest] = insideDer(content, DER_TAG.sequence) ?? [];
  const [octets, ...second] = insideDer(explicit, DER_TAG.context0) ?? [];
  if (!is(type, TST_INFO) || rest.length > 0 || second.length > 0 || octets?.tag !== DER_TAG.octetString) return false;
  return insideDer(readDer(octets.content), DER_TAG.sequence) !== undefined;
}

/** The kind of its key. The set of hashes repeats the one that the signer took, or is empty. */
function readSigner(
  signer: Der | undefined,
  hashes: readonly Der[] | undefined,
): TimestampFrame['keyType'] | undefined {
  const [version, name, hash, attributes, algorithm, signature, ...rest] = insideDer(signer, DER_TAG.sequence) ?? [];
  if (!is(version, VERSION_1) || signature?.tag !== DER_TAG.octetString || rest.length > 0) return undefined;
  const [issuer, serial, ...more] = insideDer(name, DER_TAG.sequence) ?? [];
  if (issuer?.tag !== DER_TAG.sequence || serial?.tag !== DER_TAG.integer || more.length > 0) return undefined;
  const hashName = algorithmIn(hash);
  if (hashName === undefined || !HASHES.has(hashName) || !hasAttributes(attributes)) return undefined;
  if (hashes === undefined || hashes.length > 1 || !hashes.every((one) => algorithmIn(one) === hashName))
    return undefined;
  return SIGNATURES.get(algorithmIn(algorithm) ?? '');
}

/** An AlgorithmIdentifier without parameters, or with none spelled out. */
function algorithmIn(value: Der | undefined): string | undefined {
  const [name, parameters, ...rest] = insideDer(value, DER_TAG.sequence) ?? [];
  const isBare = parameters === undefined || is(parameters, NULL);
  return name?.tag === DER_TAG.oid && isBare && rest.length === 0 ? hex(name) : undefined;
}

/** The signed attributes: each once, the two that CMS demands among them, and the content type as it is. */
function hasAttributes(attributes: Der | undefined): boolean {
  const list = insideDer(attributes, DER_TAG.context0) ?? [];
  const known = new Map<string, Der>();
  for (const attribute of list) {
    const [type, values, ...rest] = insideDer(attribute, DER_TAG.sequence) ?? [];
    const [value, ...second] = insideDer(values, DER_TAG.set) ?? [];
    if (type?.tag !== DER_TAG.oid || value === undefined || second.length > 0 || rest.length > 0) return false;
    known.set(hex(type), value);
  }
  if (known.size !== list.length || !is(known.get(CONTENT_TYPE), TST_INFO)) return false;
  return known.get(MESSAGE_DIGEST)?.tag === DER_TAG.octetString;
}

function is(value: Der | undefined, expected: string): boolean {
  return value !== undefined && hex(value) === expected;
}

function hex({ whole }: Der): string {
  return whole.toString('hex');
}
