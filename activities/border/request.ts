import type {
  KeyRequest,
  PolicyRequest,
  SignatureReference,
  SignatureSource,
  SignaturesRequest,
  VerdictRequest,
  VerificationRequest,
} from '../../workflows/activities.ts';
import { nameWithDigest, parseName, repositoryOf } from '../../workflows/format/name.ts';
import { MAX_EVIDENCE_PARTS } from '../../workflows/verdict/deadlines.ts';
import type { Envelope } from '../../workflows/verdict/verdict.ts';
import { MAX_EVIDENCE, MAX_PULL_SECRETS } from '../limits.ts';
import { readClaim } from './claim.ts';
import { invalid, readDigest, readFields, readHash, readList, readName, readText } from './request-field.ts';

/**
 * The border to Temporal: whoever may start workflows in its namespace can ask the activities for anything. Each
 * function reads one request and throws REQUEST_INVALID for what no workflow of ours asks.
 */
export function readPolicyRequest(value: unknown): PolicyRequest {
  const fields = readFields(value, 'the whole');
  const image = { name: readName(fields), digest: readDigest(fields, 'digest') };
  return { ...image, policyRevision: readHash(fields, 'policyRevision') };
}

/** Reads a request about the evidence of one image in one place. */
export function readSignaturesRequest(value: unknown): SignaturesRequest {
  const fields = readFields(value, 'the whole');
  const image = { name: readName(fields), digest: readDigest(fields, 'digest') };
  const { part, allPlaces } = fields;
  return {
    ...image,
    policyRevision: readHash(fields, 'policyRevision'),
    source: readSource(fields['source']),
    ...(part === undefined ? {} : { part: readCount(part, 'part', MAX_EVIDENCE_PARTS - 1) }),
    ...(allPlaces === undefined ? {} : { allPlaces: true }),
  };
}

/** What policies, secrets and authorities are named by (`policy/field.ts`, `policy/authority.ts`). */
const OBJECT_NAME = /^[A-Za-z0-9._-]{1,253}$/;
const AUTHORITY_NAME = /^[A-Za-z0-9 ._-]{1,63}$/;

/** Reads a request about the key of one authority. */
export function readKeyRequest(value: unknown): KeyRequest {
  const fields = readFields(value, 'the whole');
  return {
    policy: readText(fields, 'policy', OBJECT_NAME),
    authority: readText(fields, 'authority', AUTHORITY_NAME),
    policyRevision: readHash(fields, 'policyRevision'),
    ...(fields['statement'] === undefined ? {} : { statement: readEnvelope(fields['statement']) }),
  };
}

/** Reads a request to judge signatures. */
export function readVerificationRequest(value: unknown): VerificationRequest {
  const fields = readFields(value, 'the whole');
  return {
    ...readKeyRequest(fields),
    ...{ name: readName(fields), digest: readDigest(fields, 'digest') },
    keyId: readHash(fields, 'keyId'),
    signatures: readList(fields, 'signatures', MAX_EVIDENCE, readReference),
  };
}

/** Reads a request to sign. What the claim says is well-formed after that, and no more. */
export function readVerdictRequest(value: unknown): VerdictRequest {
  const fields = readFields(value, 'the whole');
  return {
    claim: readClaim(fields['claim']),
    evidence: readList(fields, 'evidence', MAX_EVIDENCE, readReference),
  };
}

/** Reads a request about a name alone, which may have a digest: that is what is looked for then. */
export function readNameRequest(value: unknown): { readonly name: string } {
  const { name: found } = readFields(value, 'the whole') as { name?: unknown };
  const name = typeof found === 'string' ? parseName(found) : undefined;
  if (name === undefined || nameWithDigest(name) !== found) throw invalid('name', 'an image name in full', found);
  return { name: found };
}

const PLACES = ['referrers', 'referrers-tag', 'signature-tag', 'attestation-tag'] as const;

/** Far beyond the layers that a manifest within its own bound can have. */
const MAX_LAYER = 100_000;

function readReference(value: unknown): SignatureReference {
  const fields = readFields(value, 'a signature');
  const format = readText(fields, 'format', ['bundle', 'simple-signing', 'envelope']);
  const where = {
    place: readText(fields, 'place', PLACES),
    source: readSource(fields['source']),
    manifest: readDigest(fields, 'manifest'),
    blob: readDigest(fields, 'blob'),
    ...(fields['index'] === undefined ? {} : { index: readDigest(fields, 'index') }),
  };
  switch (format) {
    case 'bundle':
      return { format, ...where };
    case 'simple-signing':
    case 'envelope': {
      return { format, ...where, layer: readCount(fields['layer'], 'layer', MAX_LAYER) };
    }
  }
}

/** What policies may put before `sha256-<hex>` in a tag. */
const TAG_PREFIX = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,49}$/;

function readSource(value: unknown): SignatureSource {
  const fields = readFields(value, 'source');
  const { repository, tagPrefix, pullSecrets, coversIndexChildren, everyPart } = fields;
  return {
    ...(repository === undefined ? {} : { repository: readRepository(repository) }),
    ...(tagPrefix === undefined ? {} : { tagPrefix: readText(fields, 'tagPrefix', TAG_PREFIX) }),
    ...(pullSecrets === undefined
      ? {}
      : { pullSecrets: readList(fields, 'pullSecrets', MAX_PULL_SECRETS, readSecret) }),
    ...(coversIndexChildren === undefined ? {} : { coversIndexChildren: true }),
    ...(everyPart === undefined ? {} : { everyPart: true }),
  };
}

function readCount(value: unknown, field: string, max: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > max) {
    throw invalid(field, `a whole number up to ${max}`, value);
  }
  return value;
}

function readRepository(value: unknown): string {
  const name = typeof value === 'string' ? parseName(value) : undefined;
  if (name === undefined || repositoryOf(name) !== value) throw invalid('repository', 'registry/repository', value);
  return value;
}

function readSecret(value: unknown): string {
  if (typeof value !== 'string' || !OBJECT_NAME.test(value)) throw invalid('pullSecrets', 'names of secrets', value);
  return value;
}

function readEnvelope(value: unknown): Envelope {
  const fields = readFields(value, 'statement');
  return {
    payloadType: readText(fields, 'payloadType', /^[!-~]{1,200}$/),
    payload: readText(fields, 'payload', BASE64),
    signatures: readList(fields, 'signatures', MAX_STATEMENT_SIGNATURES, (one) => {
      const signature = readFields(one, 'a signature');
      return { keyid: readText(signature, 'keyid', /^[!-~]{0,200}$/), sig: readText(signature, 'sig', BASE64) };
    }),
  };
}

/** A statement about a hundred keys takes some 60 KiB. */
const BASE64 = /^[A-Za-z0-9+/]{0,262144}={0,2}$/;
const MAX_STATEMENT_SIGNATURES = 8;
