import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { EvidenceError } from '../../../activities/evidence-error.ts';
import { EvidenceCache } from '../../../activities/registry/cache.ts';
import { createRegistry } from '../../../activities/registry/registry.ts';
import { readImageTree } from '../../../activities/revocation/image-tree.ts';
import type { Digest } from '../../../workflows/format/digest.ts';
import { type FakeRegistry, startFakeRegistry } from '../../support/registry.ts';
import { pushImage, pushIndex, pushManifest, type Target } from '../../support/registry-push.ts';
import { digestOf } from '../../support/verdicts.ts';

const INDEX = 'application/vnd.oci.image.index.v1+json';
const IMAGE = 'application/vnd.oci.image.manifest.v1+json';

let fake: FakeRegistry;
let target: Target;
before(async () => {
  fake = await startFakeRegistry();
  target = { address: fake.address, repository: 'demo/app' };
});
after(() => fake.stop());

async function treeOf(root: Digest) {
  const registry = createRegistry({ cache: new EvidenceCache(1e6), credentials: async () => ({ kind: 'anonymous' }) });
  const place = { registry: fake.address, repository: 'demo/app' };
  return await readImageTree(registry, place, root, AbortSignal.timeout(5_000));
}

const below = async (root: Digest) => (await treeOf(root)).get(root);
const pushText = (text: string) => pushManifest(target, undefined, text, INDEX);
const listing = (...manifests: readonly object[]) => ({ schemaVersion: 2, mediaType: INDEX, manifests });

async function assertRefused(root: Digest, code: string, sentence: RegExp): Promise<void> {
  await assert.rejects(treeOf(root), (error) => {
    assert.ok(error instanceof EvidenceError, String(error));
    assert.deepEqual([error.code, error.retryable], [code, false]);
    assert.match(error.message, sentence);
    return true;
  });
}

describe('what an image contains', () => {
  it('is nothing besides itself for one image, and every manifest for an index', async () => {
    const [one, two] = [await pushImage(target, 'one'), await pushImage(target, 'two')];
    assert.deepEqual(await below(one), []);
    assert.deepEqual(await below(await pushIndex(target, 'v1', [one, two])), [one, two]);
  });

  it('is what inner indexes list, too, whatever media type the outer one claims for them', async () => {
    const [one, two] = [await pushImage(target, 'one'), await pushImage(target, 'two')];
    const inner = await pushIndex(target, 'inner', [one]);
    for (const mediaType of [INDEX, undefined, 'application/json']) {
      const outer = await pushText(
        JSON.stringify(listing({ mediaType, digest: inner }, { mediaType: IMAGE, digest: two })),
      );
      const tree = await treeOf(outer);
      assert.deepEqual([tree.get(outer), tree.get(inner)], [[inner, one, two], [one]]);
    }
  });

  it('is found under every name that containerd finds it by', async () => {
    const one = await pushImage(target, 'one');
    const child = `{"mediaType":"${IMAGE}","digest":"${one}"}`;
    for (const text of [
      `{"Manifests":[${child}]}`,
      `{"manife\u017Fts":[${child}]}`,
      `{"manifests":[],"MANIFESTS":[${child}]}`,
      `{"manifests":[{"mediaType":"${IMAGE}","Digest":"${one}"}]}`,
      `{"config":{},"layers":[],"manifests":[${child}]}`,
    ]) {
      assert.deepEqual(await below(await pushText(text)), [one], text);
    }
  });

  it('can not be told when two readers could find two lists, or a digest is of another kind', async () => {
    const one = await pushImage(target, 'one');
    const child = `{"mediaType":"${IMAGE}","digest":"${one}"}`;
    for (const [text, sentence] of [
      [`{"manifests":[${child}],"manifests":[]}`, /names one field twice/],
      [`{"manifests":[{"digest":"${one}","Digest":"${digestOf('ab')}"}]}`, /without a sha256 digest/],
      [`{"manifests":[{"digest":"sha512:${'ab'.repeat(64)}"}]}`, /without a sha256 digest/],
      [`{"manifests":[{}]}`, /without a sha256 digest/],
      [`{"manifests":{"0":${child}}}`, /manifests that are not a list/],
      ['not JSON', /it is not JSON/],
    ] as const) {
      await assertRefused(await pushText(text), 'EVIDENCE_UNSUPPORTED', sentence);
    }
  });

  it('is too much when a verdict could not name it', async () => {
    const many = (count: number) =>
      Array.from({ length: count }, (_, i) => ({ mediaType: IMAGE, digest: `sha256:${String(i).padStart(64, '0')}` }));
    assert.equal((await below(await pushText(JSON.stringify(listing(...many(300))))))?.length, 300);
    await assertRefused(await pushText(JSON.stringify(listing(...many(301)))), 'EVIDENCE_TOO_LARGE', /more than 300/);
    let nested = await pushImage(target, 'one');
    for (let level = 0; level < 6; level++) {
      nested = await pushText(JSON.stringify(listing({ mediaType: INDEX, digest: nested })));
    }
    await assertRefused(nested, 'EVIDENCE_TOO_LARGE', /more than 4 levels deep/);
  });

  it('can not be told when the registry lacks the manifest', async () => {
    await assertRefused(digestOf('ab'), 'REGISTRY_MISBEHAVED', /the registry does not have it/);
  });
});
