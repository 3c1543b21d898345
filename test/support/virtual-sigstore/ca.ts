import { randomBytes } from 'node:crypto';
import type { KeyKind } from '../signer.ts';
import type { CtLog, Sct } from './ct-log.ts';
import {
  bitString,
  boolean,
  certificateTime,
  context,
  integer,
  octetString,
  oid,
  sequence,
  setOf,
  toPem,
  utf8String,
} from './der.ts';
import { createKeyPair, type KeyPair, sha256, signatureAlgorithm } from './key-pair.ts';

export const EKU = {
  codeSigning: '1.3.6.1.5.5.7.3.3',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  timeStamping: '1.3.6.1.5.5.7.3.8',
} as const;

/** A certificate extension; `value` is what stands in the OCTET STRING. */
export interface Extension {
  readonly id: string;
  readonly critical: boolean;
  readonly value: Uint8Array;
}

/** Times between which something holds. */
export interface Window {
  readonly from: Date;
  readonly until: Date;
}

/** Everything in a certificate that its issuer decides; every field may be bent. */
export interface CertificateSpec {
  /** Common name of the subject; empty means an empty subject. */
  readonly commonName: string;
  readonly window: Window;
  readonly serial?: bigint;
  /** In this order; SCTs are added at the end. */
  readonly extensions: readonly Extension[];
}

/** A certificate and the key of its subject. */
export interface Certificate {
  readonly der: Buffer;
  readonly pem: string;
  readonly key: KeyPair;
  /** DER of the subject's name. */
  readonly subject: Buffer;
  readonly issuer: Buffer;
  readonly serial: bigint;
}

/** Who signs: a name and a key. The issuer's certificate itself may be bent, missing or of somebody else. */
export type Issuer = Pick<Certificate, 'subject' | 'key'>;

/** The part of a key that goes into certificates. */
export type PublicHalf = Pick<KeyPair, 'spki'>;

/** What goes into a certificate's SCT list: by default one good SCT of each log. */
export interface SctPlan {
  readonly logs: readonly CtLog[];
  readonly time: Date;
  /** Bends the list before it is put into the certificate. */
  readonly bend?: (scts: readonly Sct[]) => readonly Sct[];
}

/** Issues a certificate for a key, with embedded SCTs by way of a precertificate (RFC 6962 3.1 and 3.2) when logs are given. */
export function issue(issuer: Issuer, key: KeyPair, spec: CertificateSpec, scts?: SctPlan): Certificate {
  return { ...certify(issuer, key, spec, scts), key };
}

/** Issues a certificate for somebody whose private key is not here. */
export function certify(
  issuer: Issuer,
  key: PublicHalf,
  spec: CertificateSpec,
  scts?: SctPlan,
): Omit<Certificate, 'key'> {
  const serial = spec.serial ?? BigInt(`0x10${randomBytes(15).toString('hex')}`);
  const subject = nameOf(spec.commonName);
  const tbsOf = (extensions: readonly Extension[]) =>
    sequence(
      context(0, integer(2)),
      integer(serial),
      signatureAlgorithm(issuer.key.kind),
      issuer.subject,
      sequence(certificateTime(spec.window.from), certificateTime(spec.window.until)),
      subject,
      key.spki,
      ...(extensions.length === 0 ? [] : [context(3, sequence(...extensions.map(encodeExtension)))]),
    );
  const tbs = tbsOf([...spec.extensions, ...sctExtensions(tbsOf(spec.extensions), issuer, scts)]);
  const encoded = sequence(tbs, signatureAlgorithm(issuer.key.kind), bitString(issuer.key.sign(tbs)));
  return { der: encoded, pem: toPem(encoded, 'CERTIFICATE'), subject, issuer: issuer.subject, serial };
}

function sctExtensions(precertificate: Buffer, issuer: Issuer, plan: SctPlan | undefined): readonly Extension[] {
  if (plan === undefined) return [];
  const scts = plan.logs.map((log) => log.sign(precertificate, issuer.key.spki, plan.time));
  const list = (plan.bend?.(scts) ?? scts).map(({ bytes }) => withLength(bytes));
  if (list.length === 0) return [];
  return [{ id: '1.3.6.1.4.1.11129.2.4.2', critical: false, value: octetString(withLength(Buffer.concat(list))) }];
}

/** A certificate that signs itself. */
export function issueRoot(
  commonName: string,
  window: Window,
  kind: KeyKind = 'ECDSA P-384',
  extensions = caExtensions(),
): Certificate {
  const key = createKeyPair(kind);
  return issue({ subject: nameOf(commonName), key }, key, {
    commonName,
    window,
    extensions: [...extensions, subjectKeyId(key)],
  });
}

/** A certificate authority below another one. */
export function issueIntermediate(
  parent: Issuer,
  commonName: string,
  window: Window,
  extensions = caExtensions(0),
): Certificate {
  const key = createKeyPair('ECDSA P-384');
  const ids = [subjectKeyId(key), authorityKeyId(parent.key)];
  return issue(parent, key, { commonName, window, extensions: [...extensions, ...ids] });
}

/** What makes a certificate an authority; `pathLength` is how many more may stand below it. */
export function caExtensions(pathLength?: number): readonly Extension[] {
  const limit = pathLength === undefined ? [] : [integer(pathLength)];
  return [
    { id: '2.5.29.15', critical: true, value: bitString(Buffer.from([0x06]), 1) }, // keyCertSign, cRLSign
    { id: '2.5.29.19', critical: true, value: sequence(boolean(true), ...limit) },
  ];
}

/** Key usage digitalSignature, and nothing else. */
export function digitalSignature(): Extension {
  return { id: '2.5.29.15', critical: true, value: bitString(Buffer.from([0x80]), 7) };
}

export function extendedKeyUsage(purposes: readonly string[], critical = false): Extension {
  return { id: '2.5.29.37', critical, value: sequence(...purposes.map(oid)) };
}

export function subjectKeyId(key: PublicHalf): Extension {
  return { id: '2.5.29.14', critical: false, value: octetString(keyIdentifier(key)) };
}

export function authorityKeyId(key: PublicHalf): Extension {
  return { id: '2.5.29.35', critical: false, value: sequence(context(0, keyIdentifier(key), false)) };
}

function keyIdentifier(key: PublicHalf): Buffer {
  return sha256(key.spki).subarray(0, 20);
}

function encodeExtension({ id, critical, value }: Extension): Buffer {
  return sequence(oid(id), ...(critical ? [boolean(true)] : []), octetString(value));
}

/** `CN=...`, or an empty name. */
function nameOf(commonName: string): Buffer {
  return commonName === '' ? sequence() : sequence(setOf(sequence(oid('2.5.4.3'), utf8String(commonName))));
}

/** TLS's `opaque<0..2^16-1>`. */
function withLength(bytes: Uint8Array): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
