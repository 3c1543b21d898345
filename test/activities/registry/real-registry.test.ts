import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { anonymous } from '../../../activities/registry/credentials/credential.ts';
import { configuredEndpoints } from '../../../activities/registry/endpoints/configured-endpoints.ts';
import { findSignatures, readSignature } from '../../../activities/registry/evidence/signatures.ts';
import { createRegistry } from '../../../activities/registry/registry.ts';
import { resolve } from '../../../activities/registry/resolve.ts';
import { startRegistry } from '../../../infra/stack/registry.ts';
import { allowInternal } from '../../support/loopback.ts';
import { pushBundle, pushImage, pushReferrersTag, pushSignatureTag } from '../../support/registry-push.ts';

allowInternal('127.0.0.0/8');

const bundle = Buffer.from('{"mediaType":"a bundle"}');

for (const [kind, place] of [
  ['distribution', 'referrers-tag'],
  ['referrers', 'referrers'],
] as const) {
  test(`signatures are found in a real registry (${kind})`, async (context) => {
    const dir = await mkdtemp(join(tmpdir(), 'registry-'));
    context.after(() => rm(dir, { recursive: true }));
    const server = await startRegistry({ dir, kind });
    context.after(() => server.stop());
    const target = { address: server.address, repository: 'demo/app' };
    const signal = AbortSignal.timeout(60_000);
    const image = await pushImage(target, 'v1');
    const unsigned = await pushImage(target, 'v2');
    const pushed = await pushBundle(target, image, bundle);
    if (kind === 'distribution') await pushReferrersTag(target, image, [pushed.manifest]);
    const tag = await pushSignatureTag(target, image, [Buffer.from('payload')]);

    const registry = createRegistry({ credentials: anonymous });
    const name = `${server.address}/demo/app:v1`;
    const resolved = await resolve(registry, { registry: server.address, repository: 'demo/app', tag: 'v1' }, signal);
    assert.equal(resolved.digest, image);
    const absent = async (changes: object) => {
      const asked = { registry: server.address, repository: 'demo/app', tag: 'v1', ...changes };
      return await resolve(registry, asked, signal).catch((error: unknown) => String(error));
    };
    const missing = `sha256:${'cd'.repeat(32)}`;
    assert.deepEqual(
      [await absent({ tag: 'v9' }), await absent({ digest: missing }), await absent({ repository: 'demo/absent' })],
      [
        `EvidenceError: ${server.address}/demo/app has no tag "v9"; correct the tag, or push the image`,
        `EvidenceError: ${server.address}/demo/app has no image with the digest ${missing}; correct the digest, or push the image`,
        `EvidenceError: ${server.address} has no repository demo/absent; correct the image name, or push the image`,
      ],
    );
    const found = await findSignatures(registry, { name, digest: image, source: {} }, signal);
    assert.deepEqual(found, {
      signatures: [
        { format: 'bundle', place, source: {}, ...pushed },
        {
          format: 'simple-signing',
          place: 'signature-tag',
          source: {},
          manifest: tag.manifest,
          blob: tag.blobs[0],
          layer: 0,
        },
      ],
      unreadable: [],
    });
    const fresh = createRegistry({ credentials: anonymous });
    const read = await Promise.all(found.signatures.map((signature) => readSignature(fresh, name, signature, signal)));
    assert.deepEqual(read, [
      { format: 'bundle', bundle },
      { format: 'simple-signing', payload: Buffer.from('payload'), annotations: { signature: 'c2ln' } },
    ]);
    const nothing = await findSignatures(registry, { name, digest: unsigned, source: {} }, signal);
    assert.deepEqual(nothing, { signatures: [], unreadable: [] });
  });
}

test('a real pull-through mirror serves the content, and the registry says what there is', async (context) => {
  const dir = await mkdtemp(join(tmpdir(), 'registry-'));
  context.after(() => rm(dir, { recursive: true }));
  const origin = await startRegistry({ dir, kind: 'distribution' });
  context.after(() => origin.stop());
  const mirror = await startRegistry({ dir, kind: 'distribution', mirrorOf: origin.address });
  context.after(() => mirror.stop());
  await mkdir(join(dir, 'hosts', 'r.example'), { recursive: true });
  const hosts = `server = "http://${origin.address}"\n[host."http://${mirror.address}"]\ncapabilities = ["pull", "resolve"]\n`;
  await writeFile(join(dir, 'hosts', 'r.example', 'hosts.toml'), hosts);
  const signal = AbortSignal.timeout(60_000);
  const newReader = () =>
    createRegistry({ endpoints: configuredEndpoints([join(dir, 'hosts')], []), credentials: anonymous });
  const target = { address: origin.address, repository: 'demo/app' };
  const image = await pushImage(target, 'v1');
  const request = { name: 'r.example/demo/app:v1', digest: image, source: {} };
  assert.deepEqual((await findSignatures(newReader(), request, signal)).signatures, []);
  await pushSignatureTag(target, image, [Buffer.from('payload')]);
  const { signatures } = await findSignatures(newReader(), request, signal);
  assert.equal(signatures.length, 1);
  // What the mirror has by now it serves when the registry is away; what there is nobody else knows.
  await origin.stop();
  const name = { registry: 'r.example', repository: 'demo/app' };
  const [signature] = signatures;
  assert.ok(signature !== undefined);
  assert.equal(Buffer.from((await newReader().getBlob(name, signature.blob, signal)) ?? []).toString(), 'payload');
  await assert.rejects(findSignatures(newReader(), request, signal), { code: 'REGISTRY_UNREACHABLE' });
});
