import assert from 'node:assert/strict';
import { parsePublicKey } from '../../../activities/sigstore/key/key.ts';
import type { Requirement, SignerRequirement } from '../../../activities/sigstore/requirement/requirement.ts';
import { compilePattern, exactly, type TextPattern } from '../../../activities/sigstore/requirement/text-pattern.ts';
import { trustMaterial } from '../virtual-sigstore/trusted-root.ts';
import type { Generation, Scenario } from './scenario.ts';
import { ISSUER, PREDICATE_TYPE, SUBJECT } from './signing.ts';
import type { Trust, TrustFiles } from './trust.ts';
import type { Workbench } from './workbench.ts';

/** What evidence is asked to prove: one demand, said to cosign in options and to us in a requirement. */
export interface Demand {
  /** A key by its name, or who may have signed. */
  readonly signer: string | Identity;
  /** The predicate type of an attestation; `undefined` wants a signature. */
  readonly predicateType: string | undefined;
  readonly log: boolean;
  readonly timestamp: boolean;
  readonly trust: Trust;
}

/** Who may have signed without a key of their own. */
export interface Identity {
  readonly subject: string;
  readonly issuer: string;
  /** The subject is a pattern. */
  readonly isPattern?: true;
}

/** What fits a scenario. */
export function demandOf({ signer, kind, log, timestamps }: Scenario): Demand {
  return {
    signer: signer === 'keyless' ? { subject: SUBJECT, issuer: ISSUER } : signer,
    predicateType: kind === 'attestation' ? PREDICATE_TYPE : undefined,
    log: log !== 'none',
    timestamp: timestamps,
    trust: 'usual',
  };
}

/** How cosign is asked. `undefined` where this one can't be told the demand. */
export function cosignQuestion(
  bench: Workbench,
  generation: Generation,
  format: Scenario['format'],
  demand: Demand,
): { readonly args: readonly string[]; readonly environment: Readonly<Record<string, string>> } | undefined {
  const { signer, predicateType, log, timestamp } = demand;
  const trust = trustFiles(bench, demand);
  const byFiles = generation === 2 && format === 'legacy';
  if (byFiles && trust.hasWindows) return undefined;
  const args = [
    predicateType === undefined ? 'verify' : 'verify-attestation',
    '--allow-http-registry',
    ...(predicateType === undefined ? [] : ['--type', predicateType]),
    ...signerOptions(signer, generation),
    ...(log ? [] : ['--insecure-ignore-tlog=true']),
    ...(timestamp ? ['--use-signed-timestamps'] : []),
    ...(byFiles ? ['--offline'] : ['--trusted-root', trust.file]),
    ...(byFiles && timestamp ? ['--timestamp-certificate-chain', trust.tsaFile] : []),
    ...(generation === 2 && format === 'bundle' ? ['--new-bundle-format'] : []),
  ];
  return { args, environment: byFiles ? trust.environment : {} };
}

function signerOptions(signer: Demand['signer'], generation: Generation): readonly string[] {
  if (typeof signer !== 'string') {
    const option = signer.isPattern === true ? '--certificate-identity-regexp' : '--certificate-identity';
    return [option, signer.subject, '--certificate-oidc-issuer', signer.issuer];
  }
  // cosign signs by the hash that fits the curve, and verifies by SHA-256 unless it is told; only cosign 2 can be told.
  const hash = signer === 'P-384' && generation === 2 ? ['--signature-digest-algorithm', 'sha384'] : [];
  return ['--key', `${signer}.pub`, ...hash];
}

/** How we are asked. */
export function requirementOf(bench: Workbench, demand: Demand): Requirement {
  return {
    signer: signerRequirement(bench, demand.signer),
    log: demand.log ? { entries: 1, cosignatures: 0, witnesses: [] } : undefined,
    timestamps: demand.timestamp ? 1 : 0,
    // What cosign wants of a certificate: a time at which it was good.
    observers: typeof demand.signer === 'string' ? 0 : 1,
    trust: trustMaterial(trustFiles(bench, demand).plan),
    wanted:
      demand.predicateType === undefined
        ? { kind: 'signature' }
        : { kind: 'attestation', predicateTypes: [demand.predicateType] },
  };
}

function signerRequirement({ keys }: Workbench, signer: Demand['signer']): SignerRequirement {
  if (typeof signer !== 'string') {
    const identities = [{ issuer: exactly(signer.issuer), subject: subjectPattern(signer) }];
    return { kind: 'keyless', identities, claims: [], certificateTimestamps: 1 };
  }
  const parsed = parsePublicKey(keys.get(signer)?.publicPem ?? '');
  assert.ok(parsed.ok, signer);
  return { kind: 'key', key: parsed.key };
}

function subjectPattern({ subject, isPattern }: Identity): TextPattern {
  if (isPattern !== true) return exactly(subject);
  const compiled = compilePattern(subject);
  assert.ok(compiled.ok, subject);
  return compiled.pattern;
}

function trustFiles({ trusts }: Workbench, { trust }: Demand): TrustFiles {
  const files = trusts.get(trust);
  assert.ok(files !== undefined, trust);
  return files;
}
