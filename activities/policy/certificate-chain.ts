import { X509Certificate } from 'node:crypto';
import { MAX_CA_CERTIFICATES } from '../limits.ts';
import { authorityProblem, PURPOSE } from '../sigstore/authority-chain.ts';
import { parseCertificate } from '../sigstore/certificate/parse.ts';
import { decodeBase64 } from '../text/base64.ts';

export type ChainResult =
  | { readonly ok: true; readonly chain: readonly Uint8Array[] }
  | { readonly ok: false; readonly problem: string };

const BLOCK = /-----BEGIN CERTIFICATE-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END CERTIFICATE-----/g;

/**
 * Parses the certificates of a certificate authority in PEM: the one that signs leaves first, each followed by the one
 * that signed it. The last one is the anchor: a root, or an intermediate, which pins the authority that issues. Chains
 * below which no signature could ever be valid are refused. Answers them as DER. `problem` completes "the certificates
 * are not usable: ", and holds nothing of their content.
 */
export function parseCertificateChain(pem: string): ChainResult {
  const blocks = [...pem.matchAll(BLOCK)].map(([, body = '']) => decodeBase64(body.replaceAll(/[\r\n]/g, '')));
  if (pem.includes('PRIVATE KEY')) return problem('they come with a private key: remove it, and consider it leaked');
  if (blocks.length === 0 || blocks.length > MAX_CA_CERTIFICATES) {
    return problem(`expected 1 to ${MAX_CA_CERTIFICATES} PEM blocks CERTIFICATE, found ${blocks.length}`);
  }
  if (pem.replaceAll(BLOCK, '').trim() !== '')
    return problem('expected PEM blocks CERTIFICATE and nothing around them');
  const certificates = blocks.map(parse);
  const parsed = certificates.filter((one) => one !== undefined);
  const broken = certificates.indexOf(undefined) + 1;
  if (broken > 0) return problem(`certificate ${broken} can't be parsed, or has more behind it`);
  const known = parsed.map(({ certificate }) => certificate);
  const leaf = known.findIndex((one) => !one.ca) + 1;
  if (leaf > 0) return problem(`certificate ${leaf} is not a CA certificate (basicConstraints CA is not set)`);
  const stray = known.slice(1).findIndex((issuer, i) => !isIssuedBy(known[i], issuer)) + 1;
  if (stray > 0) return problem(`certificate ${stray} is not signed by the one after it; order them, the root last`);
  const authorities = parsed.map(({ authority }) => authority);
  const useless = authorityProblem(authorities, PURPOSE.codeSigning);
  if (useless !== undefined) return problem(`certificate ${useless.place}: ${useless.problem}`);
  return { ok: true, chain: known.map((one) => new Uint8Array(one.raw)) };
}

/** The same bytes as OpenSSL and as the library read them; OpenSSL ignores what is behind a certificate. */
function parse(der: Buffer | undefined) {
  try {
    if (der === undefined) return undefined;
    const certificate = new X509Certificate(der);
    return certificate.raw.equals(der) ? { certificate, authority: parseCertificate(der) } : undefined;
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
