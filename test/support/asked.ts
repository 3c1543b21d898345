import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { appliedRevision } from '../../activities/authority/applied-policy.ts';
import { openEnvelope } from '../../shim/verdict-keys/verdict-keys.ts';
import type { SignatureReference, VerdictClaim, VerdictRequest } from '../../workflows/activities.ts';
import type { Digest } from '../../workflows/format/digest.ts';
import type { Verdict } from '../../workflows/verdict/verdict.ts';
import { fromStatement, STATEMENT_PAYLOAD_TYPE } from '../../workflows/verdict/verification-summary.ts';
import type { Setting } from '../activities/setting.ts';
import { pushBundle, type Target } from './registry-push.ts';
import { cosignBundle, type SigningKey } from './signer.ts';

/** Adds documents to the policies of a setting, a file each, and answers the revision. */
export async function addDocuments(setting: Setting, ...documents: readonly string[]): Promise<string> {
  for (const [index, text] of documents.entries()) {
    await writeFile(join(setting.policyDirectory, `added-${index}.yaml`), text);
  }
  const state = await setting.policy.reload();
  assert.ok(state.ok && state.rejected === undefined, JSON.stringify(state));
  return appliedRevision(setting.dependencies);
}

/** Has a worker sign, and answers what a node reads. `request` is whatever Temporal carries. */
export async function signAs(setting: Setting, request: unknown): Promise<Verdict> {
  const signed = await setting.activities.signVerdict(request as VerdictRequest);
  const opened = openEnvelope(signed.envelope, STATEMENT_PAYLOAD_TYPE, setting.verdictKeys);
  const verdict = fromStatement(opened?.content);
  assert.ok(verdict !== undefined, 'a node does not read what the worker signed');
  assert.deepEqual(signed.verdict, verdict);
  return verdict;
}

/** A claim of an allow, as a workflow makes it. */
export function claimOf(
  policyRevision: string,
  image: { readonly name: string; readonly digest: Digest },
  changes: Partial<VerdictClaim> = {},
): VerdictClaim {
  return {
    decisionId: '0123456789abc',
    ...{ name: image.name, digest: image.digest, policyRevision, outcome: 'allow' },
    reasons: [{ code: 'SIGNATURE_VERIFIED', sentence: 'as the caller says' }],
    signers: [],
    ...changes,
  };
}

/** Signs something as cosign 3 does, and answers the reference to the signature. */
export async function sign(target: Target, digest: Digest, key: SigningKey): Promise<SignatureReference> {
  const pushed = await pushBundle(target, digest, cosignBundle(key, digest));
  return { format: 'bundle', place: 'referrers', source: {}, ...pushed };
}

/** A Revocation document. */
export function revocationOf(digests: readonly Digest[], revision = 1): string {
  return `{apiVersion: portcullis.dev/v1alpha1, kind: Revocation, metadata: {name: bad}, spec: {revision: ${revision}, digests: ${JSON.stringify(digests)}}}`;
}
