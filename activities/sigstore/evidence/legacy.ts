import { createHash } from 'node:crypto';
import { BUNDLE_V01_MEDIA_TYPE, type Bundle } from '@sigstore/bundle';
import { isRecord } from '../../../workflows/format/record.ts';
import { MAX_BUNDLE_BYTES } from '../../limits.ts';
import { readBase64 } from '../../text/base64.ts';
import { quote } from '../../text/quote.ts';
import { hasExactly, parseStrictJson } from '../../text/strict-json.ts';
import { failed, type Refusal, refuse, type Step } from '../judgement.ts';
import { certificatesIn } from '../key/pem.ts';
import { readDocument } from './bundle.ts';
import { ANNOTATIONS, type LayerAnnotations } from './content.ts';

/** RSA 8192 makes 1,368 characters, ML-DSA-87 6,172. */
const MAX_SIGNATURE_LENGTH = 8192;

/** Characters of a text that a sentence repeats. */
const MAX_QUOTED = 40;

/** A log's entry holds the envelope at most once more, in base64. */
const MAX_ANNOTATION_LENGTH = 2 * MAX_BUNDLE_BYTES;

/**
 * Makes a v0.1 bundle, the one version that lets a log promise without proof, of a layer of a `.sig` tag: the payload, and what its
 * annotations hold (cosign v2 `pkg/oci/static`). The annotation `chain` is not read: anchors and intermediates come from the trust root.
 */
export function convertSimpleSigning(payload: Uint8Array, annotations: LayerAnnotations): Step<Bundle> {
  const tooLarge = tooManyBytes('the signed payload', payload);
  if (tooLarge !== undefined) return failed(tooLarge);
  const signature = annotations.signature ?? '';
  if (signature.length > MAX_SIGNATURE_LENGTH) {
    const sentence = `the signature has ${signature.length} characters, at most ${MAX_SIGNATURE_LENGTH} are read`;
    return failed(refuse('EVIDENCE_TOO_LARGE', sentence));
  }
  const bytes = readFilled(signature);
  if (bytes === undefined) return notBase64(signature, `annotation ${ANNOTATIONS.signature}`);
  const messageDigest = { algorithm: 'SHA2_256', digest: createHash('sha256').update(payload).digest('base64') };
  return convert({ messageSignature: { messageDigest, signature: bytes.toString('base64') } }, annotations);
}

/** Makes a v0.1 bundle of a layer of a `.att` tag: a DSSE envelope, which holds its signature itself. */
export function convertEnvelope(envelope: Uint8Array, annotations: LayerAnnotations): Step<Bundle> {
  const tooLarge = tooManyBytes('the envelope', envelope);
  if (tooLarge !== undefined) return failed(tooLarge);
  const json = parseStrictJson(envelope);
  if (!json.ok && json.tooLarge === true) {
    return failed(refuse('EVIDENCE_TOO_LARGE', `the envelope is not read: ${json.problem}`));
  }
  if (!json.ok) return malformed(`the envelope can't be read: ${json.problem}`);
  if (!isRecord(json.value)) return malformed("the envelope can't be read: expected a JSON object");
  return convert({ dsseEnvelope: json.value }, annotations);
}

function convert(content: object, annotations: LayerAnnotations): Step<Bundle> {
  const material = convertSigner(annotations.certificate ?? '');
  if (!material.ok) return material;
  const entries = convertEntry(annotations.bundle ?? '');
  if (!entries.ok) return entries;
  const stamps = convertTimestamp(annotations.timestamp ?? '');
  if (!stamps.ok) return stamps;
  const verificationMaterial = {
    ...material.value,
    tlogEntries: entries.value,
    timestampVerificationData: { rfc3161Timestamps: stamps.value },
  };
  return readDocument({ mediaType: BUNDLE_V01_MEDIA_TYPE, verificationMaterial, ...content }, 'any');
}

function convertSigner(pem: string): Step<object> {
  if (pem === '') return { ok: true, value: { publicKey: { hint: '' } } };
  const [leaf] = certificatesIn(pem) ?? [];
  if (leaf === undefined) return malformed(`expected certificates in PEM in annotation ${ANNOTATIONS.certificate}`);
  return { ok: true, value: { x509CertificateChain: { certificates: [{ rawBytes: leaf.toString('base64') }] } } };
}

/** The log's promise as cosign writes it: `SignedEntryTimestamp`, and the payload that it signs (cosign v2 `pkg/cosign/bundle`). */
function convertEntry(annotation: string): Step<readonly object[]> {
  if (annotation === '') return { ok: true, value: [] };
  const json = parseAnnotation(annotation);
  if (json === undefined || !hasExactly(json, ['SignedEntryTimestamp', 'Payload']) || !isRecord(json['Payload'])) {
    return malformed(`expected SignedEntryTimestamp and Payload in annotation ${ANNOTATIONS.bundle}`);
  }
  const { SignedEntryTimestamp: promise, Payload: payload } = json;
  const signed = readFilled(promise);
  if (signed === undefined) return notBase64(promise, `SignedEntryTimestamp of annotation ${ANNOTATIONS.bundle}`);
  const body = readFilled(payload['body']);
  if (body === undefined) return notBase64(payload['body'], `Payload.body of annotation ${ANNOTATIONS.bundle}`);
  const entry = convertPayload(signed, body, payload);
  if (entry === undefined) return malformed(`the log entry in annotation ${ANNOTATIONS.bundle} is incomplete`);
  return { ok: true, value: [entry] };
}

function convertPayload(
  promise: Buffer,
  body: Buffer,
  { integratedTime, logIndex, logID }: Readonly<Record<string, unknown>>,
): object | undefined {
  const log = typeof logID === 'string' && /^[0-9a-f]{64}$/.test(logID) ? Buffer.from(logID, 'hex') : undefined;
  if (log === undefined || !isWholeNumber(integratedTime) || !isWholeNumber(logIndex)) return undefined;
  const kind = parseStrictJson(body);
  if (!kind.ok || !isRecord(kind.value)) return undefined;
  return {
    logIndex: String(logIndex),
    logId: { keyId: log.toString('base64') },
    kindVersion: { kind: String(kind.value['kind']), version: String(kind.value['apiVersion']) },
    integratedTime: String(integratedTime),
    inclusionPromise: { signedEntryTimestamp: promise.toString('base64') },
    canonicalizedBody: body.toString('base64'),
  };
}

function convertTimestamp(annotation: string): Step<readonly object[]> {
  if (annotation === '') return { ok: true, value: [] };
  const stamp = parseAnnotation(annotation)?.['SignedRFC3161Timestamp'];
  const response = readFilled(stamp);
  if (response !== undefined) return { ok: true, value: [{ signedTimestamp: response.toString('base64') }] };
  return notBase64(stamp, `SignedRFC3161Timestamp of annotation ${ANNOTATIONS.timestamp}`);
}

/** Bytes, at least one of them. */
function readFilled(value: unknown): Buffer | undefined {
  const bytes = typeof value === 'string' ? readBase64(value) : undefined;
  return bytes === undefined || bytes.length === 0 ? undefined : bytes;
}

function notBase64<T>(value: unknown, place: string): Step<T> {
  const found = typeof value === 'string' ? quote(value.slice(0, MAX_QUOTED)) : 'none';
  return malformed(`expected base64 in ${place}, found ${found}`);
}

function parseAnnotation(text: string): Readonly<Record<string, unknown>> | undefined {
  if (text.length > MAX_ANNOTATION_LENGTH) return undefined;
  const json = parseStrictJson(Buffer.from(text));
  return json.ok && isRecord(json.value) ? json.value : undefined;
}

function isWholeNumber(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function tooManyBytes(what: string, { length }: Uint8Array): Refusal | undefined {
  if (length <= MAX_BUNDLE_BYTES) return undefined;
  return refuse('EVIDENCE_TOO_LARGE', `${what} has ${length} bytes, at most ${MAX_BUNDLE_BYTES} are read`);
}

function malformed<T>(sentence: string): Step<T> {
  return failed(refuse('EVIDENCE_MALFORMED', sentence));
}
