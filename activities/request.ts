import type {
  KeyRequest,
  PolicyRequest,
  SignatureReference,
  SignaturesRequest,
  VerdictRequest,
  VerificationRequest,
} from '../workflows/activities.ts';
import { readClaim } from './claim.ts';
import { MAX_SIGNATURES } from './limits.ts';
import { invalid, readDigest, readFields, readHash, readList, readName, readText } from './request-field.ts';

/**
 * The border to Temporal: whoever may start workflows in its namespace can ask the activities for anything. Each
 * function reads one request and throws REQUEST_INVALID for what no workflow of ours asks.
 */
export function readPolicyRequest(value: unknown): PolicyRequest {
  const fields = readFields(value, 'the whole');
  return { name: readName(fields), policyRevision: readHash(fields, 'policyRevision') };
}

/** Reads a request about one image. */
export function readSignaturesRequest(value: unknown): SignaturesRequest {
  const fields = readFields(value, 'the whole');
  return { name: readName(fields), digest: readDigest(fields, 'digest') };
}

/** Policies and authorities are named by at most 253 of these characters (`policy/cluster-image-policy.ts`). */
const OBJECT_NAME = /^[A-Za-z0-9._-]{1,253}$/;

/** Reads a request about the key of one authority. */
export function readKeyRequest(value: unknown): KeyRequest {
  const fields = readFields(value, 'the whole');
  return {
    policy: readText(fields, 'policy', OBJECT_NAME),
    authority: readText(fields, 'authority', OBJECT_NAME),
    policyRevision: readHash(fields, 'policyRevision'),
  };
}

/** Reads a request to judge signatures. */
export function readVerificationRequest(value: unknown): VerificationRequest {
  const fields = readFields(value, 'the whole');
  return {
    ...readKeyRequest(fields),
    ...readSignaturesRequest(fields),
    keyId: readHash(fields, 'keyId'),
    signatures: readList(fields, 'signatures', MAX_SIGNATURES, readReference),
  };
}

/** Reads a request to sign. What the claim says is well-formed after that, and no more. */
export function readVerdictRequest(value: unknown): VerdictRequest {
  const fields = readFields(value, 'the whole');
  return {
    claim: readClaim(fields['claim']),
    evidence: readList(fields, 'evidence', MAX_SIGNATURES, readReference),
  };
}

/** Reads a request about a name alone. */
export function readNameRequest(value: unknown): { readonly name: string } {
  return { name: readName(readFields(value, 'the whole')) };
}

const PLACES = ['referrers', 'referrers-tag', 'signature-tag'] as const;

/** Far beyond the layers that a manifest within its own bound can have. */
const MAX_LAYER = 100_000;

function readReference(value: unknown): SignatureReference {
  const fields = readFields(value, 'a signature');
  const format = readText(fields, 'format', ['bundle', 'simple-signing']);
  const where = {
    place: readText(fields, 'place', PLACES),
    manifest: readDigest(fields, 'manifest'),
    blob: readDigest(fields, 'blob'),
  };
  switch (format) {
    case 'bundle':
      return { format, ...where };
    case 'simple-signing': {
      const { layer } = fields as { layer?: unknown };
      if (typeof layer !== 'number' || !Number.isInteger(layer) || layer < 0 || layer > MAX_LAYER) {
        throw invalid('layer', 'the number of a layer', layer);
      }
      return { format, ...where, layer };
    }
  }
}
