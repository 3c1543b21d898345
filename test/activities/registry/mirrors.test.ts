import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { anonymous } from '../../../activities/registry/credentials/credential.ts';
import { configuredEndpoints } from '../../../activities/registry/endpoints/configured-endpoints.ts';
import { findSignatures } from '../../../activities/registry/evidence/signatures.ts';
import { createRegistry } from '../../../activities/registry/registry.ts';
import { type FakeRegistry, startFakeRegistry } from '../../support/registry.ts';
import { pushImage } from '../../support/registry-push.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { startTlsFront } from '../../support/tls-front.ts';
import { digestOf } from '../../support/verdicts.ts';

const signal = AbortSignal.timeout(60_000);
const NAME = { registry: 'r.example', repository: 'demo/app' };

async function fake(t: TestContext): Promise<FakeRegistry> {
  const registry = await startFakeRegistry();
  t.after(() => registry.stop());
  return registry;
}

/** A reader with these files in its folder of registries. */
async function reader(t: TestContext, files: Readonly<Record<string, string>>, plainHttp: readonly string[] = []) {
  const folder = await temporaryFolder();
  t.after(() => folder[Symbol.asyncDispose]());
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(folder.path, path, '..'), { recursive: true });
    await writeFile(join(folder.path, path), text);
  }
  const endpoints = configuredEndpoints([join(folder.path, 'none'), folder.path], plainHttp);
  return { ...createRegistry({ endpoints, credentials: anonymous }), endpoints, folder: folder.path };
}

const hosts = (origin: string, mirror: string, more = '') =>
  `server = "http://${origin}"\n[host."http://${mirror}"]\ncapabilities = ["pull"]\n${more}`;

describe('a registry with a mirror', () => {
  it('gives content by its digest from the mirror, which is told whose it is', async (t) => {
    const [mirror, origin] = [await fake(t), await fake(t)];
    const registry = await reader(t, {
      'r.example/hosts.toml': hosts(origin.address, mirror.address),
    });
    const image = await pushImage({ address: mirror.address, repository: 'demo/app' }, 'v1');
    assert.equal((await registry.getManifest(NAME, image, signal))?.digest, image);
    assert.equal(origin.requests.length, 0);
    assert.match(mirror.requests.at(-1)?.path ?? '', /\/v2\/demo\/app\/manifests\/sha256:[0-9a-f]+\?ns=r\.example$/);
  });

  for (const [what, break_] of [
    ['does not have it', () => {}],
    ['fails', (mirror: FakeRegistry) => mirror.setFault({ effect: { kind: 'status', status: 503 } })],
    ['refuses', (mirror: FakeRegistry) => mirror.setFault({ effect: { kind: 'status', status: 403 } })],
    [
      'answers with other bytes',
      (mirror: FakeRegistry) => mirror.setFault({ effect: { kind: 'replace', body: Buffer.from('{}') } }),
    ],
    ['is down', (mirror: FakeRegistry) => mirror.stop()],
  ] as const) {
    it(`gives it all the same when the mirror ${what}`, async (t) => {
      const [mirror, origin] = [await fake(t), await fake(t)];
      const registry = await reader(t, { 'r.example/hosts.toml': hosts(origin.address, mirror.address) });
      const image = await pushImage({ address: origin.address, repository: 'demo/app' }, 'v1');
      await break_(mirror);
      assert.equal((await registry.getManifest(NAME, image, signal))?.digest, image);
      assert.equal(await registry.getManifest(NAME, digestOf('ab'), signal).catch(String), undefined);
    });
  }

  it('tells by itself alone which tags and referrers there are: a mirror may be old, and one that is there proves nothing', async (t) => {
    const [mirror, origin] = [await fake(t), await fake(t)];
    const registry = await reader(t, { 'r.example/hosts.toml': hosts(origin.address, mirror.address) });
    await pushImage({ address: mirror.address, repository: 'demo/app' }, 'old');
    const image = await pushImage({ address: origin.address, repository: 'demo/app' }, 'v1');
    assert.equal(await registry.getManifest(NAME, 'old', signal), undefined);
    assert.equal((await registry.headManifest(NAME, 'v1', signal))?.digest, image);
    const request = { name: 'r.example/demo/app:v1', digest: image, source: {} };
    assert.deepEqual((await findSignatures(registry, request, signal)).signatures, []);
    assert.ok(mirror.requests.every(({ method, path }) => method !== 'GET' || !/referrers|tags|\.sig|old/.test(path)));
    origin.setFault({ effect: { kind: 'status', status: 503 } });
    await assert.rejects(findSignatures(registry, request, signal), { code: 'REGISTRY_ERROR' });
    await assert.rejects(registry.getManifest(NAME, digestOf('cd'), signal), { code: 'REGISTRY_ERROR' });
  });

  it('is found by its name with a port, by _default, and in the first folder that knows it', async (t) => {
    const registry = await reader(t, {
      'a.example_5000_/hosts.toml': 'server = "https://one.example"',
      'b.example:5000/hosts.toml': 'server = "https://two.example"',
      '_default/hosts.toml': '[host."https://mirror.example/cache"]\noverride_path = true\n',
    });
    const urls = async (name: string) =>
      (await registry.endpoints(name)).map(({ url, origin, namespace }) => `${url.href} ${origin} ${namespace}`);
    assert.deepEqual(await urls('a.example:5000'), ['https://one.example/ true a.example:5000']);
    assert.deepEqual(await urls('b.example:5000'), ['https://two.example/ true b.example:5000']);
    assert.deepEqual(await urls('docker.io'), [
      'https://mirror.example/cache false docker.io',
      'https://registry-1.docker.io/ true undefined',
    ]);
    assert.deepEqual(await configuredEndpoints([], ['p.example'])('p.example'), [
      { url: new URL('http://p.example/'), origin: true },
    ]);
  });

  it('is found by a folder in another spelling of its name, after those that containerd looks for', async (t) => {
    const registry = await reader(t, {
      'A.Example:05000/hosts.toml': 'server = "https://one.example"',
      'b.example:443/hosts.toml': 'server = "https://two.example"',
      'C.EXAMPLE_0443_/hosts.toml': 'server = "https://three.example"',
      'D.example/hosts.toml': 'server = "https://other.example"',
      'd.example/hosts.toml': 'server = "https://four.example"',
      'registry-1.docker.io/hosts.toml': 'server = "https://other.example"',
      'node/hosts.toml': 'server = "https://five.example"',
      '_default/hosts.toml': 'server = "https://default.example"',
    });
    const found = async (name: string) => (await registry.endpoints(name)).map(({ url }) => url.host).join();
    const expected: Readonly<Record<string, string>> = {
      ...{ 'a.example:5000': 'one.example', 'b.example': 'two.example', 'c.example': 'three.example' },
      ...{ 'd.example': 'four.example', 'node:443': 'five.example' },
      ...{ 'a.example': 'default.example', 'b.example:80': 'default.example', 'docker.io': 'default.example' },
    };
    for (const [name, host] of Object.entries(expected)) assert.equal(await found(name), host, name);
  });

  it('is an inability, with file and key, when its folder says what can not be honoured', async (t) => {
    const registry = await reader(t, {
      'r.example/hosts.toml': '[host."https://a.example"]\nmirror = true\n',
      's.example/hosts.toml': 'ca = "none.crt"\n',
      't.example/hosts.toml': 'ca = "junk.crt"\n',
      't.example/junk.crt': 'no certificate',
      'u.example/hosts.toml': `# ${'x'.repeat(1024 * 1024)}`,
    });
    for (const [name, message] of [
      ['r.example', /r\.example\/hosts\.toml: host\."https:\/\/a\.example"\.mirror: expected one of/],
      ['s.example', /none\.crt: expected PEM, found no file/],
      ['t.example', /junk\.crt: expected PEM, found something else/],
      ['u.example', /hosts\.toml: expected at most 1048576 bytes/],
    ] as const) {
      await assert.rejects(registry.getManifest({ ...NAME, registry: name }, 'v1', signal), {
        code: 'REGISTRY_ERROR',
        message,
      });
    }
    await symlink('/', join(registry.folder, 'v.example'));
    assert.equal((await registry.endpoints('v.example')).length, 1);
    assert.equal((await registry.endpoints('..')).length, 1);
  });
});

describe('a registry behind TLS of its own', () => {
  it('is recognised by its authority, sees our certificate and our header, and is nobody without them', async (t) => {
    const origin = await fake(t);
    const image = await pushImage({ address: origin.address, repository: 'demo/app' }, 'v1');
    const tls = await startTlsFront(t, origin.address, { wantsClient: true });
    const server = `server = "https://${tls.address}"\n`;
    const files = { 'r.example/a.crt': tls.authority, 'r.example/c.pem': `${tls.client}${tls.clientKey}` };
    const whole = await reader(t, {
      ...files,
      'r.example/hosts.toml': `${server}ca = "a.crt"\nclient = "c.pem"\n[header]\nx-tenant = "us"\n`,
    });
    assert.equal((await whole.getManifest(NAME, 'v1', signal))?.digest, image);
    assert.deepEqual(await whole.listReferrers(NAME, image, signal), { complete: true, entries: [], unreadable: 0 });
    assert.equal(await whole.getManifest(NAME, 'v2', signal), undefined);
    assert.ok(tls.seen.length > 0 && tls.seen.every((tenant) => tenant === 'us'));
    for (const less of ['', 'ca = "a.crt"\n', 'client = "c.pem"\n']) {
      const part = await reader(t, { ...files, 'r.example/hosts.toml': server + less });
      await assert.rejects(part.getManifest(NAME, 'v1', signal), { code: 'REGISTRY_UNREACHABLE' });
    }
  });

  it('is recognised by the certificates of a folder of docker, and by none where the operator says so', async (t) => {
    const origin = await fake(t);
    const image = await pushImage({ address: origin.address, repository: 'demo/app' }, 'v1');
    const tls = await startTlsFront(t, origin.address, { wantsClient: true });
    const files = { 'ca.crt': tls.authority, 'client.cert': tls.client, 'client.key': tls.clientKey };
    const folder = `${tls.address.replace(':', '_')}_`;
    // A loopback host would be spoken to by plain HTTP; its server line alone says otherwise.
    const docker = await reader(
      t,
      Object.fromEntries(Object.entries(files).map(([name, text]) => [`${folder}/${name}`, text])),
    );
    const [endpoint] = await docker.endpoints(tls.address);
    assert.deepEqual(endpoint?.tls?.authorities, [tls.authority]);
    assert.deepEqual(endpoint?.tls?.clients, [{ certificate: tls.client, key: tls.clientKey }]);
    const open = await startTlsFront(t, origin.address);
    const careless = await reader(t, {
      'r.example/hosts.toml': `server = "https://${open.address}"\nskip_verify = true\n`,
    });
    assert.equal((await careless.getManifest(NAME, 'v1', signal))?.digest, image);
  });

  it('keeps its header and its certificate to itself when it redirects elsewhere', async (t) => {
    const [origin, elsewhere] = [await fake(t), await fake(t)];
    const tls = await startTlsFront(t, origin.address);
    const registry = await reader(t, {
      'r.example/a.crt': tls.authority,
      'r.example/hosts.toml': `server = "https://${tls.address}"\nca = "a.crt"\n[header]\nx-tenant = "us"\n`,
    });
    origin.setFault({
      effect: {
        kind: 'status',
        status: 307,
        headers: { location: `http://${elsewhere.address}/v2/demo/app/manifests/v1` },
      },
    });
    await assert.rejects(registry.getManifest(NAME, 'v1', signal), {
      code: 'REGISTRY_MISBEHAVED',
      message: /redirect to https/,
    });
    assert.equal(elsewhere.requests.length, 0);
  });
});
