import type { LogMode } from '../../../workflows/activities.ts';
import { MAX_DEMANDED } from '../../limits.ts';
import { CLAIM_OIDS, isClaimName } from '../../sigstore/requirement/claim.ts';
import type { ClaimRule } from '../../sigstore/requirement/requirement.ts';
import { type Field, readCount, readMapping, readText, readWord, reject, required } from '../../yaml/field.ts';
import { REQUIREMENT_TABLES } from '../../yaml/field-tables.ts';
import { type DocumentName, hasVersion, OWN_VERSIONS, readMetadata } from '../metadata.ts';
import { readExact, readPattern } from '../pattern.ts';
import type { SignedAs } from '../policy-set.ts';
import { readSignedAs } from '../signed-identity.ts';
import { type Cosignatures, readCosignatures } from './cosignatures.ts';
import { type KeyDemand, readKeyDemand } from './key-demand.ts';

/** An AuthorityRequirement as it stands in its file: what one authority, or all of a policy, have to prove beyond it. */
export interface RequirementDocument extends DocumentName {
  readonly policy: string;
  readonly policyField: Field;
  /** `undefined`: all authorities of the policy. */
  readonly authority: { readonly name: string; readonly field: Field } | undefined;
  readonly log: LogDemand | undefined;
  readonly timestamps: CountDemand | undefined;
  readonly observers: CountDemand | undefined;
  readonly claims: readonly ClaimDemand[];
  readonly coversIndexChildren: boolean;
  /** Where it is asked for that the newest attestation counts. */
  readonly newestAttestation: Field | undefined;
  readonly key: KeyDemand | undefined;
  readonly signedAs: { readonly field: Field; readonly list: readonly SignedAs[] } | undefined;
  /** Where the exact reference is asked for. */
  readonly exactReference: Field | undefined;
}

export interface LogDemand {
  readonly field: Field;
  /** `undefined`: as it is. */
  readonly mode: LogMode | undefined;
  readonly entries: number;
  readonly cosignatures: Cosignatures | undefined;
}

export interface CountDemand {
  readonly field: Field;
  readonly count: number;
}

export interface ClaimDemand extends ClaimRule {
  readonly field: Field;
}

const LOG_MODES = ['offline', 'consistency', 'lookup'] as const satisfies readonly LogMode[];

/** Reads one document as an AuthorityRequirement, as `readClusterImagePolicy` reads a policy. */
export function readAuthorityRequirement(document: Field): RequirementDocument | undefined {
  const fields = readMapping(document, REQUIREMENT_TABLES['']);
  if (fields === undefined || !hasVersion(document, fields, OWN_VERSIONS)) return undefined;
  const name = readMetadata(document, fields);
  const spec = required(document, fields, 'spec', 'add spec.policy and what is wanted');
  const demands = spec && readSpec(spec);
  return name === undefined || demands === undefined ? undefined : { ...name, ...demands };
}

function readSpec(spec: Field): Omit<RequirementDocument, keyof DocumentName> | undefined {
  const fields = readMapping(spec, REQUIREMENT_TABLES.spec);
  if (fields === undefined) return undefined;
  const policyField = required(spec, fields, 'policy', 'name the ClusterImagePolicy');
  const policy = policyField && readText(policyField);
  const authorityField = fields.get('authority');
  const authority = authorityField && readText(authorityField);
  const log = fields.get('transparencyLog');
  const timestamps = fields.get('timestamps');
  const observers = fields.get('observers');
  const certificate = fields.get('certificate');
  const index = fields.get('indexAttestations');
  const newest = fields.get('newestAttestation');
  const key = fields.get('key');
  const signedAs = fields.get('signedAs');
  const reference = fields.get('signedReference');
  const wanted = [log, timestamps, observers, certificate, index, newest, key, signedAs, reference];
  if (wanted.every((one) => one === undefined)) {
    reject(spec, 'expected something that is wanted, found nothing; add transparencyLog, timestamps, or remove it');
  }
  const coversIndexChildren = index && readWord(index, ['counts'], 'remove it where it shall not count') === 'counts';
  const isNewest = newest && readWord(newest, ['counts'], 'remove it where any attestation may count') === 'counts';
  const isExact = reference && readWord(reference, ['exact'], 'remove it where any tag may be signed') === 'exact';
  const demands = {
    log: log && readLogDemand(log),
    timestamps: timestamps && readCountDemand(timestamps, REQUIREMENT_TABLES['spec.timestamps']),
    observers: observers && readCountDemand(observers, REQUIREMENT_TABLES['spec.observers']),
    claims: (certificate && readClaims(certificate)) ?? [],
    coversIndexChildren: coversIndexChildren ?? false,
    newestAttestation: isNewest === true ? newest : undefined,
    key: key && readKeyDemand(key),
    signedAs: signedAs && { field: signedAs, list: readSignedAs(signedAs) ?? [] },
    exactReference: isExact === true ? reference : undefined,
  };
  if (policy === undefined || policyField === undefined) return undefined;
  if (authorityField === undefined || authority === undefined) {
    return authorityField === undefined ? { policy, policyField, authority: undefined, ...demands } : undefined;
  }
  return { policy, policyField, authority: { name: authority, field: authorityField }, ...demands };
}

function readLogDemand(field: Field): LogDemand | undefined {
  const fields = readMapping(field, REQUIREMENT_TABLES['spec.transparencyLog']);
  if (fields === undefined) return undefined;
  if (fields.size === 0) return reject(field, 'expected mode, entries or cosignatures, found none; add one');
  const mode = fields.get('mode');
  const entries = fields.get('entries');
  const cosignatures = fields.get('cosignatures');
  return {
    field,
    mode: mode && readWord(mode, LOG_MODES, 'choose one'),
    entries: (entries && readCount(entries, 1, MAX_DEMANDED)) ?? 1,
    cosignatures: cosignatures && readCosignatures(cosignatures),
  };
}

function readCountDemand(field: Field, table: (typeof REQUIREMENT_TABLES)['spec.timestamps']): CountDemand | undefined {
  const fields = readMapping(field, table);
  const countField = fields && required(field, fields, 'count', 'say how many');
  const count = countField && readCount(countField, 1, MAX_DEMANDED);
  return count === undefined ? undefined : { field, count };
}

const CLAIM_NAMES = Object.keys(CLAIM_OIDS).filter(isClaimName);
const CLAIM_TABLE = Object.fromEntries(CLAIM_NAMES.map((name) => [name, 'read' as const]));

function readClaims(field: Field): readonly ClaimDemand[] {
  const fields = readMapping(field, CLAIM_TABLE);
  if (fields?.size === 0) return reject(field, 'expected a claim, found none; add one, or remove certificate') ?? [];
  return CLAIM_NAMES.flatMap((claim) => {
    const value = fields?.get(claim);
    return value === undefined ? [] : readClaim(claim, value);
  });
}

function readClaim(claim: ClaimRule['claim'], field: Field): readonly ClaimDemand[] {
  const fields = readMapping(field, REQUIREMENT_TABLES['spec.certificate.*']);
  if (fields === undefined) return [];
  const exact = fields.get('exact');
  const regExp = fields.get('regExp');
  if ((exact === undefined) === (regExp === undefined)) {
    const found = exact === undefined ? 'neither' : 'both';
    return reject(field, `expected one of exact and regExp, found ${found}; write the value into exact`) ?? [];
  }
  const value = regExp === undefined ? exact && readExact(exact) : readPattern(regExp);
  return value === undefined ? [] : [{ claim, value, field }];
}
