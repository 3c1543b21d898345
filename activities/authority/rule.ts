import { createHash, type KeyObject } from 'node:crypto';
import type { TrustMaterial } from '@sigstore/verify';
import type { Condition } from '../attestation/condition.ts';
import type { Authority, LogRule, SignerRule } from '../policy/policy-set.ts';
import { parseCertificate } from '../sigstore/certificate/parse.ts';
import type { VerificationKey } from '../sigstore/key/key.ts';
import type { Requirement, Wanted } from '../sigstore/requirement/requirement.ts';
import type { TransparencyLog, TrustStore } from '../trust/trust-root.ts';

/** One piece of evidence that an authority wants, with all that it is judged by. */
export interface EvidenceRule {
  readonly wanted: Wanted;
  /** One for each key that the authority's signatures may be made with, and one for certificates: one of them is enough. */
  readonly requirements: readonly Requirement[];
  /** What an attestation has to say beyond being there. */
  readonly condition: Condition | undefined;
}

type EvidenceSigner = Exclude<SignerRule, { kind: 'static' }>;

/** The window of what a policy names without one. */
const ALWAYS = { start: new Date(0), end: new Date(8.64e15) };

/**
 * What an authority wants: the image's signature, or each of its attestations. A static one wants nothing, and nothing
 * satisfies it by evidence. `keys` are those of `authorityKeys`. Throws the TRUST_ROOT_ codes.
 */
export function evidenceRules(
  authority: Authority,
  trust: TrustStore,
  keys: readonly VerificationKey[],
): readonly EvidenceRule[] {
  const { signer, log, timestamps, observers } = authority;
  if (signer.kind === 'static') return [];
  const signers = signerRequirements(signer, keys);
  const shared = {
    log: log && { entries: log.entries, cosignatures: log.cosignatures, witnesses: log.witnesses },
    ...{ timestamps: timestamps?.count ?? 0, observers, trust: trustOf(authority, signer, trust) },
  };
  const wants = (wanted: Wanted, condition?: Condition): EvidenceRule => ({
    wanted,
    requirements: signers.map((one) => ({ signer: one, ...shared, wanted })),
    condition,
  });
  if (authority.attestations.length === 0) return [wants({ kind: 'signature' })];
  return authority.attestations.map(({ predicateTypes, condition }) =>
    wants({ kind: 'attestation', predicateTypes }, condition),
  );
}

/** The logs that an authority's entries may be of, as they are asked over the network. Throws the TRUST_ROOT_ codes. */
export function logsOf({ log }: Authority, trust: TrustStore): readonly TransparencyLog[] {
  if (log === undefined) return [];
  if (log.publicKey === undefined) return trust.find(log.trustRoot).logs;
  return log.url === undefined ? [] : [namedLog(log.publicKey, log.url)];
}

function signerRequirements(
  signer: EvidenceSigner,
  keys: readonly VerificationKey[],
): readonly Requirement['signer'][] {
  switch (signer.kind) {
    case 'key':
    case 'kms':
      return keys.map((key) => ({ kind: 'key', key }));
    case 'keyless': {
      const { identities, claims } = signer;
      return [{ kind: 'keyless', identities, claims, certificateTimestamps: signer.insecureIgnoreSct ? 0 : 1 }];
    }
  }
}

/** Each role from the trust root that the policy names for it; where it names none, a certificate's own decides over its time. */
function trustOf({ log, timestamps }: Authority, signer: EvidenceSigner, trust: TrustStore): TrustMaterial {
  const name = signer.kind === 'keyless' ? signer.trustRoot : undefined;
  const own = name === undefined ? NOTHING : trust.find(name).material;
  return {
    ...NOTHING,
    certificateAuthorities: signer.kind === 'keyless' ? authoritiesOf(signer, own) : [],
    ctlogs: own.ctlogs,
    tlogs: log === undefined ? own.tlogs : tlogsOf(log, trust),
    timestampAuthorities:
      timestamps === undefined
        ? own.timestampAuthorities
        : trust.find(timestamps.trustRoot).material.timestampAuthorities,
  };
}

const NOTHING: TrustMaterial = {
  certificateAuthorities: [],
  timestampAuthorities: [],
  tlogs: [],
  ctlogs: [],
  publicKey: () => {
    throw new Error('the key is named by the policy, never by a hint');
  },
};

function authoritiesOf(
  { certificateAuthority }: Extract<SignerRule, { kind: 'keyless' }>,
  own: TrustMaterial,
): TrustMaterial['certificateAuthorities'] {
  if (certificateAuthority === undefined) return own.certificateAuthorities;
  const certChain = certificateAuthority.map(parseCertificate);
  return [{ certChain, validFor: ALWAYS }];
}

function tlogsOf({ publicKey, url, trustRoot }: LogRule, trust: TrustStore): TrustMaterial['tlogs'] {
  if (publicKey === undefined) return trust.find(trustRoot).material.tlogs;
  const logID = logIdOf(publicKey, url);
  return [{ logID, baseURL: url ?? '', publicKey, validFor: ALWAYS }];
}

function namedLog(publicKey: KeyObject, url: string): TransparencyLog {
  const tiled = publicKey.asymmetricKeyType === 'ed25519';
  return {
    id: logIdOf(publicKey, url).toString('hex'),
    ...{ baseUrl: new URL(url), publicKey, version: tiled ? 'v2' : 'v1' },
    origin: tiled ? new URL(url).hostname : undefined,
    ...{ validFrom: 0, validUntil: undefined },
  };
}

/** A v1 log is known by the hash of its key; a tiled one by that of its name and key (C2SP signed-note, Ed25519). */
function logIdOf(publicKey: KeyObject, url: string | undefined): Buffer {
  const hash = createHash('sha256');
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  if (publicKey.asymmetricKeyType !== 'ed25519' || url === undefined) return hash.update(spki).digest();
  return hash
    .update(`${new URL(url).hostname}\n\x01`)
    .update(spki.subarray(-32))
    .digest();
}
