import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { anonymous } from '../../../activities/registry/credentials/credential.ts';
import { searchSignatures } from '../../../activities/registry/evidence/signature-search.ts';
import { createRegistry } from '../../../activities/registry/registry.ts';
import { startRegistry } from '../../../infra/stack/registry.ts';
import type { Digest } from '../../../workflows/format/digest.ts';
import { allowInternal } from '../../support/loopback.ts';
import { type FakeRegistry, startFakeRegistry } from '../../support/registry.ts';
import {
  BUNDLE,
  pushBlob,
  pushBundle,
  pushCosignTag,
  pushImage,
  pushManifest,
  pushReferrer,
  pushReferrersTag,
  SIGNATURE,
  SIMPLE_SIGNING,
  type Target,
} from '../../support/registry-push.ts';
import type { ReferrersMode } from '../../support/registry-store.ts';

allowInternal('127.0.0.0/8');

const SIGN = 'https://sigstore.dev/cosign/sign/v1';

/** What lies beside a signature; a kind of junk for each way in which evidence is found and read. */
const KINDS = [
  'a bundle of another signer',
  'a bundle that says nothing of itself',
  'an attestation',
  'something else',
  'no manifest',
  'a manifest without layers',
  'a layer that is gone',
  'a large annotation',
  'a manifest of another image',
] as const;

interface Junk {
  readonly kind: (typeof KINDS)[number];
  readonly count: number;
  readonly size: number;
}

let serial = 0;
const unique = (size: number) => `${serial++}${'x'.repeat(size)}`;

/** Pushes one piece, and answers its manifest. */
async function pushJunk(target: Target, image: Digest, kind: Junk['kind'], size: number): Promise<Digest> {
  const layers = [{ mediaType: BUNDLE, digest: `sha256:${'0'.repeat(64)}`, size: 10 }];
  const content = Buffer.from(unique(size));
  switch (kind) {
    case 'a bundle of another signer':
      return (await pushBundle(target, image, content, { predicateType: SIGN })).manifest;
    case 'a bundle that says nothing of itself':
      return (await pushBundle(target, image, content)).manifest;
    case 'an attestation':
      return (await pushBundle(target, image, content, { predicateType: `https://example.org/${unique(0)}` })).manifest;
    case 'something else':
      return await pushReferrer(target, image, {
        artifactType: 'application/spdx+json',
        layers: [],
        annotations: { unique: unique(size) },
      });
    case 'no manifest':
      return await pushReferrer(target, image, { artifactType: unique(0), layers: [], configType: 'text/plain' });
    case 'a manifest without layers':
      return await pushReferrer(target, image, { artifactType: BUNDLE, layers: [], annotations: { x: unique(size) } });
    case 'a layer that is gone':
      return await pushReferrer(target, image, { artifactType: BUNDLE, layers, annotations: { x: unique(size) } });
    case 'a large annotation':
      return await pushReferrer(target, image, {
        artifactType: BUNDLE,
        layers: [],
        annotations: { 'dev.sigstore.bundle.predicateType': SIGN, x: unique(300_000) },
      });
    case 'a manifest of another image':
      return (await pushBundle(target, await pushImage(target, `other-${unique(0)}`), content)).manifest;
  }
}

/** Whether some part of the evidence holds the signature; how many parts there were. */
async function finds(target: Target, image: Digest, blob: Digest): Promise<{ found: boolean; parts: number }> {
  const registry = createRegistry({ credentials: anonymous });
  const request = { name: `${target.address}/${target.repository}:v1`, digest: image, source: {} };
  for (let part = 0; part < 20; part++) {
    const evidence = await searchSignatures(registry, { ...request, part }, AbortSignal.timeout(60_000));
    // A layer that is gone is another answer than junk, and hides nothing either.
    assert.ok(evidence.failures.every(({ code }) => code === 'EVIDENCE_NOT_SERVED'));
    if (evidence.signatures.some((signature) => signature.blob === blob)) return { found: true, parts: part + 1 };
    if (!evidence.more) return { found: false, parts: part + 1 };
  }
  return { found: false, parts: 20 };
}

const junk = fc.array(
  fc.record({
    kind: fc.constantFrom(...KINDS),
    count: fc.integer({ min: 1, max: 60 }),
    size: fc.integer({ min: 0, max: 5_000 }),
  }),
  { maxLength: 4 },
);

/** Pushes the pieces before and after the signature; for a registry without the API, in the order of a client's list. */
async function stage(
  target: Target,
  pieces: readonly Junk[],
  { at, place }: { readonly at: number; readonly place: 'referrers' | 'referrers-tag' | 'signature-tag' },
) {
  const image = await pushImage(target, 'v1');
  const listed: Digest[] = [];
  let blob: Digest | undefined;
  const sign = async () => {
    const content = Buffer.from(`{"good":"${unique(0)}"}`);
    if (place === 'signature-tag') {
      const annotations = { [SIGNATURE]: 'c2ln' };
      const layers = Array.from({ length: 1 + (at % 70) }, () => ({
        ...{ content: Buffer.from(unique(3)), mediaType: SIMPLE_SIGNING, annotations },
      }));
      const good = { content, mediaType: SIMPLE_SIGNING, annotations };
      const { blobs } = await pushCosignTag(target, `${image.replace(':', '-')}.sig`, [good, ...layers]);
      blob = blobs[0];
      return;
    }
    const pushed = await pushBundle(target, image, content, { predicateType: SIGN });
    listed.push(pushed.manifest);
    blob = pushed.blob;
  };
  const flat = pieces.flatMap(({ kind, count, size }) => Array.from({ length: count }, () => ({ kind, size })));
  for (const [index, { kind, size }] of flat.entries()) {
    if (index === at % (flat.length + 1)) await sign();
    listed.push(await pushJunk(target, image, kind, size));
  }
  if (blob === undefined) await sign();
  if (place === 'referrers-tag') await pushReferrersTag(target, image, listed);
  assert.ok(blob !== undefined);
  return { image, blob };
}

describe('a good signature is found', () => {
  for (const [mode, place] of [
    ['api', 'referrers'],
    ['lying', 'referrers'],
    ['none', 'referrers-tag'],
    ['api', 'signature-tag'],
  ] as const satisfies readonly (readonly [ReferrersMode, string])[]) {
    it(`whatever number, size, order and kind of junk lies beside it (${mode}, ${place})`, async () => {
      await fc.assert(
        fc.asyncProperty(junk, fc.nat({ max: 300 }), async (pieces, at) => {
          const fake = await startFakeRegistry({ referrers: mode });
          try {
            const target = { address: fake.address, repository: 'demo/app' };
            const { image, blob } = await stage(target, pieces, { at, place });
            assert.equal((await finds(target, image, blob)).found, true);
          } finally {
            await fake.stop();
          }
        }),
        { numRuns: 6, endOnFailure: true },
      );
    });
  }

  describe('behind a thousand pieces', () => {
    let fake: FakeRegistry;
    before(async () => {
      fake = await startFakeRegistry();
    });
    after(() => fake.stop());

    it('that hold nothing, in the first part', async () => {
      const target = { address: fake.address, repository: 'demo/empty' };
      const pieces = [{ kind: 'a manifest without layers', count: 1_000, size: 10 }] as const;
      const { image, blob } = await stage(target, pieces, { at: 1_000, place: 'referrers' });
      assert.deepEqual(await finds(target, image, blob), { found: true, parts: 1 });
    });

    it('that are signatures of the same kind, in the last part', async () => {
      const target = { address: fake.address, repository: 'demo/full' };
      const pieces = [{ kind: 'a bundle of another signer', count: 960, size: 10 }] as const;
      const { image, blob } = await stage(target, pieces, { at: 960, place: 'referrers' });
      assert.deepEqual(await finds(target, image, blob), { found: true, parts: 20 });
    });
  });
});

for (const [kind, place] of [
  ['distribution', 'referrers-tag'],
  ['referrers', 'referrers'],
] as const) {
  it(`a good signature is found among junk in a real registry (${kind})`, async (t) => {
    const dir = await mkdtemp(join(tmpdir(), 'junk-'));
    t.after(() => rm(dir, { recursive: true }));
    const server = await startRegistry({ dir, kind });
    t.after(() => server.stop());
    const target = { address: server.address, repository: 'demo/app' };
    const pieces = KINDS.filter((one) => one !== 'a layer that is gone').map((one) => ({
      kind: one,
      count: 8,
      size: 500,
    }));
    const { image, blob } = await stage(target, pieces, { at: 63, place });
    await pushBlob(target, Buffer.from('x'));
    await pushManifest(target, `${image.replace(':', '-')}.att`, '{"schemaVersion":2,"layers":"junk"}').catch(
      () => undefined,
    );
    assert.equal((await finds(target, image, blob)).found, true);
  });
}
