import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EvidenceCache } from '../../../../activities/registry/cache.ts';
import { anonymous } from '../../../../activities/registry/credentials/credential.ts';
import { searchSignatures } from '../../../../activities/registry/evidence/signature-search.ts';
import { findSignatures, readSignature } from '../../../../activities/registry/evidence/signatures.ts';
import { createRegistry } from '../../../../activities/registry/registry.ts';
import type { Digest } from '../../../../workflows/format/digest.ts';
import { type FakeRegistry, startFakeRegistry } from '../../../support/registry.ts';
import {
  BUNDLE,
  pushBlob,
  pushBundle,
  pushImage,
  pushManifest,
  pushReferrer,
  pushReferrersTag,
  pushSignatureTag,
  SIMPLE_SIGNING,
} from '../../../support/registry-push.ts';
import type { ReferrersMode } from '../../../support/registry-store.ts';

const signal = AbortSignal.timeout(60_000);
/** The image's own repository, under the usual tags. */
const source = {};
const bundle = Buffer.from('{"mediaType":"a bundle"}');

async function withImage(
  referrers: ReferrersMode,
  run: (house: {
    fake: FakeRegistry;
    target: { address: string; repository: string };
    image: Digest;
    name: string;
  }) => Promise<void>,
): Promise<void> {
  const fake = await startFakeRegistry({ referrers });
  try {
    const target = { address: fake.address, repository: 'demo/app' };
    await run({ fake, target, image: await pushImage(target, 'v1'), name: `${fake.address}/demo/app:v1` });
  } finally {
    await fake.stop();
  }
}

const find = (name: string, digest: Digest) =>
  findSignatures(createRegistry({ credentials: anonymous }), { name, digest, source }, signal);

for (const mode of ['api', 'paged', 'lying'] as const) {
  test(`bundles are found through a referrers API (${mode})`, () =>
    withImage(mode, async ({ target, image, name }) => {
      const first = await pushBundle(target, image, bundle);
      await pushReferrer(target, image, { artifactType: 'application/spdx+json', layers: [] });
      const second = await pushBundle(target, image, Buffer.from('{"another":1}'));
      const found = await find(name, image);
      assert.deepEqual(found.unreadable, []);
      assert.deepEqual(
        new Set(found.signatures),
        new Set([
          { format: 'bundle', place: 'referrers', source, ...first },
          { format: 'bundle', place: 'referrers', source, ...second },
        ]),
      );
    }));
}

for (const mode of ['none', 'html'] as const) {
  test(`bundles are found through the referrers tag (${mode})`, () =>
    withImage(mode, async ({ target, image, name }) => {
      const pushed = await pushBundle(target, image, bundle);
      await pushReferrersTag(target, image, [pushed.manifest]);
      assert.deepEqual(await find(name, image), {
        signatures: [{ format: 'bundle', place: 'referrers-tag', source, ...pushed }],
        unreadable: [],
      });
    }));
}

for (const status of [400, 405, 406]) {
  test(`a ${status} to the referrers API means that there is none`, () =>
    withImage('api', async ({ fake, image, name }) => {
      fake.setFault({ effect: { kind: 'status', status }, matches: ({ path }) => path.includes('/referrers/') });
      assert.deepEqual(await find(name, image), { signatures: [], unreadable: [] });
    }));
}

test('all places are asked, and one manifest is read once', () =>
  withImage('api', async ({ fake, target, image, name }) => {
    const pushed = await pushBundle(target, image, bundle);
    await pushReferrersTag(target, image, [pushed.manifest]);
    const tag = await pushSignatureTag(target, image, [Buffer.from('payload one'), Buffer.from('payload two')]);
    const before = fake.requests.length;
    const found = await find(name, image);
    assert.deepEqual(found.unreadable, []);
    assert.deepEqual(found.signatures, [
      { format: 'bundle', place: 'referrers', source, ...pushed },
      {
        format: 'simple-signing',
        place: 'signature-tag',
        source,
        manifest: tag.manifest,
        blob: tag.blobs[1],
        layer: 1,
      },
      {
        format: 'simple-signing',
        place: 'signature-tag',
        source,
        manifest: tag.manifest,
        blob: tag.blobs[0],
        layer: 0,
      },
    ]);
    // Four look-ups, one manifest that is listed and not looked up, three blobs.
    assert.equal(fake.requests.length - before, 8);
  }));

test('an image without signatures is positively unsigned', () =>
  withImage('none', async ({ image, name }) => {
    assert.deepEqual(await find(name, image), { signatures: [], unreadable: [] });
  }));

test('what was found is read without a further request, and fetched again when it left the cache', () =>
  withImage('api', async ({ fake, target, image, name }) => {
    await pushBundle(target, image, bundle);
    await pushSignatureTag(target, image, [Buffer.from('payload')], 'c2lnbmF0dXJl');
    const registry = createRegistry({ credentials: anonymous });
    const { signatures } = await findSignatures(registry, { name, digest: image, source }, signal);
    const before = fake.requests.length;
    const read = await Promise.all(signatures.map((reference) => readSignature(registry, name, reference, signal)));
    const expected = [
      { format: 'bundle', bundle },
      { format: 'simple-signing', payload: Buffer.from('payload'), annotations: { signature: 'c2lnbmF0dXJl' } },
    ];
    assert.deepEqual(read, expected);
    assert.equal(fake.requests.length, before);
    const forgetful = createRegistry({ credentials: anonymous, cache: new EvidenceCache(0) });
    assert.deepEqual(
      await Promise.all(signatures.map((reference) => readSignature(forgetful, name, reference, signal))),
      expected,
    );
    assert.equal(fake.requests.length, before + 3);
  }));

test('a signature layer that is no longer what it was named for is refused', () =>
  withImage('api', async ({ target, image, name }) => {
    await pushSignatureTag(target, image, [Buffer.from('payload one'), Buffer.from('payload two')]);
    const registry = createRegistry({ credentials: anonymous });
    const { signatures } = await findSignatures(registry, { name, digest: image, source }, signal);
    const [first] = signatures;
    assert.ok(first?.format === 'simple-signing');
    await assert.rejects(readSignature(registry, name, { ...first, layer: 1 - first.layer }, signal), {
      code: 'EVIDENCE_MALFORMED',
    });
  }));

test('junk beside a good signature is named and hides nothing', () =>
  withImage('api', async ({ target, image, name }) => {
    const other = await pushImage(target, 'v2');
    const blob = await pushBlob(target, Buffer.from('x'));
    const layer = { mediaType: BUNDLE, digest: blob, size: 1 };
    const junk = {
      noLayers: await pushReferrer(target, image, { artifactType: BUNDLE, layers: [] }),
      wrongLayer: await pushReferrer(target, image, {
        artifactType: BUNDLE,
        layers: [{ ...layer, mediaType: 'text/plain' }],
      }),
      badDigest: await pushReferrer(target, image, { artifactType: BUNDLE, layers: [{ ...layer, digest: 'md5:1' }] }),
      tooLarge: await pushReferrer(target, image, { artifactType: BUNDLE, layers: [{ ...layer, size: 70_000_000 }] }),
      unsignedLayer: await pushReferrer(target, image, { layers: [{ ...layer, mediaType: SIMPLE_SIGNING }] }),
    };
    const moved = await pushBundle(target, other, bundle);
    const noSubject = await pushReferrer(target, undefined, { artifactType: BUNDLE, layers: [layer] });
    const truncated = await pushManifest(target, 'junk', '{"schemaVersion":2,"layers":[');
    await pushReferrersTag(target, image, [moved.manifest, noSubject, truncated, 'sha512:ff']);
    const good = await pushBundle(target, image, bundle);
    const found = await find(name, image);
    assert.deepEqual(found.signatures, [{ format: 'bundle', place: 'referrers', source, ...good }]);
    const codes = new Map(found.unreadable.map(({ artefact, code }) => [artefact, code]));
    assert.deepEqual(
      codes,
      new Map([
        ...Object.values(junk).map((digest) => [digest, 'EVIDENCE_MALFORMED'] as const),
        [junk.tooLarge, 'EVIDENCE_TOO_LARGE'],
        [moved.manifest, 'SUBJECT_MISMATCH'],
        [noSubject, 'EVIDENCE_MALFORMED'],
        [truncated, 'EVIDENCE_MALFORMED'],
        [image.replace(':', '-'), 'EVIDENCE_MALFORMED'],
      ]),
    );
  }));

test('what is listed and gone is an inability, and hides nothing', () =>
  withImage('api', async ({ target, image, name }) => {
    const good = await pushBundle(target, image, bundle);
    const absent = `sha256:${'0'.repeat(64)}`;
    const layers = [{ mediaType: BUNDLE, digest: absent, size: 1 }];
    const lost = await pushReferrer(target, image, { artifactType: BUNDLE, layers });
    await pushReferrersTag(target, image, [absent]);
    const registry = createRegistry({ credentials: anonymous });
    const found = await searchSignatures(registry, { name, digest: image, source }, signal);
    assert.deepEqual(found.signatures, [{ format: 'bundle', place: 'referrers', source, ...good }]);
    assert.deepEqual(found.unreadable, []);
    assert.deepEqual(
      found.failures.map(({ code, message, retryable }) => [code, message.replace(/^\S+ /, ''), retryable]),
      [[`manifest ${absent}`], [`layer ${absent} of the manifest ${lost}`]].map(([what]) => [
        'EVIDENCE_NOT_SERVED',
        `lists the ${what} and answers 404 to it; push it again, or remove it from the list`,
        true,
      ]),
    );
  }));

test('junk at the tags hides nothing', () =>
  withImage('api', async ({ target, image, name }) => {
    const tag = image.replace(':', '-');
    await pushManifest(target, tag, '<html>');
    const large = await pushManifest(target, `${tag}.sig`, `{"layers":[],"x":"${'x'.repeat(4 * 1024 * 1024)}"}`);
    assert.ok(large);
    const good = await pushBundle(target, image, bundle);
    const found = await find(name, image);
    assert.deepEqual(found.signatures, [{ format: 'bundle', place: 'referrers', source, ...good }]);
    assert.deepEqual(
      new Map(found.unreadable.map(({ artefact, code }) => [artefact, code])),
      new Map([
        [`${tag}.sig`, 'EVIDENCE_TOO_LARGE'],
        [tag, 'EVIDENCE_MALFORMED'],
      ]),
    );
  }));

for (const [what, path] of [
  ['the referrers API', '/referrers/'],
  ['the signature tag', '.sig'],
  ['the attestation tag', '.att'],
  ['the referrers tag', '/manifests/sha256-'],
  ['one artefact', '/manifests/sha256:'],
  ['one blob', '/blobs/'],
] as const) {
  test(`an error of ${what} is thrown, whatever else was found`, () =>
    withImage('api', async ({ fake, target, image, name }) => {
      await pushBundle(target, image, bundle);
      fake.setFault({ effect: { kind: 'status', status: 503 }, matches: ({ path: asked }) => asked.includes(path) });
      await assert.rejects(find(name, image), { code: 'REGISTRY_ERROR', retryable: true });
    }));
}
