import { X509Certificate } from '@sigstore/core';
import type { TrustMaterial } from '@sigstore/verify';
import { quote } from '../text/quote.ts';
import { hasPurpose, unknownCritical } from './certificate/certificate.ts';
import { extensionValue } from './certificate/extension.ts';

type Authority = TrustMaterial['certificateAuthorities'][number];

/** What the certificates below an authority are for: its extended key usage. */
export const PURPOSE = { codeSigning: '1.3.6.1.5.5.7.3.3', timeStamping: '1.3.6.1.5.5.7.3.8' } as const;
export type Purpose = (typeof PURPOSE)[keyof typeof PURPOSE];

const ANY_PURPOSE = '2.5.29.37.0';
const NAME_CONSTRAINTS = '2.5.29.30';
const EXTENDED_KEY_USAGE = '2.5.29.37';

/**
 * The authority with the last certificate of its chain as the anchor, whatever that is: a chain that ends in an
 * intermediate pins the authority that issues, as in cosign and Go. `@sigstore/verify` follows every chain to a
 * certificate that signs itself; it is given one that says so. Its window, path length and purposes count as before.
 */
export function anchored(authority: Authority): Authority {
  const { certChain, validFor } = authority;
  const last = certChain.at(-1);
  if (last === undefined || isRoot(last)) return authority;
  return { certChain: [...certChain.slice(0, -1), new Anchor(last.root)], validFor };
}

/** A trusted certificate that the library looks no further than. */
class Anchor extends X509Certificate {
  override get issuer(): X509Certificate['subject'] {
    return this.subject;
  }

  override verify(issuer?: X509Certificate): boolean {
    return issuer === undefined || super.verify(issuer);
  }
}

function isRoot(certificate: X509Certificate): boolean {
  try {
    return certificate.subject.equals(certificate.issuer) && certificate.verify();
  } catch {
    // A key that OpenSSL can't use: the library could not either.
    return false;
  }
}

/** Tells whether a certificate signs timestamps (RFC 3161 section 2.3), and says nothing critical that is not looked at. */
export function isForTimestamps(certificate: X509Certificate): boolean {
  try {
    return unknownCritical(certificate) === undefined && hasPurpose(certificate, PURPOSE.timeStamping);
  } catch {
    // Its extensions are no DER.
    return false;
  }
}

/** Tells whether the library looks at everything that these authorities say of what is below them, or this file does. */
export function isUsable(authorities: readonly X509Certificate[], purpose: Purpose): boolean {
  return authorities.every((certificate) => limitOf(certificate, purpose) === undefined);
}

/**
 * Why nothing of that purpose can be valid below the first of these authorities, each of which is below the next;
 * `undefined` when no certificate speaks against it.
 */
export function authorityProblem(
  authorities: readonly X509Certificate[],
  purpose: Purpose,
): { readonly place: number; readonly problem: string } | undefined {
  for (const [below, certificate] of authorities.entries()) {
    const problem = limitOf(certificate, purpose) ?? powerProblem(certificate, below);
    if (problem !== undefined) return { place: below + 1, problem };
  }
  return undefined;
}

/** Name constraints are not evaluated here, critical or not, so an authority that has them is not used. */
function limitOf(certificate: X509Certificate, purpose: Purpose): string | undefined {
  try {
    return readLimit(certificate, purpose);
  } catch {
    // Extensions are parsed when they are asked for.
    return 'its extensions can not be read';
  }
}

function readLimit(certificate: X509Certificate, purpose: Purpose): string | undefined {
  const unknown = unknownCritical(certificate);
  if (unknown !== undefined) return `its critical extension ${quote(unknown)} is not evaluated here`;
  if (extensionValue(certificate, NAME_CONSTRAINTS) !== undefined) return 'its name constraints are not evaluated here';
  if (allows(certificate, purpose)) return undefined;
  return `its extended key usage excludes ${purpose === PURPOSE.codeSigning ? 'code signing' : 'time stamping'}`;
}

function powerProblem(certificate: X509Certificate, below: number): string | undefined {
  try {
    return readPower(certificate, below);
  } catch {
    return 'its basic constraints or its key usage can not be read';
  }
}

function readPower(certificate: X509Certificate, below: number): string | undefined {
  if (!certificate.isCA) return 'its key usage does not include signing certificates';
  const length = certificate.extBasicConstraints?.pathLenConstraint;
  if (length === undefined || length >= BigInt(below)) return undefined;
  return `its path length allows ${length} authorities below it, the chain has ${below}`;
}

/** Without an extended key usage an authority is for anything; with one, what is below it is for no more (as Go has it). */
function allows(certificate: X509Certificate, purpose: Purpose): boolean {
  if (extensionValue(certificate, EXTENDED_KEY_USAGE) === undefined) return true;
  return hasPurpose(certificate, purpose) || hasPurpose(certificate, ANY_PURPOSE);
}
