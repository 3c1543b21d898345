import assert from 'node:assert/strict';
import { createPublicKey, X509Certificate } from 'node:crypto';
import { X509Certificate as LibraryCertificate } from '@sigstore/core';
import { isSelfIssued, readLeaf } from '../../../activities/sigstore/certificate/certificate.ts';
import { extensionText } from '../../../activities/sigstore/certificate/extension.ts';
import { readIdentity } from '../../../activities/sigstore/certificate/identity.ts';
import { CLAIM_OIDS } from '../../../activities/sigstore/requirement/claim.ts';
import { corpus } from '../corpus.ts';
import { assertInert, partOf, refused, type Target } from '../target.ts';

const issuer = LibraryCertificate.parse(Buffer.from(corpus.issuer, 'base64'));
const issuerKey = new X509Certificate(Buffer.from(corpus.issuer, 'base64')).publicKey;
const issued = new Set(corpus.certificates.map((base64) => signedPart(Buffer.from(base64, 'base64'))));

/** A signer's certificate: its form, its names, all its Fulcio extensions, and its issuer's signature. */
export const certificateTarget: Target = {
  name: 'certificate',
  seeds: corpus.certificates.map((base64, i) => ({
    seed: `certificate ${i}`,
    parts: { der: Buffer.from(base64, 'base64') },
  })),
  run(input) {
    const der = partOf(input, 'der');
    assert.equal(typeof isSelfIssued(der), 'boolean');
    const leaf = readLeaf(der);
    if (!leaf.ok) return refused(leaf.refusal);
    const { certificate, key } = leaf.value;
    const identity = readIdentity(certificate);
    if (!identity.ok) return refused(identity.refusal);
    for (const oid of Object.values(CLAIM_OIDS)) claimText(certificate, oid);
    assert.deepEqual(key.publicKey, createPublicKey({ key: certificate.publicKey, format: 'der', type: 'spki' }));
    if (!isIssued(certificate, der)) return 'refused';
    assert.ok(issued.has(signedPart(der)), 'a certificate that nobody issued was accepted');
    return 'accepted';
  },
};

/** Throws where the extension is broken, and answers only what can stand in a line. */
function claimText(certificate: LibraryCertificate, oid: string): void {
  let text: string | undefined;
  try {
    text = extensionText(certificate, oid);
  } catch (error) {
    assert.ok(error instanceof Error && !(error instanceof RangeError), 'expected an error that says what is broken');
    return;
  }
  if (text !== undefined && text !== '' && text.length < 1000)
    assertInert(text.replaceAll(/\p{Cf}|\p{Zl}|\p{Zp}/gu, ''));
}

/** Whatever the library believes, OpenSSL has to believe. */
function isIssued(certificate: LibraryCertificate, der: Buffer): boolean {
  let believed: boolean;
  try {
    believed = certificate.verify(issuer);
  } catch {
    return false;
  }
  if (believed) assert.ok(new X509Certificate(der).verify(issuerKey), 'OpenSSL does not believe this certificate');
  return believed;
}

/** The part that the issuer signed: the first element of the certificate. */
function signedPart(der: Buffer): string {
  const { tbsCertificate } = LibraryCertificate.parse(Buffer.from(der));
  return tbsCertificate.toDER().toString('base64');
}
