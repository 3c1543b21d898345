import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { anonymous } from '../../../../activities/registry/credentials/credential.ts';
import { indexLists } from '../../../../activities/registry/evidence/covering-index.ts';
import { findSignatures, readSignature } from '../../../../activities/registry/evidence/signatures.ts';
import { createRegistry } from '../../../../activities/registry/registry.ts';
import type { Digest } from '../../../../workflows/format/digest.ts';
import { type FakeRegistry, startFakeRegistry } from '../../../support/registry.ts';
import {
  pushAttestationTag,
  pushBundle,
  pushImage,
  pushIndex,
  pushManifest,
  pushSignatureTag,
  type Target,
} from '../../../support/registry-push.ts';

const signal = AbortSignal.timeout(60_000);
const source = { coversIndexChildren: true } as const;
const newRegistry = () => createRegistry({ credentials: anonymous });

interface House {
  readonly fake: FakeRegistry;
  readonly target: Target;
  readonly child: Digest;
  readonly index: Digest;
  readonly name: string;
}

/** A child image, and an index at the tag `v1` that lists it. */
async function withIndex(run: (house: House) => Promise<void>): Promise<void> {
  const fake = await startFakeRegistry();
  try {
    const target = { address: fake.address, repository: 'demo/app' };
    const child = await pushImage(target, 'child');
    const index = await pushIndex(target, 'v1', [`sha256:${'0'.repeat(64)}`, child]);
    await run({ fake, target, child, index, name: `${fake.address}/demo/app:v1` });
  } finally {
    await fake.stop();
  }
}

const find = ({ name, child }: House, changes: object = {}) =>
  findSignatures(newRegistry(), { name, digest: child, source, ...changes }, signal);
const nothing = { signatures: [], unreadable: [] };

describe('evidence about the index of a tag', () => {
  it('counts where the source says so, and says which index it is about', () =>
    withIndex(async (house) => {
      const { target, index, name } = house;
      const bundle = await pushBundle(target, index, Buffer.from('{"about":"the index"}'));
      const signature = await pushSignatureTag(target, index, [Buffer.from('payload')]);
      const attestation = await pushAttestationTag(target, index, [{ content: Buffer.from('{}') }]);
      const found = await find(house);
      assert.deepEqual(found.unreadable, []);
      assert.deepEqual(
        new Map(found.signatures.map((reference) => [reference.manifest, [reference.place, reference.index]])),
        new Map([
          [bundle.manifest, ['referrers', index]],
          [signature.manifest, ['signature-tag', index]],
          [attestation.manifest, ['attestation-tag', index]],
        ]),
      );
      assert.deepEqual(new Set(found.signatures.map((reference) => reference.source)), new Set([source]));
      for (const reference of found.signatures) {
        assert.equal((await readSignature(newRegistry(), name, reference, signal)).format, reference.format);
      }
    }));

  it('stands beside the evidence about the image itself', () =>
    withIndex(async (house) => {
      const own = await pushBundle(house.target, house.child, Buffer.from('{"about":"the image"}'));
      const other = await pushBundle(house.target, house.index, Buffer.from('{"about":"the index"}'));
      const found = await find(house);
      assert.deepEqual(
        new Map(found.signatures.map(({ manifest, index }) => [manifest, index])),
        new Map([
          [own.manifest, undefined],
          [other.manifest, house.index],
        ]),
      );
      assert.ok(
        found.signatures.every((reference) => 'index' in reference === (reference.manifest === other.manifest)),
      );
    }));

  it('is not even looked for without it', () =>
    withIndex(async (house) => {
      await pushBundle(house.target, house.index, Buffer.from('{}'));
      const before = house.fake.requests.length;
      assert.deepEqual(await find(house, { source: {} }), nothing);
      const asked = house.fake.requests.slice(before).map(({ path }) => path);
      assert.ok(asked.every((path) => path.includes(house.child.slice('sha256:'.length))));
    }));

  it('that is asked for by the index itself is its own', () =>
    withIndex(async (house) => {
      await pushBundle(house.target, house.index, Buffer.from('{}'));
      const found = await find(house, { digest: house.index });
      assert.deepEqual(
        found.signatures.map((reference) => 'index' in reference),
        [false],
      );
    }));

  it('of a subject that is the image is refused', () =>
    withIndex(async (house) => {
      const own = await pushBundle(house.target, house.child, Buffer.from('{}'));
      await pushManifest(house.target, house.index.replace(':', '-'), { manifests: [{ digest: own.manifest }] });
      const found = await find(house);
      assert.deepEqual(
        found.signatures.map(({ index }) => index),
        [undefined],
      );
      assert.deepEqual(
        found.unreadable.map(({ artefact, code }) => [artefact, code]),
        [[own.manifest, 'SUBJECT_MISMATCH']],
      );
    }));

  for (const [what, content] of [
    ['an index that lists others', { manifests: [{ digest: `sha256:${'1'.repeat(64)}` }] }],
    ['an empty index', { manifests: null }],
    ['an image', { config: {}, layers: [] }],
    ['junk', 'junk'],
    ['nothing that lists', { manifests: 'sha256:' }],
  ] as const) {
    it(`is nothing where the tag points to ${what}`, () =>
      withIndex(async (house) => {
        const moved = await pushManifest(house.target, 'v1', content);
        await pushBundle(house.target, moved, Buffer.from('{}'));
        await pushBundle(house.target, house.index, Buffer.from('{}'));
        assert.deepEqual(await find(house), nothing);
      }));
  }

  it('is nothing where the tag points to an index and an image at once', () =>
    withIndex(async (house) => {
      const both = { manifests: [{ digest: house.child }], config: {}, layers: [] };
      const moved = await pushManifest(house.target, 'v1', both);
      await pushBundle(house.target, moved, Buffer.from('{}'));
      assert.deepEqual(await find(house), nothing);
    }));

  it('is nothing where the tag is gone, and where the name has none', () =>
    withIndex(async (house) => {
      await pushBundle(house.target, house.index, Buffer.from('{}'));
      assert.deepEqual(await find(house, { name: `${house.fake.address}/demo/app:v2` }), nothing);
      assert.deepEqual(await find(house, { name: `${house.fake.address}/demo/app` }), nothing);
    }));

  it('is an inability where the tag cannot be read', () =>
    withIndex(async (house) => {
      await pushBundle(house.target, house.child, Buffer.from('{}'));
      house.fake.setFault({ effect: { kind: 'status', status: 502 }, matches: ({ path }) => path.endsWith('/v1') });
      await assert.rejects(find(house), { code: 'REGISTRY_ERROR', retryable: true });
      await find(house, { source: {} });
    }));

  it('is an inability where a place of the index cannot be read', () =>
    withIndex(async (house) => {
      await pushBundle(house.target, house.child, Buffer.from('{}'));
      const hex = house.index.slice('sha256:'.length);
      house.fake.setFault({
        effect: { kind: 'status', status: 500 },
        matches: ({ path }) => path.endsWith(`${hex}.att`),
      });
      await assert.rejects(find(house), { code: 'REGISTRY_ERROR', retryable: true });
    }));

  it('hides nothing where the tag points to more than is read', () =>
    withIndex(async (house) => {
      const own = await pushBundle(house.target, house.child, Buffer.from('{}'));
      await pushManifest(house.target, 'v1', `{"manifests":[],"x":"${'x'.repeat(4 * 1024 * 1024)}"}`);
      const found = await find(house);
      assert.deepEqual(
        found.signatures.map(({ manifest }) => manifest),
        [own.manifest],
      );
      assert.deepEqual(
        found.unreadable.map(({ artefact, code }) => [artefact, code]),
        [['v1', 'EVIDENCE_TOO_LARGE']],
      );
    }));
});

describe('indexLists', () => {
  const lists = ({ name, child }: House, index: Digest, digest = child) =>
    indexLists(newRegistry(), name, index, digest, signal);

  it('proves that an index lists a digest, whatever the tag points to by now', () =>
    withIndex(async (house) => {
      await pushImage(house.target, 'v1');
      assert.equal(await lists(house, house.index), true);
      assert.equal(await lists(house, house.index, house.index), false);
      assert.equal(await lists(house, house.child), false);
    }));

  it('proves nothing of an index that is not there, is too large, or is an image as well', () =>
    withIndex(async (house) => {
      const entry = { digest: house.child };
      const large = await pushManifest(house.target, 'x', { manifests: [entry], x: 'x'.repeat(4 * 1024 * 1024) });
      const both = await pushManifest(house.target, 'y', { manifests: [entry], layers: [] });
      const elsewhere = await pushIndex({ ...house.target, repository: 'demo/other' }, 'v1', [house.child, large]);
      for (const index of [large, both, elsewhere]) assert.equal(await lists(house, index), false);
    }));

  it('throws what could not be found out', () =>
    withIndex(async (house) => {
      house.fake.setFault({ effect: { kind: 'status', status: 503 } });
      await assert.rejects(lists(house, house.index), { code: 'REGISTRY_ERROR' });
    }));

  it('costs nothing where the index was just read', () =>
    withIndex(async (house) => {
      const registry = newRegistry();
      await findSignatures(registry, { name: house.name, digest: house.child, source }, signal);
      const before = house.fake.requests.length;
      assert.equal(await indexLists(registry, house.name, house.index, house.child, signal), true);
      assert.equal(house.fake.requests.length, before);
    }));
});
