import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { createConnections, useConnections } from '../../../activities/http/connections.ts';
import { createNameLookup } from '../../../activities/http/name-lookup.ts';
import { send } from '../../../activities/http/transport.ts';
import { anonymous } from '../../../activities/registry/credentials/credential.ts';
import { findSignatures } from '../../../activities/registry/evidence/signatures.ts';
import { createRegistry } from '../../../activities/registry/registry.ts';
import { httpMirror } from '../../../activities/trust/tuf/mirror.ts';
import { allowInternal } from '../../support/loopback.ts';
import { startNameServer, type TestNameServer } from '../../support/name-server.ts';
import { type FakeRegistry, type FakeRegistryOptions, startFakeRegistry } from '../../support/registry.ts';
import { pushBundle, pushImage } from '../../support/registry-push.ts';
import { digestOf } from '../../support/verdicts.ts';

allowInternal('127.0.0.0/8');

let names: TestNameServer;
let own: ReturnType<typeof useConnections>;

before(async () => {
  names = await startNameServer((name) => (name.startsWith('good') ? ['127.0.0.1'] : 'silence'));
  const none = { hostsFile: '/nonexistent', resolvConf: '/nonexistent' };
  own = useConnections(createConnections(createNameLookup({ servers: [names.address], ...none })));
});
after(async () => {
  useConnections(own);
  await names.stop();
});

async function start(t: TestContext, options: FakeRegistryOptions = {}): Promise<FakeRegistry> {
  const fake = await startFakeRegistry(options);
  t.after(() => fake.stop());
  return fake;
}

/** A signed image of a registry that is reached by a name which only DNS knows. */
async function signed(fake: FakeRegistry) {
  const port = fake.address.split(':')[1];
  const target = { address: fake.address, repository: 'demo/app' };
  const digest = await pushImage(target, 'v1');
  await pushBundle(target, digest, Buffer.from('{}'));
  return { name: `good.registry.test:${port}/demo/app:v1`, digest, plainHttp: `good.registry.test:${port}` };
}

/** 60 verifications against a registry that answers in its own way; they are over when the test is. */
function flood(hostile: FakeRegistry, digest: Parameters<typeof findSignatures>[1]['digest']): Promise<unknown> {
  const registry = createRegistry({ credentials: anonymous });
  const name = `${hostile.address}/demo/app:v1`;
  return Promise.allSettled(
    Array.from({ length: 60 }, () =>
      findSignatures(registry, { name, digest, source: {} }, AbortSignal.timeout(4_000)),
    ),
  );
}

async function assertQuick(t: TestContext, hostile: FakeRegistry, digest: Parameters<typeof flood>[1]): Promise<void> {
  const { plainHttp, ...image } = await signed(await start(t));
  const registry = () => createRegistry({ credentials: anonymous, plainHttp: [plainHttp] });
  const request = { ...image, source: {} };
  const flooding = flood(hostile, digest);
  await new Promise((resolve) => setTimeout(resolve, 200));
  for (let round = 0; round < 10; round++) {
    const before = performance.now();
    const found = await findSignatures(registry(), request, AbortSignal.timeout(2_000));
    assert.equal(found.signatures.length, 1);
    const took = performance.now() - before;
    assert.ok(took < 1_500, `the signed image took ${took} ms`);
  }
  await flooding;
}

describe('a registry whose names no name server answers', () => {
  for (const [what, part] of [
    ['blobs', '/blobs/'],
    ['manifests and tags', '/manifests/'],
    ['lists of referrers', '/referrers/'],
  ] as const) {
    it(`delays no other registry by its redirects of ${what}`, async (t) => {
      const hostile = await start(t);
      const target = { address: hostile.address, repository: 'demo/app' };
      const digest = await pushImage(target, 'v1');
      await pushBundle(target, digest, Buffer.from('{"hostile":true}'));
      let count = 0;
      hostile.setFault({
        get effect() {
          return { kind: 'redirect', to: `http://n${count++}.silent.test/elsewhere` } as const;
        },
        matches: ({ path }) => path.includes(part),
      });
      const before = names.asked.length;
      await assertQuick(t, hostile, digest);
      const silent = names.asked.slice(before).filter((name) => name.endsWith('.silent.test'));
      assert.ok(silent.length > 20, `only ${silent.length} names were looked up, so nothing was shown`);
    });
  }

  it('delays no other registry by the token service that it names', async (t) => {
    const hostile = await start(t, { auth: { kind: 'bearer', realm: 'http://token.silent.test/token' } });
    await assertQuick(t, hostile, digestOf('ab'));
  });
});

describe('a registry that redirects everything to another one, as registry.k8s.io does', () => {
  it('has the signatures that are found there, and gives it no credentials', async (t) => {
    const behind = await start(t);
    const front = await start(t);
    const target = { address: behind.address, repository: 'demo/app' };
    const digest = await pushImage(target, 'v1');
    const { blob } = await pushBundle(target, digest, Buffer.from('{"signed":true}'));
    let path = '';
    front.setFault({
      get effect() {
        return { kind: 'redirect', to: `http://${behind.address}${path}`, status: 307 } as const;
      },
      matches: (request) => {
        path = request.path;
        return request.path !== '/v2/';
      },
    });
    const credentials = async () => ({ kind: 'password', username: 'robot', password: 'secret' }) as const;
    const registry = createRegistry({ credentials });
    const name = `${front.address}/demo/app:v1`;
    const found = await findSignatures(registry, { name, digest, source: {} }, AbortSignal.timeout(5_000));
    assert.deepEqual(
      found.signatures.map((signature) => signature.blob),
      [blob],
    );
    assert.ok(behind.requests.every(({ authorization }) => authorization === undefined));
  });
});

describe('every client of a worker', () => {
  it('looks names up in the same way: logs and key managers, and mirrors of trust roots', async () => {
    const request = {
      what: 'GET x',
      method: 'GET',
      url: new URL('http://log.silent.test/'),
      redirects: 'none',
    } as const;
    const start = performance.now();
    await assert.rejects(send(request, AbortSignal.timeout(10_000)), { code: 'REGISTRY_TIMEOUT' });
    const mirror = httpMirror(new URL('http://tuf.silent.test/'));
    await assert.rejects(mirror.get('root.json', 1, AbortSignal.timeout(10_000)), /ETIMEOUT/);
    assert.ok(performance.now() - start < 8_000);
    for (const name of ['log.silent.test', 'tuf.silent.test']) assert.ok(names.asked.includes(name), name);
  });
});
