import { createHash, createPublicKey } from 'node:crypto';
import type { TransparencyLogEntry } from '@sigstore/bundle';
import { isRecord } from '../../../workflows/format/record.ts';
import { decodeBase64 } from '../../text/base64.ts';
import { quote } from '../../text/quote.ts';
import { parseStrictJson } from '../../text/strict-json.ts';
import { parseCertificate } from '../certificate/parse.ts';
import { type Refusal, refuse } from '../judgement.ts';
import { certificatesIn } from '../key/pem.ts';
import type { Signing } from '../library-step.ts';

/** What an entry says about its signer: PEM in Rekor v1, DER in Rekor v2. */
type Verifier = { readonly pem: string } | { readonly certificate: Buffer } | { readonly publicKey: Buffer };

/**
 * Checks that a log entry names the signer of the evidence, byte for byte, which `@sigstore/verify` leaves out; it does
 * compare signature and digest, except in entries `intoto` 0.0.1, where that is done here. Otherwise LOG_ENTRY_MISMATCH.
 */
export function checkEntryBody(entry: TransparencyLogEntry, signing: Signing): Refusal | undefined {
  const { kind, version } = entry.kindVersion;
  const body = parseStrictJson(entry.canonicalizedBody);
  if (!body.ok || fieldOf(body.value, 'kind') !== kind || fieldOf(body.value, 'apiVersion') !== version) {
    return mismatch(`its body is not of the kind ${quote(`${kind} ${version}`)}`);
  }
  const spec = fieldOf(body.value, 'spec');
  const verifier = verifierIn(`${kind} ${version}`, spec);
  if (verifier === undefined) return mismatch('it names no signer');
  if (!isSigner(verifier, signing)) return mismatch('it names another key or certificate');
  if (isOldIntoto(entry) && !holdsEnvelope(spec, signing)) return mismatch('it is about another envelope');
  return undefined;
}

/** The kind that cosign wrote for attestations until 2.4, and that the library does not know. */
export function isOldIntoto({ kindVersion }: TransparencyLogEntry): boolean {
  return kindVersion.kind === 'intoto' && kindVersion.version === '0.0.1';
}

function verifierIn(kindVersion: string, spec: unknown): Verifier | undefined {
  switch (kindVersion) {
    case 'hashedrekord 0.0.1':
      return pemIn(fieldOf(spec, 'signature', 'publicKey', 'content'));
    case 'dsse 0.0.1':
      return pemIn(fieldOf(spec, 'signatures', 0, 'verifier'));
    case 'intoto 0.0.1':
      return pemIn(fieldOf(spec, 'publicKey'));
    case 'intoto 0.0.2':
      return pemIn(fieldOf(spec, 'content', 'envelope', 'signatures', 0, 'publicKey'));
    case 'hashedrekord 0.0.2':
      return rawIn(fieldOf(spec, 'hashedRekordV002', 'signature', 'verifier'));
    case 'dsse 0.0.2':
      return rawIn(fieldOf(spec, 'dsseV002', 'signatures', 0, 'verifier'));
    default:
      return undefined;
  }
}

function pemIn(value: unknown): Verifier | undefined {
  const pem = typeof value === 'string' ? decodeBase64(value)?.toString('latin1') : undefined;
  return pem === undefined ? undefined : { pem };
}

function rawIn(verifier: unknown): Verifier | undefined {
  const certificate = bytesIn(fieldOf(verifier, 'x509Certificate', 'rawBytes'));
  const publicKey = bytesIn(fieldOf(verifier, 'publicKey', 'rawBytes'));
  if (certificate !== undefined && publicKey === undefined) return { certificate };
  if (publicKey !== undefined && certificate === undefined) return { publicKey };
  return undefined;
}

/** A signer with a certificate has to be named by it; one with a key may also be named by a certificate for that key. */
function isSigner(verifier: Verifier, signing: Signing): boolean {
  const certificate =
    'pem' in verifier
      ? certificatesIn(verifier.pem)?.[0]
      : 'certificate' in verifier
        ? verifier.certificate
        : undefined;
  if (signing.certificate !== undefined) return certificate?.equals(signing.certificate) === true;
  try {
    const spki = certificate === undefined ? spkiOf(verifier) : parseCertificate(certificate).publicKey;
    return spki?.equals(signing.key.publicKey.export({ type: 'spki', format: 'der' })) === true;
  } catch {
    return false;
  }
}

function spkiOf(verifier: Verifier): Buffer | undefined {
  if ('publicKey' in verifier) return verifier.publicKey;
  return 'pem' in verifier ? createPublicKey(verifier.pem).export({ type: 'spki', format: 'der' }) : undefined;
}

/** Its signature is not in the entry: the digest is the one of the whole envelope, as it was stored. */
function holdsEnvelope(spec: unknown, { evidence: { payload } }: Signing): boolean {
  if (payload.kind !== 'envelope' || payload.stored === undefined) return false;
  const envelope = sha256(payload.stored);
  const hash = fieldOf(spec, 'content', 'hash');
  const payloadHash = fieldOf(spec, 'content', 'payloadHash');
  if (!isSha256(hash, envelope)) return false;
  return payloadHash === undefined || isSha256(payloadHash, sha256(payload.bytes));
}

function isSha256(hash: unknown, expected: string): boolean {
  return fieldOf(hash, 'algorithm') === 'sha256' && fieldOf(hash, 'value') === expected;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function bytesIn(value: unknown): Buffer | undefined {
  return typeof value === 'string' ? decodeBase64(value) : undefined;
}

/** A value deep in foreign JSON. A list is followed only where it has one element: no entry is about two signers. */
function fieldOf(value: unknown, ...path: readonly (string | 0)[]): unknown {
  let found = value;
  for (const step of path) {
    if (step === 0) found = Array.isArray(found) && found.length === 1 ? found[0] : undefined;
    else found = isRecord(found) && Object.hasOwn(found, step) ? found[step] : undefined;
  }
  return found;
}

function mismatch(problem: string): Refusal {
  return refuse('LOG_ENTRY_MISMATCH', `the log entry is not about this signature: ${problem}`);
}
