import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import { ListingMemory } from '../../activities/proof/listing-memory.ts';
import type { SignatureReference, VerdictRequest } from '../../workflows/activities.ts';
import type { Digest } from '../../workflows/format/digest.ts';
import {
  pushBundle,
  pushCosignTag,
  pushImage,
  pushIndex,
  pushReferrersTag,
  SIGNATURE,
  SIMPLE_SIGNING,
} from '../support/registry-push.ts';
import { cosignBundle, cosignPayload, createSigningKey, signSimple } from '../support/signer.ts';
import { digestOf } from '../support/verdicts.ts';
import { createSetting, type Setting, type SignedImage } from './setting.ts';

const release = createSigningKey('ECDSA P-256');
const REPOSITORY = 'demo/app';

interface Scene extends Setting {
  readonly target: { readonly address: string; readonly repository: string };
  readonly policyRevision: string;
}

async function scene(t: TestContext): Promise<Scene> {
  const setting = await createSetting(t);
  const policyRevision = await setting.writePolicies({ demo: [release] });
  return { ...setting, policyRevision, target: { address: setting.registry.address, repository: REPOSITORY } };
}

/** What the registry lists, as a workflow is told; the worker's cache is warm afterwards. */
async function look({ activities, policyRevision }: Scene, { name, digest }: SignedImage, source = {}) {
  const { signatures } = await activities.fetchSignatures({ name, digest, policyRevision, source });
  return signatures;
}

function request(
  { policyRevision }: Scene,
  { name, digest }: SignedImage,
  evidence: readonly SignatureReference[],
): VerdictRequest {
  const reasons = [{ code: 'SIGNATURE_VERIFIED', sentence: 'as the caller says' }] as const;
  return {
    claim: { decisionId: '0123456789abc', name, digest, policyRevision, outcome: 'allow', reasons, signers: [] },
    evidence,
  };
}

async function assertUnproven(answer: Promise<unknown>): Promise<void> {
  await assert.rejects(answer, (error) => {
    assert.ok(error instanceof ApplicationFailure, String(error));
    assert.equal(error.type, 'CLAIM_UNPROVEN', error.message);
    assert.match(error.message, /does not list 1 of 1 signatures/);
    return true;
  });
}

/** Each place of evidence: how it is pushed there, and what an administrator can delete of it. */
const PLACES: readonly [string, (scene: Scene, image: SignedImage) => Promise<void>][] = [
  [
    'referrers',
    async ({ target }, { digest }) => {
      await pushBundle(target, digest, cosignBundle(release, digest));
    },
  ],
  [
    'referrers-tag',
    async ({ target, registry }, { digest }) => {
      registry.setFault({
        effect: { kind: 'status', status: 404 },
        matches: ({ path }) => path.includes('/referrers/'),
      });
      const { manifest } = await pushBundle(target, digest, cosignBundle(release, digest));
      await pushReferrersTag(target, digest, [manifest]);
    },
  ],
  [
    'signature-tag',
    async ({ target }, { digest }) => {
      const { payload, signature } = signSimple(
        release,
        cosignPayload(digest, `${target.address}/${target.repository}`),
      );
      const layer = { content: payload, mediaType: SIMPLE_SIGNING, annotations: { [SIGNATURE]: signature } };
      await pushCosignTag(target, `${digest.replace(':', '-')}.sig`, [layer]);
    },
  ],
];

describe('an allow is not signed from what a worker remembers', () => {
  for (const [place, push] of PLACES) {
    for (const what of ['manifest', 'blob'] as const) {
      it(`when the ${what} of a signature in ${place} was deleted`, async (t) => {
        const stage = await scene(t);
        const image = await stage.pushSigned();
        await push(stage, image);
        const evidence = await look(stage, image);
        assert.deepEqual(
          evidence.map((reference) => reference.place),
          [place],
        );
        const asked = request(stage, image, evidence);
        assert.equal((await stage.activities.signVerdict(asked)).verdict.outcome, 'allow');
        const [signature] = evidence;
        assert.ok(signature !== undefined);
        stage.registry.store.delete(REPOSITORY, signature[what]);
        // What still lists it says that it is gone; the rest says nothing.
        const isListed = what === 'blob' || place === 'referrers-tag';
        if (isListed) await assert.rejects(look(stage, image), { type: 'EVIDENCE_NOT_SERVED' });
        else assert.deepEqual(await look(stage, image), [], 'nothing is found any more');
        await assertUnproven(stage.activities.signVerdict(asked));
      });
    }
  }

  it('when it is named as another place than the one that lists it', async (t) => {
    const stage = await scene(t);
    const image = await stage.pushSigned(release);
    const evidence = await look(stage, image);
    for (const place of ['referrers-tag', 'signature-tag', 'attestation-tag'] as const) {
      const moved = evidence.map((reference) => ({ ...reference, place }));
      await assertUnproven(stage.activities.signVerdict(request(stage, image, moved)));
    }
  });

  it('when no manifest that is listed holds it', async (t) => {
    const stage = await scene(t);
    const image = await stage.pushSigned(release);
    const [good] = await look(stage, image);
    assert.ok(good?.format === 'bundle');
    const other = await pushBundle(stage.target, image.digest, Buffer.from('{"junk":true}'));
    const mixed = [{ ...good, manifest: other.manifest }];
    await assertUnproven(stage.activities.signVerdict(request(stage, image, mixed)));
  });

  it('when the same bytes are signed in another repository alone', async (t) => {
    const stage = await scene(t);
    const image = await stage.pushSigned();
    const elsewhere = { address: stage.registry.address, repository: 'demo/other' };
    await pushBundle(elsewhere, image.digest, cosignBundle(release, image.digest));
    const there = { ...image, name: `${elsewhere.address}/demo/other:v1` };
    const evidence = await look(stage, there);
    assert.equal(evidence.length, 1);
    assert.deepEqual(await look(stage, image), []);
    await assertUnproven(stage.activities.signVerdict(request(stage, image, evidence)));
  });

  it('while the registry gives no answer and listed nothing before: that is an inability', async (t) => {
    const stage = await scene(t);
    const image = await stage.pushSigned(release);
    const asked = request(stage, image, image.evidence);
    const [signature] = image.evidence;
    assert.ok(signature !== undefined);
    // The worker holds the bytes, from a registry where another image has the same evidence.
    await stage.dependencies.registry.getBlob(
      { registry: stage.target.address, repository: REPOSITORY },
      signature.blob,
      AbortSignal.timeout(5_000),
    );
    stage.registry.setFault({ effect: { kind: 'status', status: 503 } });
    await assert.rejects(stage.activities.signVerdict(asked), { type: 'REGISTRY_ERROR', nonRetryable: false });
    stage.registry.setFault(undefined);
    assert.equal((await stage.activities.signVerdict(asked)).verdict.outcome, 'allow');
  });

  it('when the registry refuses to answer, whatever it listed a moment ago', async (t) => {
    const stage = await scene(t);
    const image = await stage.pushSigned(release);
    const asked = request(stage, image, await look(stage, image));
    stage.registry.setFault({ effect: { kind: 'status', status: 403 } });
    await assert.rejects(stage.activities.signVerdict(asked), { type: 'REGISTRY_UNAUTHORIZED', nonRetryable: true });
  });

  it('when the tag has moved away from the index whose signature counted', async (t) => {
    const stage = await scene(t);
    const policyRevision = await stage.writeDocuments(indexPolicy(stage.registry.address));
    const scenery = { ...stage, policyRevision };
    const child = await pushImage(stage.target, 'child');
    const index = await pushIndex(stage.target, 'v1', [child]);
    await pushBundle(stage.target, index, cosignBundle(release, index));
    const image: SignedImage = { name: `${stage.registry.address}/demo/app:v1`, digest: child, evidence: [] };
    const evidence = await look(scenery, image, { coversIndexChildren: true });
    assert.deepEqual(
      evidence.map((one) => one.index),
      [index],
    );
    const asked = request(scenery, image, evidence);
    assert.equal((await stage.activities.signVerdict(asked)).verdict.outcome, 'allow');
    await pushIndex(stage.target, 'v1', [await pushImage(stage.target, 'other')]);
    await assertUnproven(stage.activities.signVerdict(asked));
  });
});

describe('a moment without an answer', () => {
  it('does not undo what the registry listed for this verification', async (t) => {
    const stage = await scene(t);
    const image = await stage.pushSigned(release);
    const asked = request(stage, image, await look(stage, image));
    stage.registry.setFault({ effect: { kind: 'status', status: 503 }, matches: ({ path }) => !path.endsWith('/v1') });
    const { verdict } = await stage.activities.signVerdict(asked);
    assert.deepEqual([verdict.outcome, verdict.reasons.map(({ code }) => code)], ['allow', ['SIGNATURE_VERIFIED']]);
  });

  it('does so for a minute, for this very evidence, and not after the registry said otherwise', () => {
    let now = 0;
    const memory = new ListingMemory(() => now);
    const subject = { name: 'r.example/demo/app:v1', digest: digestOf('ab') };
    const where = { place: 'referrers', source: {}, manifest: digestOf('11'), blob: digestOf('22') } as const;
    const reference: SignatureReference = { format: 'envelope', layer: 0, ...where };
    memory.saw(subject, reference, now);
    const others: readonly SignatureReference[] = [
      { ...reference, place: 'attestation-tag' },
      { ...reference, manifest: digestOf('33') },
      { ...reference, blob: digestOf('33') },
      { ...reference, layer: 1 },
      { ...reference, format: 'simple-signing' },
      { ...reference, index: digestOf('44') },
      { ...reference, source: { repository: 'r.example/other' } },
      { ...reference, source: { tagPrefix: 'x' } },
    ];
    assert.deepEqual(
      others.filter((other) => memory.has(subject, other)),
      [],
    );
    assert.equal(memory.has({ ...subject, name: 'r.example/demo/other:v1' }, reference), false);
    assert.equal(memory.has({ ...subject, digest: digestOf('cd') }, reference), false);
    now = 60_000;
    assert.equal(memory.has(subject, reference), true);
    now = 60_001;
    assert.equal(memory.has(subject, reference), false);
    memory.saw(subject, reference, now);
    memory.forget(subject, reference);
    assert.equal(memory.has(subject, reference), false);
  });
});

describe('the question before an allow is signed', () => {
  it('is one round trip of two requests for a signature among the referrers', async (t) => {
    const stage = await scene(t);
    const image = await stage.pushSigned(release);
    const evidence = await look(stage, image);
    const before = stage.registry.requests.length;
    await stage.activities.signVerdict(request(stage, image, evidence));
    assert.deepEqual(
      stage.registry.requests
        .slice(before)
        .map(({ method, path }) => `${method} ${path.split('/').at(-2)}`)
        .toSorted(),
      ['GET referrers', 'HEAD blobs'],
    );
  });

  it('finds a signature that lies behind a long list', async (t) => {
    const stage = await scene(t);
    const image = await stage.pushSigned();
    const first: Digest[] = [];
    for (let count = 0; count < 5; count++) {
      const annotation = { predicateType: `${count}${'x'.repeat(600_000)}` };
      first.push((await pushBundle(stage.target, image.digest, Buffer.from(`${count}`), annotation)).manifest);
    }
    await pushBundle(stage.target, image.digest, cosignBundle(release, image.digest));
    const evidence = (await look(stage, image)).filter(({ manifest }) => !first.includes(manifest));
    assert.equal(evidence.length, 1);
    assert.equal((await stage.activities.signVerdict(request(stage, image, evidence))).verdict.outcome, 'allow');
  });
});

function indexPolicy(address: string): string {
  return `apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata:
  name: demo
spec:
  images:
    - glob: "${address}/demo/**"
  authorities:
    - name: release
      key:
        data: ${JSON.stringify(release.publicPem)}
---
apiVersion: portcullis.dev/v1alpha1
kind: AuthorityRequirement
metadata:
  name: indexes
spec:
  policy: demo
  indexAttestations: counts
`;
}
