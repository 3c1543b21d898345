import assert from 'node:assert/strict';
import { parsePublicKey, type VerificationKey } from '../../../activities/sigstore/key.ts';
import { judge, type SignatureContent } from '../../../activities/sigstore/signature.ts';
import { parseDigest } from '../../../workflows/digest.ts';

const parsed = parseDigest(`sha256:${'a1'.repeat(32)}`);
assert.ok(parsed !== undefined);

/** The image that the signatures of these tests are about. */
export const DIGEST = parsed;
export const REPOSITORY = 'registry.example/team/app';

/** Parses a public key that is good. */
export function goodKey(pem: string, hash?: Parameters<typeof parsePublicKey>[1]): VerificationKey {
  const result = parsePublicKey(pem, hash);
  assert.ok(result.ok, result.ok ? '' : result.problem);
  return result.key;
}

/** The judgement in one line: `valid`, or the code and the sentence. */
export function verdictOf(signature: SignatureContent, key: VerificationKey): string {
  const judgement = judge(signature, key, { digest: DIGEST, repository: REPOSITORY });
  return judgement.valid ? 'valid' : `${judgement.code}: ${judgement.sentence}`;
}
