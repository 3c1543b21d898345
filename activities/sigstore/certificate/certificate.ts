import { createPublicKey } from 'node:crypto';
import { ASN1Obj, type X509Certificate } from '@sigstore/core';
import { quote } from '../../text/quote.ts';
import { failed, refuse, type Step } from '../judgement.ts';
import { describeKey, type VerificationKey } from '../key/key.ts';
import { extensionsOf, extensionValue } from './extension.ts';
import { parseCertificate } from './parse.ts';

const KEY_USAGE = '2.5.29.15';
const SUBJECT_ALTERNATIVE_NAME = '2.5.29.17';
const BASIC_CONSTRAINTS = '2.5.29.19';
const EXTENDED_KEY_USAGE = '2.5.29.37';
const CODE_SIGNING = '1.3.6.1.5.5.7.3.3';

/** Critical extensions that are looked at here or in `@sigstore/verify`; RFC 5280 section 4.2 wants all others refused. */
const UNDERSTOOD: ReadonlySet<string> = new Set([
  KEY_USAGE,
  SUBJECT_ALTERNATIVE_NAME,
  BASIC_CONSTRAINTS,
  EXTENDED_KEY_USAGE,
]);

/** Tags of a certificate, its algorithm and its signature: SEQUENCE, SEQUENCE, BIT STRING. */
const FRAME = [0x30, 0x30, 0x03].join();
const NO_UNUSED_BITS = 0;

/** A certificate that somebody signed with, its own form checked and nothing about it believed. */
export interface LeafCertificate {
  readonly certificate: X509Certificate;
  /** As it was found: log entries hold the same bytes. */
  readonly der: Buffer;
  readonly key: VerificationKey;
}

/**
 * Reads the certificate of a signer, and refuses what can't be one: EVIDENCE_MALFORMED where it is not a certificate,
 * CERTIFICATE_UNSUITABLE where it is one for something else, none of which `@sigstore/verify` looks at.
 */
export function readLeaf(der: Buffer): Step<LeafCertificate> {
  try {
    const certificate = parseCertificate(der);
    if (!isFramed(certificate)) return failed(refuse('EVIDENCE_MALFORMED', 'the certificate is not framed as one'));
    const problem = problemWith(certificate);
    if (problem !== undefined) return unsuitable(problem);
    const key = describeKey(createPublicKey({ key: certificate.publicKey, format: 'der', type: 'spki' }));
    if (!key.ok) return unsuitable(`its key: ${key.problem}`);
    return { ok: true, value: { certificate, der, key: key.key } };
  } catch {
    return failed(refuse('EVIDENCE_MALFORMED', "the certificate can't be read"));
  }
}

/**
 * The frame around what is signed (RFC 5280 section 4.1), which `@sigstore/core` reads past: a certificate has one
 * spelling. Its algorithm is named once more in what is signed (section 4.1.1.2).
 */
export function isFramed({ root, tbsCertificate: { subs } }: X509Certificate): boolean {
  const [, algorithm, signature] = root.subs;
  const signedAlgorithm = subs[subs[0]?.tag.isContextSpecific(0) === true ? 2 : 1];
  if (algorithm === undefined || signedAlgorithm?.toDER().equals(algorithm.toDER()) !== true) return false;
  const tags = [root, algorithm, signature].map((part) => part?.tag.toDER());
  return root.subs.length === 3 && tags.join() === FRAME && signature?.value[0] === NO_UNUSED_BITS;
}

function problemWith(certificate: X509Certificate): string | undefined {
  const extensions = extensionsOf(certificate);
  const oids = extensions.map(({ oid }) => oid);
  const twice = oids.find((oid, index) => oids.indexOf(oid) !== index);
  if (twice !== undefined) return `it has the extension ${quote(twice)} twice`;
  const unknown = unknownCritical(certificate);
  if (unknown !== undefined) return `its critical extension ${quote(unknown)} is not understood`;
  if (certificate.extBasicConstraints?.isCA === true) return 'it is the certificate of an authority';
  const usage = certificate.extKeyUsage;
  if (usage?.keyCertSign === true) return 'its key is for signing certificates';
  if (usage?.digitalSignature === false) return 'its key is not for signatures';
  if (!hasPurpose(certificate, CODE_SIGNING)) return 'it is not for code signing';
  return undefined;
}

/** The first critical extension that nobody here looks at. */
export function unknownCritical(certificate: X509Certificate): string | undefined {
  return extensionsOf(certificate).find(({ oid, critical }) => critical && !UNDERSTOOD.has(oid))?.oid;
}

/** Tells whether a certificate is a root; what is no certificate is taken for one. */
export function isSelfIssued(der: Buffer): boolean {
  try {
    const { subject, issuer } = parseCertificate(der);
    return subject.equals(issuer);
  } catch {
    return true;
  }
}

/** Tells whether the extended key usage names this purpose; a certificate without one is for nothing in particular. */
export function hasPurpose(certificate: X509Certificate, purpose: string): boolean {
  const usages = extensionValue(certificate, EXTENDED_KEY_USAGE);
  return usages !== undefined && ASN1Obj.parseBuffer(usages).subs.some((usage) => usage.toOID() === purpose);
}

function unsuitable<T>(problem: string): Step<T> {
  return failed(refuse('CERTIFICATE_UNSUITABLE', `the certificate is not usable: ${problem}`));
}
