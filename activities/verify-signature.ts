import type {
  AuthorityOutcome,
  SignatureReference,
  SignaturesRequest,
  VerificationRequest,
} from '../workflows/activities.ts';
import { repositoryOf } from '../workflows/name.ts';
import { findAuthority } from './applied-policy.ts';
import { attemptSignal } from './attempt.ts';
import type { Dependencies } from './dependencies.ts';
import { EvidenceError } from './evidence-error.ts';
import { imageName } from './image-name.ts';
import { readSignature } from './registry/signatures.ts';
import type { VerificationKey } from './sigstore/key.ts';
import { judge, type SignatureJudgement } from './sigstore/signature.ts';

/** Judges the fetched signatures by one authority's key, and stops at the first one that holds. */
export async function verifySignature(
  dependencies: Dependencies,
  request: VerificationRequest,
): Promise<AuthorityOutcome> {
  const { key } = findAuthority(dependencies, request);
  if (key.keyId !== request.keyId) {
    throw new EvidenceError(
      'POLICY_CHANGED',
      `the key of ${request.policy}/${request.authority} has changed; pull again`,
      { retryable: false },
    );
  }
  const rejected = [];
  for (const reference of request.signatures) {
    const judgement = await judgeReference(dependencies, request, reference, key);
    if (judgement.valid) {
      const signer = {
        authority: `${request.policy}/${request.authority}`,
        identity: `key sha256:${key.keyId}`,
        evidence: reference.blob,
      };
      return { satisfied: true, signer };
    }
    rejected.push({ blob: reference.blob, code: judgement.code, sentence: judgement.sentence });
  }
  return { satisfied: false, rejected };
}

/** Reads one signature, from the worker's cache or once more from the registry, and judges it by one key. */
export async function judgeReference(
  { registry }: Dependencies,
  image: SignaturesRequest,
  reference: SignatureReference,
  key: VerificationKey,
): Promise<SignatureJudgement> {
  const signature = await readSignature(registry, image.name, reference, attemptSignal());
  return judge(signature, key, { digest: image.digest, repository: repositoryOf(imageName(image.name)) });
}
