import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { RELEASE_KEY } from '../../infra/stack/house.ts';
import { type PushedImage, pushImage } from '../support/image.ts';
import { assertAllowed, assertRefused, startTestHouse, type TestHouse } from '../support/pull.ts';
import { type FakeRegistry, startFakeRegistry } from '../support/registry.ts';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

let registry: FakeRegistry;
let house: TestHouse;
before(async () => {
  registry = await startFakeRegistry();
  house = await startTestHouse({ registry });
  await house.cosign.generateKeyPair('mallory');
});
after(() => house.stop());

/** An image like no other. */
function push(repository: string): Promise<PushedImage> {
  return pushImage({ registry: registry.address, repository, tag: 'v1', files: { unique: randomUUID() } });
}

function byDigest(image: PushedImage): string {
  return `${image.name.replace(/:v1$/, '')}@${image.digest}`;
}

/** Puts bytes where cosign 2 keeps the signatures of an image. */
async function putSignatureManifest(image: PushedImage, bytes: Uint8Array | string): Promise<void> {
  const tag = `${image.digest.replace(':', '-')}.sig`;
  const path = image.name.replace(`${registry.address}/`, '').replace(/:v1$/, '');
  const url = `http://${registry.address}/v2/${path}/manifests/${tag}`;
  const answer = await fetch(url, { method: 'PUT', body: bytes, headers: { 'content-type': MANIFEST } });
  assert.equal(answer.status, 201);
}

describe('an image', () => {
  for (const format of ['bundle', 'simple-signing'] as const) {
    it(`is allowed with a ${format} signature of real cosign, by tag and by digest`, async () => {
      const image = await push(`demo/signed-${format}`);
      await house.cosign.sign(byDigest(image), RELEASE_KEY, format);
      assertAllowed(await house.pull(image.name, image.digest));
      assertAllowed(await house.pull(byDigest(image), image.digest));
      assert.equal(await house.cosign.verifies(byDigest(image), RELEASE_KEY), true);
    });

    it(`is refused with a ${format} signature that was moved from another image`, async () => {
      const [signed, other] = [await push(`demo/moved-${format}`), await push(`demo/moved-${format}`)];
      await house.cosign.sign(byDigest(signed), RELEASE_KEY, format);
      const place = format === 'bundle' ? '' : '.sig';
      const path = signed.name.replace(`${registry.address}/`, '').replace(/:v1$/, '');
      const stolen = await readSignature(path, signed.digest, place);
      await putSignature(path, stolen, other.digest, place);
      assertRefused(await house.pull(other.name, other.digest), 'SUBJECT_MISMATCH');
    });
  }

  it('is refused without a signature', async () => {
    const image = await push('demo/unsigned');
    assertRefused(await house.pull(image.name, image.digest), 'UNSIGNED');
  });

  it("is refused with somebody else's signature", async () => {
    const image = await push('demo/wrong-key');
    await house.cosign.sign(byDigest(image), 'mallory');
    assertRefused(await house.pull(image.name, image.digest), 'WRONG_KEY');
  });

  it('is allowed when junk lies beside a good signature', async () => {
    const image = await push('demo/junk');
    await house.cosign.sign(byDigest(image), RELEASE_KEY);
    await house.cosign.sign(byDigest(image), 'mallory');
    await putSignatureManifest(image, '{"schemaVersion":2,"layers":"junk"}');
    assertAllowed(await house.pull(image.name, image.digest));
  });

  it('is refused when the signature manifest is truncated', async () => {
    const image = await push('demo/truncated');
    await putSignatureManifest(image, '{"schemaVersion":2,"mediaType":"appl');
    const run = await house.pull(image.name, image.digest);
    assertRefused(run, 'EVIDENCE_MALFORMED');
  });

  it('is refused when the signature manifest is larger than any manifest', async () => {
    const image = await push('demo/oversized');
    await putSignatureManifest(image, JSON.stringify({ schemaVersion: 2, junk: 'x'.repeat(5 * 1024 * 1024) }));
    const run = await house.pull(image.name, image.digest);
    assertRefused(run, 'EVIDENCE_TOO_LARGE');
  });

  it('is refused when no policy matches its name', async () => {
    const image = await push('elsewhere/app');
    await house.cosign.sign(byDigest(image), RELEASE_KEY);
    assertRefused(await house.pull(image.name, image.digest), 'NO_MATCHING_POLICY');
  });

  const malformed = ['', 'UPPER/case', 'a b', '../../etc', 'app:tag:tag', 'app@sha256:short', `${'x'.repeat(600)}`];
  for (const name of malformed) {
    it(`is refused under the name ${JSON.stringify(name.slice(0, 20))}`, async () => {
      assertRefused(await house.pull(name, `sha256:${'ab'.repeat(32)}`), 'REQUEST_INVALID');
    });
  }
});

/** A signature manifest as it lies in the registry, as the referrer of an image or under its tag. */
async function readSignature(path: string, digest: string, place: string): Promise<Record<string, unknown>> {
  const base = `http://${registry.address}/v2/${path}`;
  if (place !== '') return await getJson(`${base}/manifests/${digest.replace(':', '-')}${place}`);
  const { manifests } = await getJson(`${base}/referrers/${digest}`);
  assert.ok(Array.isArray(manifests) && manifests.length === 1);
  return await getJson(`${base}/manifests/${manifests[0].digest}`);
}

async function putSignature(
  path: string,
  manifest: Record<string, unknown>,
  digest: string,
  place: string,
): Promise<void> {
  const subject = { ...(manifest['subject'] as object | undefined), digest };
  const moved = JSON.stringify(place === '' ? { ...manifest, subject } : manifest);
  const reference =
    place === '' ? `sha256:${createHash('sha256').update(moved).digest('hex')}` : `${digest.replace(':', '-')}${place}`;
  const answer = await fetch(`http://${registry.address}/v2/${path}/manifests/${reference}`, {
    method: 'PUT',
    body: moved,
    headers: { 'content-type': MANIFEST },
  });
  assert.equal(answer.status, 201);
}

async function getJson(url: string): Promise<Record<string, unknown>> {
  const answer = await fetch(url, { headers: { accept: MANIFEST } });
  assert.equal(answer.status, 200, url);
  return JSON.parse(await answer.text());
}
