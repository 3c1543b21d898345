import { EXTENSION_OID_SCT, X509Certificate } from '@sigstore/core';
import type { SignedEntity, TrustMaterial } from '@sigstore/verify';
import { anchored, isUsable, PURPOSE } from '../authority-chain.ts';
import { type Refusal, refuse } from '../judgement.ts';
import { type LibraryFailure, runLibrary, type Signing } from '../library-step.ts';
import type { LeafCertificate } from './certificate.ts';

type Authority = TrustMaterial['certificateAuthorities'][number];

/**
 * Checks that the certificate leads to an authority of the trust root at every one of these times (at least one), and
 * that at least so many CT logs of the trust root vouch for it. With 0 its certificate timestamps are not looked at;
 * otherwise all of them have to hold, as `@sigstore/verify` does it.
 */
export function checkChain(
  signing: Signing,
  leaf: LeafCertificate,
  times: readonly Date[],
  certificateTimestamps: number,
  trust: TrustMaterial,
): Refusal | undefined {
  const authorities = trust.certificateAuthorities
    .filter(({ certChain }) => isUsable(certChain, PURPOSE.codeSigning))
    .map(anchored);
  if (!authorities.some((one) => isNamedIssuer(one, leaf))) return refuseUntrusted();
  const run = (certificate: X509Certificate, count: number): LibraryFailure | undefined =>
    runLibrary(signing, {
      entity: { key: { $case: 'certificate', certificate }, timestamps: wholeSeconds(times).map(asTimestamp) },
      trust: { certificateAuthorities: authorities, ctlogs: trust.ctlogs },
      thresholds: { ctlogThreshold: count },
    });
  const unlogged = new UnloggedCertificate(leaf.certificate.root);
  if (certificateTimestamps === 0) {
    return run(unlogged, 0) === undefined ? undefined : refuseChain(leaf, times, authorities);
  }
  if (run(leaf.certificate, certificateTimestamps) === undefined) return undefined;
  return run(unlogged, 0) === undefined
    ? refuseUnlogged(leaf, certificateTimestamps)
    : refuseChain(leaf, times, authorities);
}

/** The library looks at certificate timestamps on a clone of the certificate; this one's clone has none to look at. */
class UnloggedCertificate extends X509Certificate {
  override clone(): X509Certificate {
    const clone = super.clone();
    const index = clone.extensions.findIndex((extension) => extension.subs[0]?.toOID() === EXTENSION_OID_SCT);
    if (index >= 0) clone.extensions.splice(index, 1);
    return clone;
  }
}

/** Seconds at and around the times: certificates count in seconds, so whoever is good at both is good in between. */
function wholeSeconds(times: readonly Date[]): readonly number[] {
  return [...new Set(times.flatMap((time) => [Math.floor(time.getTime() / 1000), Math.ceil(time.getTime() / 1000)]))];
}

/** A time that was verified already, in the form in which the library takes one from a log. */
function asTimestamp(seconds: number): SignedEntity['timestamps'][number] {
  const tlogEntry = {
    logIndex: '0',
    logId: { keyId: Buffer.alloc(0) },
    kindVersion: { kind: '', version: '' },
    integratedTime: String(seconds),
    inclusionPromise: { signedEntryTimestamp: Buffer.alloc(0) },
    inclusionProof: undefined,
    canonicalizedBody: Buffer.alloc(0),
  };
  return { $case: 'transparency-log', tlogEntry };
}

function isNamedIssuer({ certChain }: Authority, { certificate }: LeafCertificate): boolean {
  return certChain.some(({ subject }) => subject.equals(certificate.issuer));
}

/** Why the chain did not hold: by another authority, or by ours at another time. */
function refuseChain(leaf: LeafCertificate, times: readonly Date[], authorities: readonly Authority[]): Refusal {
  const { certificate } = leaf;
  const early = times.find((time) => !certificate.validForDate(time));
  if (early !== undefined) {
    const window = `${iso(certificate.notBefore)} to ${iso(certificate.notAfter)}`;
    return refuse(
      'CERTIFICATE_EXPIRED',
      `the certificate was good from ${window}, the signature is from ${iso(early)}`,
    );
  }
  const issuing = authorities.filter((one) => issued(one, certificate));
  const outside = times.find((time) => issuing.length > 0 && !issuing.some((one) => isValidAt(one, time)));
  if (outside === undefined) return refuseUntrusted();
  return refuse('CERTIFICATE_EXPIRED', `the certificate's authority was not valid at ${iso(outside)}`);
}

function issued({ certChain }: Authority, certificate: X509Certificate): boolean {
  return certChain.some((one) => one.subject.equals(certificate.issuer) && certificate.verify(one));
}

function isValidAt({ certChain, validFor }: Authority, time: Date): boolean {
  return validFor.start <= time && time <= validFor.end && certChain.every((one) => one.validForDate(time));
}

function refuseUntrusted(): Refusal {
  const sentence = 'the certificate does not lead to a certificate authority of the trust root';
  return refuse('CERTIFICATE_UNTRUSTED', sentence);
}

function refuseUnlogged({ certificate }: LeafCertificate, expected: number): Refusal {
  const found = certificate.extSCT === undefined ? 'it has none' : 'fewer hold';
  const sentence = `expected ${expected} certificate timestamps (SCT) of CT logs of the trust root, ${found}`;
  return refuse('CERTIFICATE_UNLOGGED', sentence);
}

function iso(time: Date): string {
  return Number.isNaN(time.getTime()) ? 'no date' : time.toISOString();
}
