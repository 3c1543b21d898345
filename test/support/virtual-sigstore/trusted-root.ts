import { TrustedRoot } from '@sigstore/protobuf-specs';
import { type TrustMaterial, toTrustMaterial } from '@sigstore/verify';
import type { Window } from './ca.ts';
import type { CtLog } from './ct-log.ts';
import { type KeyPair, keyDetails } from './key-pair.ts';
import type { RekorV1 } from './rekor-v1.ts';
import type { RekorV2 } from './rekor-v2.ts';
import type { Tsa } from './tsa.ts';

/** A log's key and the time in which it is believed. */
export interface LogTrust {
  baseUrl: string;
  key: KeyPair;
  id: Buffer;
  window: OpenWindow;
}

/** A chain, leaf or lowest authority first, and the time in which it is believed. */
export interface ChainTrust {
  uri: string;
  certificates: Buffer[];
  window: OpenWindow;
}

export interface OpenWindow {
  from: Date;
  until?: Date;
}

/** What a trust root names; every part may be bent before its JSON is written. */
export interface TrustPlan {
  authorities: ChainTrust[];
  ctLogs: LogTrust[];
  logs: LogTrust[];
  timestampAuthorities: ChainTrust[];
}

/** Trust in an authority by its chain, lowest first. */
export function chainTrust(uri: string, chain: readonly { readonly der: Buffer }[], window: Window): ChainTrust {
  return { uri, certificates: chain.map((certificate) => certificate.der), window: { ...window } };
}

export function ctTrust(baseUrl: string, log: CtLog, from: Date): LogTrust {
  return { baseUrl, key: log.key, id: log.id, window: { from } };
}

export function logTrust(baseUrl: string, log: RekorV1 | RekorV2, from: Date): LogTrust {
  return { baseUrl, key: log.key, id: log.id, window: { from } };
}

export function tsaTrust(uri: string, tsa: Tsa, window: Window): ChainTrust {
  return chainTrust(uri, [tsa.leaf, tsa.root], window);
}

/** The `trusted_root.json`, as `cosign trusted-root create` writes it. */
export function trustedRootJson({ authorities, ctLogs, logs, timestampAuthorities }: TrustPlan) {
  return {
    mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    tlogs: logs.map(logJson),
    certificateAuthorities: authorities.map(chainJson),
    ctlogs: ctLogs.map(logJson),
    timestampAuthorities: timestampAuthorities.map(chainJson),
  };
}

/** The same as the library reads it. */
export function trustMaterial(plan: TrustPlan): TrustMaterial {
  return toTrustMaterial(TrustedRoot.fromJSON(trustedRootJson(plan)));
}

function logJson({ baseUrl, key, id, window }: LogTrust) {
  return {
    baseUrl,
    hashAlgorithm: 'SHA2_256',
    publicKey: {
      rawBytes: key.spki.toString('base64'),
      keyDetails: keyDetails(key.kind),
      validFor: windowJson(window),
    },
    logId: { keyId: id.toString('base64') },
  };
}

function chainJson({ uri, certificates, window }: ChainTrust) {
  return {
    subject: { organization: 'virtual-sigstore', commonName: uri },
    uri,
    certChain: { certificates: certificates.map((bytes) => ({ rawBytes: bytes.toString('base64') })) },
    validFor: windowJson(window),
  };
}

function windowJson({ from, until }: OpenWindow) {
  return { start: from.toISOString(), ...(until === undefined ? {} : { end: until.toISOString() }) };
}
