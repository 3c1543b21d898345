import type { TlogEntry } from '../../../support/virtual-sigstore/tlog-entry.ts';
import { type Base, type Change, SIGNED_AT, sigstore } from './case.ts';

const PROVENANCE = 'https://slsa.dev/provenance/v1';
const certificate = { signer: 'certificate', format: 'bundle', stamps: 0, logs: [] } as const;
const key = { signer: 'key', format: 'bundle', stamps: 0, logs: [] } as const;

/** Evidence as signers publish it today, and what is asked of each. All of it holds. */
export const BASES = {
  /** cosign 3, public-good instance with Rekor 1. */
  keyless: { ...certificate, name: 'keyless bundle, Rekor v1', logs: ['dsse 0.0.1'] },
  keylessHashed: { ...certificate, name: 'keyless bundle, hashedrekord in Rekor v1', logs: ['hashedrekord 0.0.1'] },
  keylessIntoto: { ...certificate, name: 'keyless bundle, intoto 0.0.2 in Rekor v1', logs: ['intoto 0.0.2'] },
  /** cosign 3 with Rekor 2: no time but the authority's. */
  tiled: { ...certificate, name: 'keyless bundle, Rekor v2 and a timestamp', logs: ['hashedrekord 0.0.2'], stamps: 1 },
  tiledDsse: {
    ...certificate,
    name: 'keyless bundle, dsse 0.0.2 in Rekor v2 and a timestamp',
    logs: ['dsse 0.0.2'],
    stamps: 1,
  },
  /** GitHub's instance for private repositories: timestamps only. */
  stamped: { ...certificate, name: 'keyless bundle, a timestamp only', stamps: 1 },
  /** A private authority, and a policy that wants nobody else's word: the time is that of judging. */
  bare: { ...certificate, name: 'keyless bundle, no log and no timestamp', judgedAt: SIGNED_AT },
  oldBundle: {
    ...certificate,
    name: 'keyless bundle 0.1, a promise only',
    version: '0.1',
    logs: ['dsse 0.0.1'],
    entries: promiseOnly,
  },
  chainBundle: { ...certificate, name: 'keyless bundle 0.2', version: '0.2', logs: ['dsse 0.0.1'] },
  longChain: {
    ...certificate,
    name: 'keyless bundle 0.2, its chain',
    version: '0.2',
    logs: ['dsse 0.0.1'],
    chain: true,
  },
  twoLogs: {
    ...certificate,
    name: 'keyless bundle, both logs and a timestamp',
    logs: ['dsse 0.0.1', 'hashedrekord 0.0.2'],
    stamps: 1,
  },
  witnessed: {
    ...certificate,
    name: 'keyless bundle, co-signed checkpoint',
    logs: ['hashedrekord 0.0.2'],
    stamps: 1,
    require: witnessed(2),
  },
  keyed: { ...key, name: 'bundle by key, no log' },
  keyedLogged: { ...key, name: 'bundle by key, Rekor v1', logs: ['dsse 0.0.1'] },
  keyedProven: {
    ...key,
    name: 'bundle by key, Rekor v1, a proof only',
    logs: ['dsse 0.0.1'],
    entries: proofOnly,
  },
  keyedTiled: { ...key, name: 'bundle by key, Rekor v2', logs: ['hashedrekord 0.0.2'] },
  keyedStamped: { ...key, name: 'bundle by key, a timestamp', stamps: 1 },
  attestation: {
    ...certificate,
    name: 'attestation bundle, keyless',
    logs: ['dsse 0.0.1'],
    predicateType: PROVENANCE,
    wanted: { kind: 'attestation', predicateTypes: [PROVENANCE] },
  },
  legacy: { ...certificate, name: '.sig layer, keyless', format: 'simple-signing', logs: ['hashedrekord 0.0.1'] },
  legacyStamped: { ...certificate, name: '.sig layer, keyless, a timestamp', format: 'simple-signing', stamps: 1 },
  legacyKeyed: { ...key, name: '.sig layer by key', format: 'simple-signing' },
  legacyKeyedLogged: {
    ...key,
    name: '.sig layer by key, Rekor v1',
    format: 'simple-signing',
    logs: ['hashedrekord 0.0.1'],
  },
  attached: {
    ...certificate,
    name: '.att layer, keyless, dsse 0.0.1',
    format: 'envelope',
    logs: ['dsse 0.0.1'],
    predicateType: PROVENANCE,
    wanted: { kind: 'attestation', predicateTypes: [PROVENANCE] },
  },
  attachedIntoto1: {
    ...certificate,
    name: '.att layer, keyless, intoto 0.0.1',
    format: 'envelope',
    logs: ['intoto 0.0.1'],
    predicateType: PROVENANCE,
    wanted: { kind: 'attestation', predicateTypes: [PROVENANCE] },
  },
  attachedIntoto2: {
    ...certificate,
    name: '.att layer, keyless, intoto 0.0.2',
    format: 'envelope',
    logs: ['intoto 0.0.2'],
    predicateType: PROVENANCE,
    wanted: { kind: 'attestation', predicateTypes: [PROVENANCE] },
  },
} as const satisfies Record<string, Base>;

/** Asks for another number of something. */
export function wants(
  changes: Partial<{ entries: number; cosignatures: number; timestamps: number; observers: number; scts: number }>,
): Change {
  return (requirement) => {
    const { log, signer } = requirement;
    const {
      entries = log?.entries ?? 0,
      cosignatures = 0,
      timestamps = requirement.timestamps,
      observers = 0,
      scts = 1,
    } = changes;
    return {
      ...requirement,
      signer: signer.kind === 'key' ? signer : { ...signer, certificateTimestamps: scts },
      log: entries === 0 ? undefined : { entries, cosignatures, witnesses: log?.witnesses ?? [] },
      timestamps,
      observers,
    };
  };
}

/** Asks for cosignatures of so many of both witnesses. */
export function witnessed(cosignatures: number): Change {
  const witnesses = sigstore.witnesses.map(({ name, key: { publicKey } }) => ({ name, publicKey }));
  return (requirement) => ({ ...requirement, log: { entries: 1, cosignatures, witnesses } });
}

function proofOnly(entries: readonly TlogEntry[]): readonly TlogEntry[] {
  return entries.map(({ inclusionPromise: _, ...entry }) => entry);
}

function promiseOnly(entries: readonly TlogEntry[]): readonly TlogEntry[] {
  return entries.map(({ inclusionProof: _, ...entry }) => entry);
}
