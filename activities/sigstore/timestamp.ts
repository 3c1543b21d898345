import { createPublicKey } from 'node:crypto';
import { RFC3161Timestamp } from '@sigstore/core';
import type { TrustMaterial } from '@sigstore/verify';
import { anchored, isForTimestamps, isUsable, PURPOSE } from './authority-chain.ts';
import { failed, refuse, type Step } from './judgement.ts';
import { isReadable } from './key/der-effort.ts';
import { runLibrary, type Signing } from './library-step.ts';
import { belongTo } from './timestamp-certificates.ts';
import { readTimestampFrame, type TimestampFrame } from './timestamp-frame.ts';

type Authority = TrustMaterial['timestampAuthorities'][number];

/** A signed timestamp that holds. */
export interface ProvenTimestamp {
  /** Names the authority: issuer and serial number of its certificate. */
  readonly authority: string;
  readonly time: Date;
}

/**
 * Proves one signed timestamp (RFC 3161) over the signature by the authorities of the trust root. For an envelope that is
 * stored alone it may also be over the whole of it, as cosign 2 wrote it. TIMESTAMP_UNTRUSTED is an authority that
 * nobody named, or one outside its time; TIMESTAMP_INVALID all else.
 */
export function proveTimestamp(
  der: Buffer,
  signing: Signing,
  trust: Pick<TrustMaterial, 'timestampAuthorities'>,
): Step<ProvenTimestamp> {
  const stamp = readTimestamp(der);
  if (stamp === undefined) return failed(refuse('TIMESTAMP_INVALID', "the signed timestamp can't be read"));
  const { timestamp, frame, issuer, serial, time } = stamp;
  const named = trust.timestampAuthorities.filter(({ certChain: [leaf] }) => {
    return leaf?.issuer.equals(issuer) === true && leaf.serialNumber.equals(serial);
  });
  if (named.length === 0) {
    return failed(refuse('TIMESTAMP_UNTRUSTED', 'the trust root does not name the authority of the signed timestamp'));
  }
  const usable = named.filter(isUsableAuthority);
  if (usable.length === 0) {
    return failed(refuse('TIMESTAMP_UNTRUSTED', "the certificate of the signed timestamp's authority is not for that"));
  }
  const timestampAuthorities = usable.filter((authority) => isValidAt(authority, time));
  if (timestampAuthorities.length === 0) {
    const sentence = `the authority of the signed timestamp was not valid at ${time.toISOString()}`;
    return failed(refuse('TIMESTAMP_UNTRUSTED', sentence));
  }
  const framed = timestampAuthorities.filter((authority) => isFramedBy(frame, authority));
  if (framed.length === 0) {
    const sentence =
      'the signed timestamp brings certificates of others than its authority, or names another kind of key';
    return failed(refuse('TIMESTAMP_INVALID', sentence));
  }
  if (!isOverSignature(timestamp, signing, framed.map(anchored))) {
    const sentence = 'the signed timestamp does not hold, or is over something else than this signature';
    return failed(refuse('TIMESTAMP_INVALID', sentence));
  }
  return { ok: true, value: { authority: `${issuer.toString('hex')}:${serial.toString('hex')}`, time } };
}

function readTimestamp(der: Buffer) {
  if (!isReadable(der)) return undefined;
  const frame = readTimestampFrame(der);
  if (frame === undefined) return undefined;
  try {
    const timestamp = RFC3161Timestamp.parse(Buffer.from(der));
    const { signerIssuer: issuer, signerSerialNumber: serial, signingTime: time } = timestamp;
    return Number.isNaN(time.getTime()) ? undefined : { timestamp, frame, issuer, serial, time };
  } catch {
    return undefined;
  }
}

function isOverSignature(timestamp: RFC3161Timestamp, signing: Signing, timestampAuthorities: Authority[]): boolean {
  const { signature, payload } = signing.evidence;
  const stored = payload.kind === 'envelope' ? payload.stored : undefined;
  return [signature, ...(stored === undefined ? [] : [Buffer.from(stored)])].some((stamped) => {
    const evidence = { ...signing.evidence, signature: stamped };
    const entity = { timestamps: [{ $case: 'timestamp-authority' as const, timestamp }] };
    return runLibrary({ ...signing, evidence }, { entity, trust: { timestampAuthorities } }) === undefined;
  });
}

/** The kind of key that the frame names decides nothing by itself; it has to be the authority's. */
function isFramedBy({ keyType, certificates }: TimestampFrame, { certChain }: Authority): boolean {
  const [leaf] = certChain;
  if (leaf === undefined || !belongTo(certChain, certificates)) return false;
  try {
    return createPublicKey({ key: leaf.publicKey, format: 'der', type: 'spki' }).asymmetricKeyType === keyType;
  } catch {
    return false; // a key that OpenSSL does not know signs nothing here
  }
}

/** The library looks neither at purposes nor at critical extensions. */
function isUsableAuthority({ certChain }: Authority): boolean {
  const [leaf, ...authorities] = certChain;
  return leaf !== undefined && isForTimestamps(leaf) && isUsable(authorities, PURPOSE.timeStamping);
}

function isValidAt({ certChain, validFor }: Authority, time: Date): boolean {
  return validFor.start <= time && time <= validFor.end && certChain.every((one) => one.validForDate(time));
}
