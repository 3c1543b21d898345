import { X509Certificate } from 'node:crypto';
import { MAX_CA_CERTIFICATES } from '../limits.ts';
import { isReadable } from '../sigstore/der-effort.ts';

export type ChainResult =
  | { readonly ok: true; readonly chain: readonly Uint8Array[] }
  | { readonly ok: false; readonly problem: string };

const BLOCK = /-----BEGIN CERTIFICATE-----\r?\n[A-Za-z0-9+/=\r\n]+-----END CERTIFICATE-----/g;

/**
 * Parses the certificates of a certificate authority in PEM: the one that signs leaves first, each followed by the one
 * that signed it, the root last. Answers them as DER. `problem` completes "the certificates are not usable: ", and
 * holds nothing of their content.
 */
export function parseCertificateChain(pem: string): ChainResult {
  const blocks = pem.match(BLOCK) ?? [];
  if (pem.includes('PRIVATE KEY')) return problem('they come with a private key: remove it, and consider it leaked');
  if (blocks.length === 0 || blocks.length > MAX_CA_CERTIFICATES) {
    return problem(`expected 1 to ${MAX_CA_CERTIFICATES} PEM blocks CERTIFICATE, found ${blocks.length}`);
  }
  if (pem.replaceAll(BLOCK, '').trim() !== '')
    return problem('expected PEM blocks CERTIFICATE and nothing around them');
  const certificates = blocks.map(parse);
  const known = certificates.filter((one) => one !== undefined);
  const broken = certificates.indexOf(undefined) + 1;
  if (broken > 0) return problem(`certificate ${broken} can't be parsed`);
  const leaf = known.findIndex((one) => !one.ca) + 1;
  if (leaf > 0) return problem(`certificate ${leaf} is none of an authority (CA is not set)`);
  const stray = known.slice(1).findIndex((issuer, i) => !isIssuedBy(known[i], issuer)) + 1;
  if (stray > 0) return problem(`certificate ${stray} is not signed by the one after it; order them, the root last`);
  return { ok: true, chain: known.map((one) => new Uint8Array(one.raw)) };
}

function parse(pem: string): X509Certificate | undefined {
  try {
    const certificate = new X509Certificate(pem);
    return isReadable(certificate.raw) ? certificate : undefined;
  } catch {
    // Told by its place in the list: OpenSSL's words help nobody.
    return undefined;
  }
}

function isIssuedBy(subject: X509Certificate | undefined, issuer: X509Certificate): boolean {
  try {
    return subject?.checkIssued(issuer) === true && subject.verify(issuer.publicKey);
  } catch {
    // A key of a kind that Node can't use.
    return false;
  }
}

function problem(text: string): ChainResult {
  return { ok: false, problem: text };
}
