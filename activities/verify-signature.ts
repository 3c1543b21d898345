import type {
  AuthorityOutcome,
  AuthorityReference,
  SignatureReference,
  SignaturesRequest,
  VerificationRequest,
} from '../workflows/activities.ts';
import { repositoryOf } from '../workflows/name.ts';
import { findAuthority } from './applied-policy.ts';
import type { Dependencies } from './dependencies.ts';
import { EvidenceError } from './evidence-error.ts';
import { imageName } from './image-name.ts';
import { readSignature } from './registry/signatures.ts';
import type { VerificationKey } from './sigstore/key.ts';
import { judge } from './sigstore/signature.ts';

/**
 * Judges the fetched signatures by one authority's key. Throws POLICY_CHANGED when it is no longer the key that was
 * checked, and the REGISTRY_ codes.
 */
export async function verifySignature(
  dependencies: Dependencies,
  request: VerificationRequest,
  signal: AbortSignal,
): Promise<AuthorityOutcome> {
  const { key } = findAuthority(dependencies, request);
  if (key.keyId !== request.keyId) {
    const sentence = `expected key sha256:${request.keyId} of ${request.policy}/${request.authority}, found sha256:${key.keyId}; pull again`;
    throw new EvidenceError('POLICY_CHANGED', sentence, { retryable: false });
  }
  return await judgeSignatures(dependencies, request, key, signal);
}

/**
 * Judges signatures of one image by one key, and stops at the first one that holds. The bytes come from the worker's
 * cache or once more from the registry. Throws the REGISTRY_ codes.
 */
export async function judgeSignatures(
  { registry }: Pick<Dependencies, 'registry'>,
  request: AuthorityReference & SignaturesRequest & { readonly signatures: readonly SignatureReference[] },
  key: VerificationKey,
  signal: AbortSignal,
): Promise<AuthorityOutcome> {
  const image = { digest: request.digest, repository: repositoryOf(imageName(request.name)) };
  const rejected = [];
  for (const reference of request.signatures) {
    const judgement = judge(await readSignature(registry, request.name, reference, signal), key, image);
    if (judgement.valid) {
      const authority = `${request.policy}/${request.authority}`;
      return {
        satisfied: true,
        signer: { authority, identity: `key sha256:${key.keyId}`, evidence: reference.blob },
      };
    }
    rejected.push({ blob: reference.blob, code: judgement.code, sentence: judgement.sentence });
  }
  return { satisfied: false, rejected };
}
