import { X509Certificate } from 'node:crypto';
import type { CertificateAuthority } from '@sigstore/protobuf-specs';
import { MAX_CHAIN_LENGTH } from '../../limits.ts';
import { authorityProblem, isForTimestamps, PURPOSE } from '../../sigstore/authority-chain.ts';
import { parseCertificate } from '../../sigstore/certificate/parse.ts';
import { readWindow, type ValidityWindow } from './validity-window.ts';

/** A certificate or timestamp authority that has been looked at. */
export interface TrustAuthority extends ValidityWindow {
  /** DER, leaf-most first. */
  readonly chain: readonly Uint8Array[];
}

/**
 * Checks one authority of a trusted root: certificates that parse, each issued by the next one, and a window. `problem`
 * has what was expected, what was found and what to do.
 */
export function readAuthority(
  authority: CertificateAuthority,
  kind: 'certificates' | 'timestamps',
): { readonly authority: TrustAuthority } | { readonly problem: string } {
  const chain = (authority.certChain?.certificates ?? []).map(({ rawBytes }) => rawBytes);
  const problem = chainProblem(chain, kind);
  if (problem !== undefined) return { problem };
  const window = readWindow(authority.validFor);
  return 'problem' in window ? window : { authority: { chain, ...window } };
}

/**
 * Why no signature could ever be valid by the chain of an authority that {@link readAuthority} accepted; `undefined`
 * when nothing speaks against it. The last certificate is the anchor, a root or not.
 */
export function uselessness(chain: readonly Uint8Array[], kind: 'certificates' | 'timestamps'): string | undefined {
  const certificates = chain.map(parseCertificate);
  if (kind === 'certificates') return sayProblem(authorityProblem(certificates, PURPOSE.codeSigning), 0);
  const [leaf, ...authorities] = certificates;
  if (leaf === undefined || authorities.length === 0) {
    return 'expected the issuer of the certificate that signs timestamps in the chain, found none; add it';
  }
  if (!isForTimestamps(leaf)) {
    return 'expected a certificate for time stamping in first place of the chain, found another; replace it';
  }
  return sayProblem(authorityProblem(authorities, PURPOSE.timeStamping), 1);
}

function sayProblem(found: ReturnType<typeof authorityProblem>, before: number): string | undefined {
  if (found === undefined) return undefined;
  return `expected authorities by which a signature can be valid, found another at place ${found.place + before} of the chain: ${found.problem}; replace it`;
}

function chainProblem(chain: readonly Uint8Array[], kind: 'certificates' | 'timestamps'): string | undefined {
  if (chain.length === 0) return 'expected a chain of certificates, found none; add them, the root last';
  if (chain.length > MAX_CHAIN_LENGTH) {
    return `expected at most ${MAX_CHAIN_LENGTH} certificates in a chain, found ${chain.length}; make one authority of each chain`;
  }
  const certificates = chain.map(parse);
  const broken = certificates.indexOf(undefined);
  if (broken >= 0) return `expected an X.509 certificate, found other bytes at place ${broken + 1} of the chain`;
  const known = certificates.filter((certificate) => certificate !== undefined);
  for (const [i, certificate] of known.entries()) {
    const leaf = kind === 'timestamps' && i === 0;
    if (certificate.ca === leaf) return leaf ? LEAF_MISSING : notAnAuthority(i);
    const issuer = known[i + 1];
    if (issuer !== undefined && !isIssuedBy(certificate, issuer)) {
      return `expected each certificate to be issued by the next one, found another order at place ${i + 1} of the chain; put the root last`;
    }
  }
  return undefined;
}

/** The token's own certificates are not believed, so the trust root has to have the one that signs. */
const LEAF_MISSING =
  'expected the certificate that signs timestamps in first place of the chain, found an authority; add it before its issuer';

function notAnAuthority(i: number): string {
  return `expected certificates of authorities (CA:TRUE), found another one at place ${i + 1} of the chain; remove it`;
}

/** Only bytes that are the certificate and nothing more, and that the library reads too: one certificate has one spelling. */
function parse(der: Uint8Array): X509Certificate | undefined {
  try {
    const certificate = new X509Certificate(der);
    parseCertificate(der);
    return certificate.raw.equals(der) ? certificate : undefined;
  } catch {
    // Not a certificate.
    return undefined;
  }
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  } catch {
    // A key that OpenSSL can't use for this signature.
    return false;
  }
}
