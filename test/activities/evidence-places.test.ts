import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import type { Digest } from '../../workflows/format/digest.ts';
import { type DevServer, startDevServer } from '../support/dev-server.ts';
import type { Fault } from '../support/registry-fault.ts';
import {
  BUNDLE,
  pushBlob,
  pushBundle,
  pushCosignTag,
  pushManifest,
  pushReferrer,
  pushReferrersTag,
  SIGNATURE,
  SIMPLE_SIGNING,
  type TagLayer,
  type Target,
} from '../support/registry-push.ts';
import { cosignBundle, cosignPayload, createSigningKey, type SigningKey, signSimple } from '../support/signer.ts';
import { type SignedImage, startScene } from './setting.ts';

const release = createSigningKey('ECDSA P-256');
const mallory = createSigningKey('ECDSA P-256');
const SIGN = 'https://sigstore.dev/cosign/sign/v1';

let server: DevServer;
before(async () => {
  server = await startDevServer();
});
after(() => server.stop());

const scene = (t: TestContext) => startScene(t, server.address, release);

/** Signs under the tag of cosign 2, as it is written there. */
async function signByTag(target: Target, { digest }: SignedImage, key: SigningKey): Promise<void> {
  await pushCosignTag(target, `${digest.replace(':', '-')}.sig`, [tagLayer(target, digest, key)]);
}

/** One layer of that tag; `creator` makes it like no other. */
function tagLayer(target: Target, digest: Digest, key: SigningKey, creator = ''): TagLayer {
  const payload = { ...cosignPayload(digest, `${target.address}/${target.repository}`), optional: { creator } };
  const { payload: content, signature } = signSimple(key, payload);
  return { content, mediaType: SIMPLE_SIGNING, annotations: { [SIGNATURE]: signature } };
}

const status = (code: number, ...paths: readonly string[]): Fault => ({
  effect: { kind: 'status', status: code },
  matches: ({ path }) => paths.some((part) => path.includes(part)),
});

describe('a signed image is allowed', () => {
  for (const [what, paths] of [
    ['the tags of cosign', ['.sig', '.att']],
    ['every tag', ['/manifests/sha256-']],
  ] as const) {
    it(`by its referrer when the registry answers 403 for ${what}`, async (t) => {
      const { registry, pushSigned, verify } = await scene(t);
      const image = await pushSigned(release);
      registry.setFault(status(403, ...paths));
      const verdict = await verify(image);
      assert.deepEqual([verdict.outcome, verdict.reasons[0].code], ['allow', 'SIGNATURE_VERIFIED']);
    });
  }

  for (const code of [401, 403, 415, 429, 500, 501, 503]) {
    it(`by its tag when the registry answers ${code} to the referrers API`, async (t) => {
      const { registry, target, pushSigned, verify } = await scene(t);
      const image = await pushSigned();
      await signByTag(target, image, release);
      registry.setFault(status(code, '/referrers/'));
      assert.equal((await verify(image)).outcome, 'allow');
    });
  }

  it('by its tag while the referrers API hangs, and by its referrer while the tags hang', async (t) => {
    const { registry, target, pushSigned, verify } = await scene(t);
    const byTag = await pushSigned();
    await signByTag(target, byTag, release);
    const byReferrer = await pushSigned(release);
    const hang = (path: string): Fault => ({
      effect: { kind: 'hang' },
      matches: (request) => request.path.includes(path),
    });
    for (const [image, path] of [
      [byTag, '/referrers/'],
      [byReferrer, '/manifests/sha256-'],
    ] as const) {
      registry.setFault(hang(path));
      const start = Date.now();
      assert.equal((await verify(image)).outcome, 'allow');
      assert.ok(Date.now() - start < 6_000, `${Date.now() - start} ms`);
    }
  });

  it('when another artefact can not be read', async (t) => {
    const { registry, target, pushSigned, verify } = await scene(t);
    const image = await pushSigned(release);
    const lost = await pushBundle(target, image.digest, Buffer.from('lost'));
    for (const path of [lost.manifest, lost.blob]) {
      registry.setFault(status(503, path));
      assert.equal((await verify(image)).outcome, 'allow');
    }
  });
});

describe('an image without a good signature', () => {
  it('is not called unsigned where a place was not answered: each is named with its code', async (t) => {
    const { registry, pushSigned, verify } = await scene(t);
    const image = await pushSigned();
    registry.setFault(status(403, '.sig', '.att'));
    const { outcome, reasons } = await verify(image);
    assert.deepEqual([outcome, reasons.map(({ code }) => code)], ['inconclusive', ['REGISTRY_UNAUTHORIZED']]);
    const sentence = reasons[0].sentence;
    assert.match(
      sentence,
      /GET manifest sha256-[0-9a-f]{64}\.sig of .*got 403.*; also REGISTRY_UNAUTHORIZED: .*\.att of /,
    );
  });

  for (const code of [415, 501]) {
    it(`is not called unsigned where the referrers API answers ${code}`, async (t) => {
      const { registry, pushSigned, verify } = await scene(t);
      const image = await pushSigned();
      registry.setFault(status(code, '/referrers/'));
      const { outcome, reasons } = await verify(image);
      assert.deepEqual([outcome, reasons[0].code], ['inconclusive', 'REGISTRY_ERROR']);
    });
  }

  it('of another key hears both: the place that may have the right one, and what the other evidence says', async (t) => {
    const { registry, pushSigned, verify } = await scene(t);
    const image = await pushSigned(mallory);
    registry.setFault(status(403, '.sig'));
    const { outcome, reasons } = await verify(image);
    assert.equal(outcome, 'inconclusive');
    assert.deepEqual(
      reasons.map(({ code }) => code),
      ['REGISTRY_UNAUTHORIZED', 'WRONG_KEY'],
    );
  });

  it('of another key is asked for once more when the place that failed may answer yet', async (t) => {
    const { registry, target, pushSigned, verify } = await scene(t);
    const image = await pushSigned(mallory);
    await signByTag(target, image, release);
    registry.setFault({ ...status(503, '.sig'), requests: 1 });
    assert.equal((await verify(image)).outcome, 'allow');
  });

  it('is unsigned when every place says so', async (t) => {
    const { pushSigned, verify } = await scene(t);
    const { outcome, reasons } = await verify(await pushSigned());
    assert.deepEqual([outcome, reasons[0].code], ['deny', 'UNSIGNED']);
  });
});

describe('junk does not change the answer', () => {
  it('of five referrers with an annotation of a megabyte each', async (t) => {
    const { target, pushSigned, verify } = await scene(t);
    const image = await pushSigned(release);
    for (let index = 0; index < 5; index++) {
      const annotations = { junk: `${index}${'x'.repeat(1024 * 1024)}` };
      await pushReferrer(target, image.digest, { artifactType: BUNDLE, layers: [], annotations });
    }
    assert.equal((await verify(image)).outcome, 'allow');
    const unsigned = await pushSigned();
    for (let index = 0; index < 5; index++) {
      const annotations = { junk: `${index}${'y'.repeat(1024 * 1024)}` };
      await pushReferrer(target, unsigned.digest, { artifactType: BUNDLE, layers: [], annotations });
    }
    await signByTag(target, unsigned, release);
    assert.equal((await verify(unsigned)).outcome, 'allow', 'signed under the tag');
  });

  it('of a hundred and twenty signatures of the same kind that were pushed before', async (t) => {
    const { target, pushSigned, verify } = await scene(t);
    const image = await pushSigned();
    for (let index = 0; index < 120; index++) {
      const junk = Buffer.from(`{"junk":${index}}`);
      await pushBundle(target, image.digest, junk, { predicateType: SIGN });
    }
    await pushBundle(target, image.digest, cosignBundle(release, image.digest), { predicateType: SIGN });
    assert.equal((await verify(image)).outcome, 'allow');
  });

  it('of signatures by other keys, in the referrers tag and in newer layers of the tag of cosign', async (t) => {
    const { target, pushSigned, verify } = await scene(t);
    const byTag = await pushSigned();
    const newer = Array.from({ length: 70 }, (_, index) => tagLayer(target, byTag.digest, mallory, String(index)));
    const layers = [tagLayer(target, byTag.digest, release), ...newer];
    await pushCosignTag(target, `${byTag.digest.replace(':', '-')}.sig`, layers);
    assert.equal((await verify(byTag)).outcome, 'allow');
    const listed = await pushSigned();
    const junk = [];
    for (let index = 0; index < 60; index++) {
      junk.push((await pushBundle(target, listed.digest, Buffer.from(`{"i":${index}}`))).manifest);
    }
    const good = await pushBundle(target, listed.digest, cosignBundle(release, listed.digest));
    await pushReferrersTag(target, listed.digest, [...junk, good.manifest]);
    assert.equal((await verify(listed)).outcome, 'allow');
  });

  it('that is no JSON, no manifest or too large at a tag', async (t) => {
    const { target, pushSigned, verify } = await scene(t);
    const image = await pushSigned(release);
    const tag = image.digest.replace(':', '-');
    await pushManifest(target, tag, '<html>');
    await pushManifest(target, `${tag}.sig`, `{"layers":[],"x":"${'x'.repeat(4 * 1024 * 1024)}"}`);
    await pushManifest(target, `${tag}.att`, '{"schemaVersion":2,"layers":"junk"}');
    await pushBlob(target, Buffer.from('x'));
    assert.equal((await verify(image)).outcome, 'allow');
  });
});
