import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EvidenceCache } from '../../../../activities/registry/cache.ts';
import { digestOf } from '../../../../activities/registry/content-digest.ts';
import { anonymous } from '../../../../activities/registry/credentials/credential.ts';
import { originOnly } from '../../../../activities/registry/endpoints/endpoints.ts';
import { createRegistry } from '../../../../activities/registry/registry.ts';
import { resolve } from '../../../../activities/registry/resolve.ts';
import { startFakeRegistry } from '../../../support/registry.ts';
import { pushImage } from '../../../support/registry-push.ts';

const signal = AbortSignal.timeout(60_000);

test('plain HTTP is for loopback and for what is configured', () => {
  const plain = ['plain.example:5000', 'PLAIN.example:06000'];
  const url = (registry: string) => originOnly(plain)(registry).map((place) => place.url.href);
  const loopback = ['127.0.0.1:5000', '127.9.9.9:80', 'localhost:80', '[::1]:5000'];
  for (const host of [...loopback, 'plain.example:5000', 'plain.example:6000']) {
    assert.match(url(host).join(), /^http:/, host);
  }
  for (const host of [
    'r.example',
    '0x7f.1',
    '127.evil.example',
    'localhost.example',
    'plain.example',
    '10.0.0.1:5000',
    // containerd asks port 443 where a name has no port, also of loopback hosts.
    'localhost',
    '127.0.0.1',
    '[::1]',
  ]) {
    assert.match(url(host).join(), /^https:/, host);
  }
  assert.deepEqual(url('docker.io'), ['https://registry-1.docker.io/']);
});

test('a mirror serves what it has, and only the origin says that there is none', async (context) => {
  const [mirror, origin] = [await startFakeRegistry(), await startFakeRegistry()];
  context.after(() => Promise.all([mirror.stop(), origin.stop()]));
  const endpoints = () => [
    { url: new URL(`http://${mirror.address}/`), origin: false },
    { url: new URL(`http://${origin.address}/`), origin: true },
  ];
  const registry = createRegistry({ endpoints, credentials: anonymous });
  const name = { registry: 'r.example', repository: 'demo/app' };
  const image = await pushImage({ address: origin.address, repository: 'demo/app' }, 'v1');
  assert.equal((await registry.getManifest(name, 'v1', signal))?.digest, image);
  assert.equal(await registry.getManifest(name, 'v2', signal), undefined);
  mirror.setFault({ effect: { kind: 'status', status: 503 } });
  assert.equal(await registry.getManifest(name, 'v2', signal), undefined);
  mirror.setFault(undefined);
  origin.setFault({ effect: { kind: 'status', status: 503 } });
  await assert.rejects(registry.getManifest(name, 'v2', signal), { code: 'REGISTRY_ERROR' });
  await assert.rejects(registry.listReferrers(name, image, signal), { code: 'REGISTRY_ERROR' });
  const noOrigin = createRegistry({ endpoints: () => endpoints().slice(0, 1), credentials: anonymous });
  await assert.rejects(noOrigin.getManifest(name, 'v2', signal), { code: 'REGISTRY_MISBEHAVED' });
});

test('the cache drops what was not read for longest, and stays within its bytes', () => {
  const cache = new EvidenceCache(10);
  const put = (text: string) => {
    const digest = digestOf(Buffer.from(text));
    cache.put(digest, Buffer.from(text));
    return digest;
  };
  const [first, second] = [put('aaaa'), put('bbbb')];
  assert.ok(cache.get(first));
  const third = put('cccc');
  const kept = [first, second, third].map((digest) => cache.get(digest) !== undefined);
  assert.deepEqual(kept, [true, false, true]);
  assert.equal(cache.get(put('more than ten')), undefined);
  put('aaaa');
  assert.equal(cache.bytes, 8);
});

test('what is large never pushes out more than half of what the cache holds', () => {
  const cache = new EvidenceCache(4_000_000);
  const put = (content: Buffer) => {
    const digest = digestOf(content);
    cache.put(digest, content);
    return digest;
  };
  const small = Array.from({ length: 15 }, (_, i) => put(Buffer.alloc(100_000, i)));
  const large = Array.from({ length: 5 }, (_, i) => put(Buffer.alloc(900_000, i)));
  assert.ok(small.every((digest) => cache.get(digest) !== undefined));
  assert.deepEqual(
    large.map((digest) => cache.get(digest) !== undefined),
    [false, false, false, true, true],
  );
  assert.ok(cache.bytes <= 4_000_000);
});

test('a tag resolves to what its bytes hash to, whatever HEAD says or can', async (context) => {
  const fake = await startFakeRegistry();
  context.after(() => fake.stop());
  const image = await pushImage({ address: fake.address, repository: 'demo/app' }, 'latest');
  const name = { registry: fake.address, repository: 'demo/app' };
  const fresh = () => createRegistry({ credentials: anonymous });
  const descriptor = await resolve(fresh(), name, signal);
  assert.equal(descriptor.digest, image);
  assert.equal(descriptor.mediaType, 'application/vnd.oci.image.manifest.v1+json');
  assert.equal(
    descriptor.size,
    fake.store.answer({
      method: 'GET',
      url: new URL(`http://x/v2/demo/app/manifests/${image}`),
      headers: {},
      body: new Uint8Array(),
    }).body.byteLength,
  );
  const matches = ({ method }: { method: string }) => method === 'HEAD';
  fake.setFault({ effect: { kind: 'status', status: 405 }, matches });
  assert.deepEqual(await resolve(fresh(), name, signal), descriptor);
  fake.setFault({
    effect: { kind: 'replace', body: new Uint8Array(), headers: { 'docker-content-digest': 'junk' } },
    matches,
  });
  assert.deepEqual(await resolve(fresh(), name, signal), descriptor);
  fake.setFault({ effect: { kind: 'status', status: 503 }, matches });
  await assert.rejects(resolve(fresh(), name, signal), { code: 'REGISTRY_ERROR' });
  fake.setFault(undefined);
  const place = `${name.registry}/${name.repository}`;
  const absent = (changes: object, message: string) =>
    assert.rejects(resolve(fresh(), { ...name, ...changes }, signal), { code: 'IMAGE_NOT_FOUND', message });
  await absent({ tag: 'v9' }, `${place} has no tag "v9"; correct the tag, or push the image`);
  const missing = digestOf(Buffer.from('cd'));
  await absent(
    { digest: missing },
    `${place} has no image with the digest ${missing}; correct the digest, or push the image`,
  );
  await absent(
    { repository: 'demo/absent' },
    `${name.registry} has no repository demo/absent; correct the image name, or push the image`,
  );
  // Who may not list tags is not told more than that there is none; it is the answer of the registry all the same.
  fake.setFault({ effect: { kind: 'status', status: 403 }, matches: ({ path }) => path.includes('/tags/list') });
  await absent({ tag: 'v9' }, `${place} has no tag "v9"; correct the name and the tag, or push the image`);
  fake.setFault({ effect: { kind: 'status', status: 403 }, matches });
  await assert.rejects(resolve(fresh(), { ...name, tag: 'v9' }, signal), { code: 'REGISTRY_UNAUTHORIZED' });
});
