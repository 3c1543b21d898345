import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { anonymous } from '../../../activities/registry/credentials/credential.ts';
import { createRegistry } from '../../../activities/registry/registry.ts';
import { type FakeRegistry, startFakeRegistry } from '../../support/registry.ts';
import { pushBlob, pushBundle, pushImage } from '../../support/registry-push.ts';
import { sha256 } from '../../support/registry-store.ts';
import { startScriptedServer as server } from '../../support/scripted-server.ts';

const signal = AbortSignal.timeout(60_000);
const body = Buffer.from('{"schemaVersion":2,"layers":[]}');
const digest = sha256(body);

async function fake(t: TestContext): Promise<FakeRegistry> {
  const registry = await startFakeRegistry();
  t.after(() => registry.stop());
  return registry;
}

it('up to ten redirects are followed, and no more', async (t) => {
  for (const [steps, works] of [
    [10, true],
    [11, false],
  ] as const) {
    const { address, asked } = await server(t, ({ path }) => {
      const step = Number(/step=(\d+)/.exec(path)?.[1] ?? 0);
      return step < steps ? { status: 302, headers: { location: `/?step=${step + 1}` } } : { body: body.toString() };
    });
    const registry = createRegistry({ credentials: anonymous });
    const found = registry.getManifest({ registry: address, repository: 'demo/app' }, 'v1', signal);
    if (works) assert.equal((await found)?.digest, digest);
    else await assert.rejects(found, { code: 'REGISTRY_MISBEHAVED', message: /more than 10 redirects/ });
    assert.equal(asked.length, 11);
  }
});

describe('a next page that is named by an absolute URL', () => {
  for (const base of [
    'http://internal.example:5000',
    'https://OWN',
    'http://OWN',
    'http://169.254.169.254',
    '//elsewhere.example',
    'https://user:secret@internal.example',
  ]) {
    it(`is asked at the registry's own origin by its path and query: ${base}`, async (t) => {
      const origin = await fake(t);
      const image = await pushImage({ address: origin.address, repository: 'demo/app' }, 'v2');
      const { manifest } = await pushBundle(
        { address: origin.address, repository: 'demo/app' },
        image,
        Buffer.from('{}'),
      );
      const entry = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: manifest, size: 7 };
      const front = await server(t, ({ path }, own) => {
        const isNext = path.endsWith(`/v2/demo/app/referrers/${image}?n=1&last=a%2Fb`);
        const headers = { 'content-type': 'application/vnd.oci.image.index.v1+json' };
        const link = `<${base.replace('OWN', own)}/v2/demo/app/referrers/${image}?n=1&last=a%2Fb>; rel="next"`;
        return {
          body: JSON.stringify({ schemaVersion: 2, manifests: isNext ? [entry] : [] }),
          headers: { ...headers, ...(!isNext && { link }) },
        };
      });
      const registry = createRegistry({ credentials: anonymous });
      const list = await registry.listReferrers({ registry: front.address, repository: 'demo/app' }, image, signal);
      assert.equal(list?.failure, undefined);
      assert.deepEqual(
        list?.entries.map((one) => one.digest),
        [manifest],
      );
      assert.equal(list?.complete, true);
    });
  }

  it('stays where the list was redirected to', async (t) => {
    const image = await pushBlob({ address: (await fake(t)).address, repository: 'x' }, Buffer.from('x'));
    const headers = { 'content-type': 'application/vnd.oci.image.index.v1+json' };
    const page = JSON.stringify({ schemaVersion: 2, manifests: [] });
    const second = await server(t, ({ path }) => ({
      ...{
        body: page,
        headers:
          path === '/list' ? { ...headers, link: '<http://elsewhere.example/list?page=2>; rel="next"' } : headers,
      },
    }));
    const first = await server(t, () => ({ status: 307, headers: { location: `http://${second.address}/list` } }));
    const registry = createRegistry({ credentials: anonymous });
    const list = await registry.listReferrers({ registry: first.address, repository: 'demo/app' }, image, signal);
    assert.equal(list?.complete, true);
    assert.deepEqual(
      second.asked.map(({ path }) => path),
      ['/list', '/list?page=2'],
    );
  });
});
