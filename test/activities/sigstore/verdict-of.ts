import assert from 'node:assert/strict';
import { parsePublicKey, type VerificationKey } from '../../../activities/sigstore/key/key.ts';
import type { Requirement } from '../../../activities/sigstore/requirement/requirement.ts';
import { type ExpectedImage, judge, type SignatureContent } from '../../../activities/sigstore/signature.ts';
import { parseDigest } from '../../../workflows/format/digest.ts';
import type { SimpleSigning } from '../../support/signer.ts';

const parsed = parseDigest(`sha256:${'a1'.repeat(32)}`);
assert.ok(parsed !== undefined);

/** The image that the signatures of these tests are about. */
export const DIGEST = parsed;
export const REPOSITORY = 'registry.example/team/app';
export const NOW = new Date('2026-11-25T12:00:00Z');

/** Parses a public key that is good. */
export function goodKey(pem: string, hash?: Parameters<typeof parsePublicKey>[1]): VerificationKey {
  const result = parsePublicKey(pem, hash);
  assert.ok(result.ok, result.ok ? '' : result.problem);
  return result.key;
}

/** What a signature by a key has to prove where nothing else is asked for. */
export function byKey(key: VerificationKey): Requirement {
  return {
    signer: { kind: 'key', key },
    log: undefined,
    timestamps: 0,
    observers: 0,
    trust: {
      certificateAuthorities: [],
      timestampAuthorities: [],
      tlogs: [],
      ctlogs: [],
      publicKey: () => assert.fail('the key comes from the policy'),
    },
    wanted: { kind: 'signature' },
  };
}

/** A signature as it is fetched, or as the tests' signer makes it. */
export type TestSignature = SignatureContent | SimpleSigning;

/** The same as it is fetched. */
export function contentOf(signature: TestSignature): SignatureContent {
  if (!('signature' in signature)) return signature;
  const { format, payload, signature: base64 } = signature;
  return { format, payload, annotations: { signature: base64 } };
}

/** The judgement in one line: `valid`, or the code and the sentence. */
export function verdictOf(
  signature: TestSignature,
  key: VerificationKey,
  expected: ExpectedImage = { digest: DIGEST, repository: REPOSITORY },
): string {
  const judgement = judge(contentOf(signature), byKey(key), expected, { now: NOW });
  return judgement.valid ? 'valid' : `${judgement.code}: ${judgement.sentence}`;
}
