import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EvidenceCache } from '../../../activities/registry/cache.ts';
import { anonymous } from '../../../activities/registry/credentials/credential.ts';
import { parseDockerConfig } from '../../../activities/registry/credentials/docker-config.ts';
import { credentialsFrom } from '../../../activities/registry/credentials/docker-credentials.ts';
import { findSignatures, readSignature } from '../../../activities/registry/evidence/signatures.ts';
import { createRegistry } from '../../../activities/registry/registry.ts';
import type { Digest } from '../../../workflows/format/digest.ts';
import { type FakeRegistry, startFakeRegistry } from '../../support/registry.ts';
import type { RegistryAuth } from '../../support/registry-auth.ts';
import {
  DSSE_ENVELOPE,
  pushAttestationTag,
  pushBlob,
  pushBundle,
  pushCosignTag,
  pushImage,
  pushIndex,
  pushReferrersTag,
  pushSignatureTag,
  SIGNATURE,
  SIMPLE_SIGNING,
} from '../../support/registry-push.ts';
import { digestOf } from '../../support/verdicts.ts';

const signal = AbortSignal.timeout(60_000);
const newRegistry = () => createRegistry({ credentials: anonymous });

interface House {
  /** Where the images are, and where the signatures are. */
  readonly images: FakeRegistry;
  readonly signatures: FakeRegistry;
  readonly image: Digest;
  readonly name: string;
  readonly repository: string;
}

async function withRegistries(run: (house: House) => Promise<void>): Promise<void> {
  const images = await startFakeRegistry();
  const signatures = await startFakeRegistry();
  try {
    const image = await pushImage({ address: images.address, repository: 'demo/app' }, 'v1');
    const repository = `${signatures.address}/sig/store`;
    await run({ images, signatures, image, name: `${images.address}/demo/app:v1`, repository });
  } finally {
    await Promise.all([images.stop(), signatures.stop()]);
  }
}

const target = ({ signatures }: House) => ({ address: signatures.address, repository: 'sig/store' });
const find = ({ name, image }: House, source: object) =>
  findSignatures(newRegistry(), { name, digest: image, source }, signal);

describe('a source in another repository', () => {
  it('is where everything is looked for, under the digest of the image', () =>
    withRegistries(async (house) => {
      const bundle = await pushBundle(target(house), house.image, Buffer.from('{"n":1}'));
      const signature = await pushSignatureTag(target(house), house.image, [Buffer.from('payload')]);
      const attestation = await pushAttestationTag(target(house), house.image, [{ content: Buffer.from('{}') }]);
      await pushBundle({ address: house.images.address, repository: 'demo/app' }, house.image, Buffer.from('{"n":2}'));
      const before = house.images.requests.length;
      const source = { repository: house.repository };
      const found = await find(house, source);
      assert.deepEqual(found.unreadable, []);
      assert.deepEqual(
        new Set(found.signatures.map(({ manifest }) => manifest)),
        new Set([bundle.manifest, signature.manifest, attestation.manifest]),
      );
      for (const reference of found.signatures) {
        assert.deepEqual(reference.source, source);
        const content = await readSignature(newRegistry(), house.name, reference, signal);
        assert.equal(content.format, reference.format);
      }
      assert.equal(house.images.requests.length, before, "the image's own registry is not asked");
    }));

  it('that is not there has nothing', () =>
    withRegistries(async (house) => {
      assert.deepEqual(await find(house, { repository: house.repository }), { signatures: [], unreadable: [] });
    }));

  it('holds no evidence of another image', () =>
    withRegistries(async (house) => {
      const other = await pushBundle(target(house), digestOf('22'), Buffer.from('{}'));
      await pushReferrersTag(target(house), house.image, [other.manifest]);
      const found = await find(house, { repository: house.repository });
      assert.deepEqual(found.signatures, []);
      assert.deepEqual(
        found.unreadable.map(({ code }) => code),
        ['SUBJECT_MISMATCH'],
      );
    }));

  it('holds the evidence about an index, and the index stays with the image', () =>
    withRegistries(async (house) => {
      const index = await pushIndex({ address: house.images.address, repository: 'demo/app' }, 'v1', [house.image]);
      const bundle = await pushBundle(target(house), index, Buffer.from('{}'));
      const source = { repository: house.repository, coversIndexChildren: true };
      assert.deepEqual(
        (await find(house, source)).signatures.map((reference) => [reference.manifest, reference.index]),
        [[bundle.manifest, index]],
      );
    }));

  for (const repository of ['', 'UPPER', 'a.b/c:tag', `a.b/c@sha256:${'0'.repeat(64)}`, 'a.b/../c', 'a.b/c?x', '\n']) {
    it(`has to be a repository (${JSON.stringify(repository).slice(0, 20)})`, () =>
      withRegistries(async (house) => {
        const before = house.images.requests.length;
        await assert.rejects(find(house, { repository }), { code: 'REQUEST_INVALID' });
        assert.equal(house.images.requests.length, before);
      }));
  }
});

describe('a tag prefix', () => {
  it("goes straight before cosign's tags", () =>
    withRegistries(async (house) => {
      const hex = house.image.replace(':', '-');
      const payload = {
        content: Buffer.from('payload'),
        mediaType: SIMPLE_SIGNING,
        annotations: { [SIGNATURE]: 'c2ln' },
      };
      const envelope = { content: Buffer.from('{}'), mediaType: DSSE_ENVELOPE };
      const signature = await pushCosignTag(target(house), `team-a.${hex}.sig`, [payload]);
      const attestation = await pushCosignTag(target(house), `team-a.${hex}.att`, [envelope]);
      await pushCosignTag(target(house), `${hex}.sig`, [{ ...payload, content: Buffer.from('not asked for') }]);
      const source = { repository: house.repository, tagPrefix: 'team-a.' };
      const found = await find(house, source);
      assert.deepEqual(found.signatures.map(({ manifest, place }) => `${place} ${manifest}`).sort(), [
        `attestation-tag ${attestation.manifest}`,
        `signature-tag ${signature.manifest}`,
      ]);
      assert.deepEqual(found.signatures[0]?.source, source);
    }));

  it("does not go before the referrers tag, which is not cosign's", () =>
    withRegistries(async (house) => {
      const { manifest } = await pushBundle(target(house), house.image, Buffer.from('{}'));
      await pushReferrersTag(target(house), house.image, [manifest]);
      const found = await find(house, { repository: house.repository, tagPrefix: 'x' });
      assert.deepEqual(
        found.signatures.map((reference) => reference.manifest),
        [manifest],
      );
    }));

  for (const tagPrefix of ['../', 'a/b', '-x', '.x', 'ü', 'a?', 'a#', 'a%2f', ' ', 'x'.repeat(54)]) {
    it(`has to be the beginning of a tag (${JSON.stringify(tagPrefix).slice(0, 12)})`, () =>
      withRegistries(async (house) => {
        await assert.rejects(find(house, { tagPrefix }), { code: 'REQUEST_INVALID' });
      }));
  }
});

describe('pull secrets', () => {
  const login = { username: 'ann', password: 'pass:word' };
  const secretFor = (host: string, auth: object = login) => {
    const config = parseDockerConfig(JSON.stringify({ auths: { [host]: auth } }));
    assert.ok(typeof config === 'object');
    return config;
  };

  /** Puts a bundle where only the secret reads it, and reads it with the registry that is given. */
  async function readBehind(auth: RegistryAuth, credentials: (host: string) => ReturnType<typeof credentialsFrom>) {
    const guarded = await startFakeRegistry({ auth });
    const image = digestOf('33');
    const bundle = Buffer.from('{"a":"bundle"}');
    const layer = { mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json', digest: guarded.store.putBlob(bundle) };
    const manifest = { layers: [layer], subject: { digest: image } };
    guarded.store.putManifest('sig/store', 'x', Buffer.from(JSON.stringify(manifest)), 'application/json');
    try {
      const registry = createRegistry({ credentials: credentials(guarded.address) });
      const source = { repository: `${guarded.address}/sig/store`, pullSecrets: ['one'] };
      const name = 'registry.example/demo/app:v1';
      const { signatures } = await findSignatures(registry, { name, digest: image, source }, signal);
      assert.equal(signatures.length, 1);
      for (const reference of signatures) {
        assert.deepEqual(reference.source, source);
        assert.deepEqual(await readSignature(registry, name, reference, signal), { format: 'bundle', bundle });
      }
    } finally {
      await guarded.stop();
    }
  }

  for (const kind of ['basic', 'bearer'] as const) {
    it(`open the registry of the source (${kind})`, () =>
      readBehind({ kind, ...login }, (host) => credentialsFrom(secretFor(host))));

    it(`of other registries don't (${kind})`, async () => {
      const wrong = readBehind({ kind, ...login }, () => credentialsFrom(secretFor('other.example')));
      await assert.rejects(wrong, { code: 'REGISTRY_UNAUTHORIZED' });
    });

    it(`that are wrong are an inability (${kind})`, async () => {
      const wrong = { username: 'ann', password: 'wrong' };
      await assert.rejects(
        readBehind({ kind, ...login }, (host) => credentialsFrom(secretFor(host, wrong))),
        { code: 'REGISTRY_UNAUTHORIZED' },
      );
    });
  }

  it('leave registries that they say nothing about to the other credentials', () =>
    readBehind({ kind: 'basic', ...login }, (host) =>
      credentialsFrom(secretFor('other.example'), credentialsFrom(secretFor(host))),
    ));

  it('start no helper', async () => {
    const config = parseDockerConfig('{"credsStore":"none-such","credHelpers":{"a.example":"none-such"}}');
    assert.ok(typeof config === 'object');
    assert.deepEqual(await credentialsFrom(config)('a.example', signal, 'demo/app'), { kind: 'anonymous' });
  });

  it('share the evidence cache with every other registry reader', async () => {
    const cache = new EvidenceCache(1024);
    const fake = await startFakeRegistry();
    try {
      const digest = await pushBlob({ address: fake.address, repository: 'sig/store' }, Buffer.from('evidence'));
      const repository = { registry: fake.address, repository: 'sig/store' };
      const first = createRegistry({ credentials: credentialsFrom(secretFor('a.example')), cache });
      const second = createRegistry({ credentials: anonymous, cache });
      await first.getBlob(repository, digest, signal);
      const before = fake.requests.length;
      assert.deepEqual(await second.getBlob(repository, digest, signal), Buffer.from('evidence'));
      assert.equal(fake.requests.length, before);
    } finally {
      await fake.stop();
    }
  });
});
