import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { SignatureReference } from '../../workflows/activities.ts';
import type { Digest } from '../../workflows/format/digest.ts';
import { pushBundle, pushImage } from '../support/registry-push.ts';
import { cosignStatement, createSigningKey, encodeJson, signBundle } from '../support/signer.ts';
import { createSetting } from './setting.ts';

const release = createSigningKey('ECDSA P-256');
const PROVENANCE = 'https://slsa.dev/provenance/v1';
const SCAN = 'https://cosign.sigstore.dev/attestation/vuln/v1';

/** A policy whose only authority wants both attestations, the scan under a condition. */
function wantsBoth(address: string): string {
  const cue = { type: 'cel', data: 'predicate.critical == 0' };
  const attestations = [
    { name: 'built', predicateType: PROVENANCE },
    { name: 'scanned', predicateType: SCAN, policy: cue },
  ];
  const spec = {
    images: [{ glob: `${address}/demo/**` }],
    authorities: [{ name: 'release', key: { data: release.publicPem }, attestations }],
  };
  const head = { apiVersion: 'policy.sigstore.dev/v1beta1', kind: 'ClusterImagePolicy', metadata: { name: 'demo' } };
  return JSON.stringify({ ...head, spec });
}

interface Attested {
  readonly predicateType: string;
  readonly predicate: object;
}

/** The outcome for an image with these attestations. */
async function outcomeOf(t: TestContext, attestations: readonly Attested[]) {
  const { activities, registry, writeDocuments } = await createSetting(t);
  const policyRevision = await writeDocuments(wantsBoth(registry.address));
  const target = { address: registry.address, repository: 'demo/app' };
  const digest = await pushImage(target, 'v1');
  const signatures: SignatureReference[] = [];
  for (const attested of attestations) {
    const pushed = await pushBundle(target, digest, attestation(digest, attested), attested);
    signatures.push({ format: 'bundle', place: 'referrers', source: {}, ...pushed });
  }
  const name = `${registry.address}/demo/app:v1`;
  const outcome = await activities.verifySignature({
    ...{ policy: 'demo', authority: 'release', policyRevision, name, digest, keyId: release.keyId, signatures },
  });
  return { outcome, blobs: signatures.map(({ blob }) => blob) };
}

function attestation(digest: Digest, { predicateType, predicate }: Attested): Uint8Array {
  return encodeJson(signBundle(release, { ...cosignStatement(digest), predicateType, predicate }));
}

const built: Attested = { predicateType: PROVENANCE, predicate: { builder: 'ci' } };
const clean: Attested = { predicateType: SCAN, predicate: { critical: 0 } };
const vulnerable: Attested = { predicateType: SCAN, predicate: { critical: 1 } };

describe('verifySignature of an authority that wants two attestations', () => {
  it('is satisfied by both, each of them a signer', async (t) => {
    const { outcome, blobs } = await outcomeOf(t, [built, clean]);
    assert.ok(outcome.satisfied);
    assert.deepEqual(
      outcome.signers.map(({ evidence, predicateType }) => [evidence, predicateType]),
      [
        [blobs[0], PROVENANCE],
        [blobs[1], SCAN],
      ],
    );
  });

  for (const [what, attestations] of [
    ['the first', [built]],
    ['the second', [clean]],
    ['the first twice', [built, { ...built, predicate: { builder: 'other' } }]],
  ] as const) {
    it(`is not satisfied by ${what} alone`, async (t) => {
      const { outcome } = await outcomeOf(t, attestations);
      assert.ok(!outcome.satisfied);
      assert.deepEqual(new Set(outcome.rejected.map(({ code }) => code)), new Set(['ATTESTATION_MISSING']));
    });
  }

  it('is not satisfied when the condition of one does not hold', async (t) => {
    const { outcome, blobs } = await outcomeOf(t, [built, vulnerable]);
    assert.ok(!outcome.satisfied);
    const failed = outcome.rejected.filter(({ code }) => code === 'CONDITION_FAILED');
    assert.deepEqual(
      failed.map(({ blob }) => blob),
      [blobs[1]],
    );
  });
});
