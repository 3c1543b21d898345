import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { anonymous } from '../../../activities/registry/credentials/credential.ts';
import { findSignatures } from '../../../activities/registry/evidence/signatures.ts';
import { inTurns } from '../../../activities/registry/evidence/turns.ts';
import { createRegistry } from '../../../activities/registry/registry.ts';
import type { Digest } from '../../../workflows/format/digest.ts';
import { type FakeRegistry, startFakeRegistry } from '../../support/registry.ts';
import {
  pushAttestationTag,
  pushBundle,
  pushCosignTag,
  pushImage,
  pushReferrersTag,
  pushSignatureTag,
  type Target,
} from '../../support/registry-push.ts';
import type { ReferrersMode } from '../../support/registry-store.ts';

const signal = AbortSignal.timeout(60_000);
const SIGN = 'https://sigstore.dev/cosign/sign/v1';
const VULN = 'https://cosign.sigstore.dev/attestation/vuln/v1';
const SPDX = 'https://spdx.dev/Document';

async function withImage(
  referrers: ReferrersMode,
  run: (house: { fake: FakeRegistry; target: Target; image: Digest; find: () => Found }) => Promise<void>,
): Promise<void> {
  const fake = await startFakeRegistry({ referrers });
  try {
    const target = { address: fake.address, repository: 'demo/app' };
    const image = await pushImage(target, 'v1');
    const request = { name: `${fake.address}/demo/app:v1`, digest: image, source: {} };
    await run({
      fake,
      target,
      image,
      find: () => findSignatures(createRegistry({ credentials: anonymous }), request, signal),
    });
  } finally {
    await fake.stop();
  }
}

type Found = ReturnType<typeof findSignatures>;

const numbered = (count: number, what: string) =>
  Array.from({ length: count }, (_, index) => Buffer.from(`${what} ${index}`));
const envelopes = (count: number, predicateType: string) =>
  numbered(count, predicateType).map((content) => ({ content, annotations: { predicateType } }));

async function pushBundles(target: Target, image: Digest, count: number, predicateType?: string) {
  const pushed = [];
  for (const content of numbered(count, 'bundle')) {
    pushed.push(await pushBundle(target, image, content, predicateType === undefined ? {} : { predicateType }));
  }
  return pushed;
}

describe('a flood of artefacts', () => {
  it('of signatures at the signature tag hides neither a bundle nor an attestation, and is said', () =>
    withImage('api', async ({ target, image, find }) => {
      await pushSignatureTag(target, image, numbered(60, 'payload'));
      const bundle = await pushBundle(target, image, Buffer.from('{}'));
      const attestation = await pushAttestationTag(target, image, envelopes(1, SPDX));
      const found = await find();
      assert.equal(found.signatures.length, 50);
      const manifests = new Set(found.signatures.map(({ manifest }) => manifest));
      assert.ok(manifests.has(bundle.manifest) && manifests.has(attestation.manifest));
      assert.deepEqual(
        found.unreadable.map(({ code, sentence }) => [code, sentence.slice(0, 18)]),
        [['EVIDENCE_TOO_LARGE', '12 more artefacts ']],
      );
    }));

  it('of attestations at the attestation tag hides no other predicate type, and keeps the newest', () =>
    withImage('api', async ({ target, image, find }) => {
      const layers = [...envelopes(1, SPDX), ...envelopes(70, VULN)];
      const { blobs } = await pushAttestationTag(target, image, layers);
      const signature = await pushSignatureTag(target, image, numbered(1, 'payload'));
      const found = (await find()).signatures.map(({ blob }) => blob);
      assert.equal(found.length, 50);
      assert.ok(
        found.some((blob) => blob === blobs[0]),
        'the one of another type',
      );
      assert.ok(
        found.some((blob) => blob === blobs[70]),
        'the newest',
      );
      assert.ok(!found.some((blob) => blob === blobs[1]), 'the oldest');
      assert.ok(found.some((blob) => blob === signature.blobs[0]));
    }));

  it('of bundles that state something hides no signature and no tag', () =>
    withImage('api', async ({ target, image, find }) => {
      await pushBundles(target, image, 60, VULN);
      const signature = await pushBundle(target, image, Buffer.from('the signature'), { predicateType: SIGN });
      const untold = await pushBundle(target, image, Buffer.from('says nothing of itself'));
      const tag = await pushSignatureTag(target, image, numbered(1, 'payload'));
      const found = await find();
      const manifests = new Set(found.signatures.map(({ manifest }) => manifest));
      assert.equal(found.signatures.length, 50);
      for (const { manifest } of [signature, untold, tag]) assert.ok(manifests.has(manifest));
    }));

  it('of predicate types that are like no other hides no signature', () =>
    withImage('api', async ({ target, image, find }) => {
      for (const type of numbered(60, 'https://example.org/')) {
        await pushBundle(target, image, type, { predicateType: String(type) });
      }
      const signature = await pushBundle(target, image, Buffer.from('the signature'), { predicateType: SIGN });
      const found = await find();
      assert.ok(found.signatures.some(({ manifest }) => manifest === signature.manifest));
    }));

  it('in the referrers tag does not hide the tags of cosign', () =>
    withImage('none', async ({ target, image, find }) => {
      const bundles = await pushBundles(target, image, 60);
      await pushReferrersTag(
        target,
        image,
        bundles.map(({ manifest }) => manifest),
      );
      const signature = await pushSignatureTag(target, image, numbered(1, 'payload'));
      const attestation = await pushAttestationTag(target, image, envelopes(1, SPDX));
      const manifests = new Set((await find()).signatures.map(({ manifest }) => manifest));
      assert.ok(manifests.has(signature.manifest) && manifests.has(attestation.manifest));
    }));

  it('of layers that are junk makes no answer of thousands of lines', () =>
    withImage('api', async ({ target, image, find }) => {
      const mediaType = 'application/vnd.dsse.envelope.v1+json';
      const broken = {
        content: Buffer.from('junk'),
        mediaType,
        annotations: { 'dev.sigstore.cosign/bundle': 1 },
      };
      await pushCosignTag(target, `${image.replace(':', '-')}.att`, new Array(500).fill(broken));
      const good = await pushBundle(target, image, Buffer.from('{}'));
      const found = await find();
      assert.deepEqual(
        found.signatures.map(({ manifest }) => manifest),
        [good.manifest],
      );
      assert.equal(found.unreadable.length, 51);
      assert.match(found.unreadable[50]?.sentence ?? '', /^450 more artefacts that can't be read/);
    }));

  it('with more pages than are followed is said to be incomplete', () =>
    withImage('paged', async ({ target, image, find }) => {
      await pushBundles(target, image, 22);
      const found = await find();
      assert.equal(found.signatures.length, 20);
      assert.deepEqual(
        found.unreadable.map(({ code }) => code),
        ['EVIDENCE_TOO_LARGE'],
      );
    }));
});

describe('inTurns', () => {
  it('gives every group its turn, keeps everything and the order within a group', () => {
    const items = ['a1', 'a2', 'a3', 'b1', 'c1', 'c2'];
    const mixed = inTurns(items, (item) => item.slice(0, 1));
    assert.deepEqual(mixed, ['a1', 'b1', 'c1', 'a2', 'c2', 'a3']);
  });

  it('makes groups within groups', () => {
    const items = ['ax1', 'ax2', 'ay1', 'b1'];
    const mixed = inTurns(
      items,
      (item) => item.slice(0, 1),
      (item) => item.slice(1, 2),
    );
    assert.deepEqual(mixed, ['ax1', 'b1', 'ay1', 'ax2']);
  });

  it('takes a list of a hundred thousand groups beside a group of a hundred thousand in its stride', () => {
    const items = Array.from({ length: 200_000 }, (_, index) => index);
    const mixed = inTurns(items, (item) => (item < 100_000 ? 'one' : String(item)));
    assert.equal(mixed.length, items.length);
    assert.equal(mixed[1], 100_000);
  });
});
