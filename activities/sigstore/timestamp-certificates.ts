import type { X509Certificate } from '@sigstore/core';
import { isFramed } from './certificate/certificate.ts';
import { parseCertificate } from './certificate/parse.ts';

/**
 * Tells whether the certificates that a timestamp brings along belong to its authority: those of the trust root's chain,
 * and issuers of those up to a root, which a trust root that ends in an intermediate leaves out. Each of the others has
 * to be signed by the next one, and a root by itself, so that no byte of them is anyone's own. They are used for
 * nothing else.
 */
export function belongTo(chain: readonly X509Certificate[], brought: readonly Buffer[]): boolean {
  if (new Set(brought.map((der) => der.toString('base64'))).size < brought.length) return false;
  const known = chain.map((certificate) => certificate.root.toDER());
  const strange = brought.filter((der) => !known.some((one) => one.equals(der))).map(parse);
  const accepted = [...chain];
  for (let before = -1; before < accepted.length; ) {
    before = accepted.length;
    for (const candidate of strange) {
      if (candidate === undefined || accepted.includes(candidate)) continue;
      if (accepted.some((one) => isIssuer(candidate, one))) accepted.push(candidate);
    }
  }
  return strange.every((one) => {
    return one !== undefined && accepted.includes(one) && accepted.some((issuer) => isIssuer(issuer, one));
  });
}

function parse(der: Buffer): X509Certificate | undefined {
  try {
    const certificate = parseCertificate(der);
    return isFramed(certificate) && certificate.root.toDER().equals(der) ? certificate : undefined;
  } catch {
    // Not a certificate.
    return undefined;
  }
}

/** A root is its own issuer. */
function isIssuer(candidate: X509Certificate, of: X509Certificate): boolean {
  try {
    return candidate.isCA && candidate.subject.equals(of.issuer) && of.verify(candidate);
  } catch {
    // A key or a signature of a kind that OpenSSL does not know.
    return false;
  }
}
