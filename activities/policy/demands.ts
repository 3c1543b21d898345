import { describePattern } from '../sigstore/requirement/text-pattern.ts';
import { type Field, reject } from '../yaml/field.ts';
import { quote } from '../yaml/problem.ts';
import type {
  ClaimDemand,
  CountDemand,
  LogDemand,
  RequirementDocument,
} from './own-documents/authority-requirement.ts';
import type { KeyDemand } from './own-documents/key-demand.ts';
import type { Authority, LogRule, SignerRule, TimestampRule } from './policy-set.ts';
import type { ResolvedAuthority } from './resolve.ts';

/**
 * Adds what AuthorityRequirements want to what a ClusterImagePolicy wants of an authority. Numbers can only grow; two
 * documents that want different things of one authority, or something that it can't have, are reported.
 */
export function addDemands(
  { authority, log }: ResolvedAuthority,
  requirements: readonly RequirementDocument[],
): Authority {
  if (requirements.length === 0) return authority;
  if (log === undefined || authority.signer.kind === 'static') {
    for (const { authority: named, policyField } of requirements) {
      const found = `found ${quote(authority.name)}, which is static`;
      reject(named?.field ?? policyField, `expected an authority that looks at evidence, ${found}; name another one`);
    }
    return authority;
  }
  const logs = requirements.flatMap((one) => one.log ?? []);
  const claims = requirements.flatMap((one) => one.claims);
  const observers = requirements.flatMap((one) => one.observers ?? []);
  const demanded = logs.length === 0 ? authority.log : addLogDemands(log, logs);
  const timestamps = addTimestamps(
    authority,
    requirements.flatMap((one) => one.timestamps ?? []),
  );
  checkObservers({ ...authority, log: demanded, timestamps }, observers);
  return {
    ...authority,
    signer: addKeyDemand(
      addClaims(authority.signer, claims),
      requirements.flatMap((one) => one.key ?? []),
    ),
    log: demanded,
    timestamps,
    observers: Math.max(authority.observers, ...observers.map(({ count }) => count)),
    coversIndexChildren: requirements.some((one) => one.coversIndexChildren),
    newestAttestation: addNewest(
      authority,
      requirements.flatMap((one) => one.newestAttestation ?? []),
    ),
    ...addIdentity(authority, requirements),
  };
}

/** The age of an attestation is that of its certificate: anyone can log or stamp an old signature by a key once more. */
function addNewest({ signer, attestations }: Authority, [field]: readonly Field[]): boolean {
  if (field === undefined) return false;
  if (attestations.length === 0) {
    reject(field, 'expected an authority with attestations, found one that wants a signature; remove it');
  }
  if (signer.kind !== 'keyless') {
    reject(field, 'expected a keyless authority, found a key, by which an attestation has no certain age; remove it');
  }
  return true;
}

/**
 * Which repository and tag a signature has to name. Only a simple signing payload names them. What widens the choice is
 * in one document, so that it is seen at once.
 */
function addIdentity(
  { attestations, formats }: Authority,
  requirements: readonly RequirementDocument[],
): Pick<Authority, 'signedAs' | 'signedReference'> {
  const [first, second] = requirements.flatMap((one) => one.signedAs ?? []);
  const exact = requirements.flatMap((one) => one.exactReference ?? []);
  for (const field of [first?.field, ...exact]) {
    if (field === undefined) continue;
    if (attestations.length > 0) {
      reject(field, 'expected an authority without attestations, which name no repository, found some; remove it');
    } else if (!formats.includes('legacy')) {
      reject(field, 'expected signatureFormat legacy or none, found bundle, which names no repository; remove it');
    }
  }
  if (second !== undefined) {
    reject(second.field, 'expected signedAs in one document, found it in two for one authority; merge them');
  }
  return { signedAs: first?.list ?? [], signedReference: exact.length > 0 ? 'exact' : 'repository' };
}

function addLogDemands(log: LogRule, demands: readonly LogDemand[]): LogRule {
  const modes = demands.flatMap(({ field, mode }) => (mode === undefined ? [] : [{ field, mode }]));
  const [mode] = modes;
  const other = modes.find((one) => one.mode !== mode?.mode);
  if (mode !== undefined && other !== undefined) {
    reject(other.field, `expected mode ${mode.mode} as in another document, found ${other.mode}; agree on one`);
  }
  const [cosigned, second] = demands.flatMap(({ cosignatures }) => cosignatures ?? []);
  if (second !== undefined) {
    reject(second.field, 'expected cosignatures in one document, found them in two for one authority; merge them');
  }
  const entries = Math.max(log.entries, ...demands.map((one) => one.entries));
  const [{ field } = { field: undefined }] = demands;
  if (field !== undefined) checkOwnLog(log, mode?.mode ?? log.mode, entries, field);
  return {
    ...log,
    mode: mode?.mode ?? log.mode,
    entries,
    cosignatures: cosigned?.count ?? log.cosignatures,
    witnesses: cosigned?.witnesses ?? log.witnesses,
  };
}

/** A log that is known by its key alone is one log, and only its `ctlog.url` says where it is. */
function checkOwnLog(log: LogRule, mode: LogRule['mode'], entries: number, field: Field): void {
  if (log.publicKey === undefined) return;
  if (mode !== 'offline' && log.url === undefined) {
    reject(field, `expected mode offline beside ctlog.public-key, found ${mode}; add ctlog.url`);
  }
  if (entries > 1) {
    reject(field, `expected 1 entry beside ctlog.public-key, found ${entries}; use a trust root with more logs`);
  }
}

function addTimestamps({ signer, timestamps }: Authority, demands: readonly CountDemand[]): TimestampRule | undefined {
  const [first] = demands;
  if (first === undefined) return timestamps;
  const trustRoot = timestamps?.trustRoot ?? (signer.kind === 'keyless' ? signer.trustRoot : undefined);
  if (trustRoot === undefined) {
    return reject(
      first.field,
      'expected an authority with rfc3161timestamp, found a key without; add rfc3161timestamp',
    );
  }
  return { trustRoot, count: Math.max(timestamps?.count ?? 1, ...demands.map(({ count }) => count)) };
}

function checkObservers({ signer, log, timestamps }: Authority, demands: readonly CountDemand[]): void {
  const [first] = demands;
  if (first === undefined || signer.kind === 'keyless' || log !== undefined || timestamps !== undefined) return;
  reject(first.field, 'expected an authority with ctlog or rfc3161timestamp, found a key without; add one of them');
}

/** How a key in a KMS is looked at is said once, so that one document does not loosen what another one tightens. */
function addKeyDemand(signer: SignerRule, [first, second]: readonly KeyDemand[]): SignerRule {
  if (first === undefined) return signer;
  if (second !== undefined) {
    reject(second.field, 'expected key in one document, found it in two for one authority; merge them');
  }
  if (signer.kind !== 'kms') {
    return reject(first.field, 'expected an authority with key.kms, found one without; remove it') ?? signer;
  }
  if (first.verification === 'remote' && signer.reference.provider === 'gcpkms') {
    return (
      reject(first.field, 'expected local beside gcpkms://, found remote, which Google does not offer; remove it') ??
      signer
    );
  }
  const { maxAgeMs = signer.freshness.maxAgeMs, staleMs, verification } = first;
  return { ...signer, freshness: { maxAgeMs, staleMs }, verification };
}

function addClaims(signer: SignerRule, demands: readonly ClaimDemand[]): SignerRule {
  const [first] = demands;
  if (first === undefined) return signer;
  if (signer.kind !== 'keyless') {
    return (
      reject(first.field, 'expected a keyless authority, found a key, which has no certificate; remove it') ?? signer
    );
  }
  const distinct = demands.filter((one, i) => {
    const before = demands.slice(0, i).find(({ claim }) => claim === one.claim);
    if (before === undefined) return true;
    if (before.value.kind !== one.value.kind || describePattern(before.value) !== describePattern(one.value)) {
      reject(one.field, `expected ${one.claim} as in another document, found another value; agree on one`);
    }
    return false;
  });
  return { ...signer, claims: distinct.map(({ claim, value }) => ({ claim, value })) };
}
