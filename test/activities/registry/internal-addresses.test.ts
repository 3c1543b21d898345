import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { LookupFunction } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { EvidenceError } from '../../../activities/evidence-error.ts';
import { createConnections, useConnections } from '../../../activities/http/connections.ts';
import { anonymous } from '../../../activities/registry/credentials/credential.ts';
import { configuredEndpoints } from '../../../activities/registry/endpoints/configured-endpoints.ts';
import { createRegistry, type Registry } from '../../../activities/registry/registry.ts';
import { allowInternal } from '../../support/loopback.ts';
import { startFakeRegistry } from '../../support/registry.ts';
import { pushImage } from '../../support/registry-push.ts';
import { startScriptedServer } from '../../support/scripted-server.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { digestOf } from '../../support/verdicts.ts';

const signal = AbortSignal.timeout(60_000);
const INTERNAL = 'REGISTRY_INTERNAL_ADDRESS';

/** A server on loopback that is not listed and must see no connection, not even one that is closed at once. */
let connected = 0;
const canary = createServer((_, response) => response.end('secret'));
canary.on('connection', () => connected++);
let port: number;
/** Names of this test, and where they lead. */
const names = new Map<string, readonly string[]>();
let own: ReturnType<typeof useConnections>;

const lookup: LookupFunction = (hostname, options, callback) => {
  const addresses = (names.get(hostname) ?? ['127.0.0.1']).map((one) => ({
    address: one,
    family: one.includes(':') ? 6 : 4,
  }));
  const [first] = addresses;
  if (options.all === true || first === undefined) callback(null, addresses);
  else callback(null, first.address, first.family);
};

before(async () => {
  canary.listen(0, '127.0.0.1');
  await once(canary, 'listening');
  const address = canary.address();
  assert.ok(address !== null && typeof address === 'object');
  port = address.port;
  own = useConnections(createConnections(lookup));
});
after(() => {
  useConnections(own);
  canary.closeAllConnections();
  canary.close();
  assert.equal(connected, 0);
});

/** Hosts by which the canary, or another service of this machine or its network, is found. */
const HOSTS: readonly string[] = [
  ...[
    '127.0.0.1:PORT',
    'localhost:PORT',
    'LOCALHOST.:PORT',
    'x.localhost:PORT',
    '0.0.0.0:PORT',
    '0x7f.1:PORT',
    '2130706433:PORT',
    '127.1:PORT',
  ],
  ...[
    '[::1]:PORT',
    '[::]:PORT',
    '[::ffff:127.0.0.1]:PORT',
    '[::ffff:7f00:1]:PORT',
    '[64:ff9b::7f00:1]:PORT',
    '[2002:7f00:1::]:PORT',
  ],
  ...[
    '169.254.169.254',
    '[fe80::1]',
    '[fd00:ec2::254]',
    '10.0.0.1',
    '172.16.0.1:8080',
    '192.168.0.1',
    '100.64.0.1',
    '[fc00::1]',
    '224.0.0.1',
  ],
  ...['rebound.test:PORT', 'private.test', 'metadata.test', 'mapped.test:PORT'],
];
before(() => {
  names.set('rebound.test', ['127.0.0.1']);
  names.set('private.test', ['10.0.0.1', '192.168.0.1']);
  names.set('metadata.test', ['169.254.169.254']);
  names.set('mapped.test', ['::ffff:127.0.0.1']);
});

async function assertRefused(answer: Promise<unknown>, host: string): Promise<void> {
  await assert.rejects(answer, (error: Error) => {
    assert.ok(error instanceof EvidenceError && error.code === INTERNAL && !error.retryable, `${host}: ${error}`);
    assert.match(error.message, /--allow-internal \S+ of portcullis worker/, host);
    // What a name leads to is for those who may look it up.
    if (host.includes('.test')) assert.doesNotMatch(error.message, /127\.0\.0\.1(?!:\d)|10\.0\.0\.1|169\.254/, host);
    return true;
  });
  assert.equal(connected, 0, host);
}

async function registryOf(t: TestContext) {
  const registry = await startFakeRegistry();
  t.after(() => registry.stop());
  const image = await pushImage({ address: registry.address, repository: 'demo/app' }, 'v1');
  return { registry, image, name: { registry: registry.address, repository: 'demo/app' } };
}

type Name = { readonly registry: string; readonly repository: string };

describe('a registry that sends us to an internal address', () => {
  const ASKS: Readonly<Record<string, (reader: Registry, name: Name) => Promise<unknown>>> = {
    tag: (reader, name) => reader.getManifest(name, 'v1', signal),
    'head of a tag': (reader, name) => reader.headManifest(name, 'v1', signal),
    manifest: (reader, name) => reader.getManifest(name, digestOf('ab'), signal),
    blob: (reader, name) => reader.getBlob(name, digestOf('ab'), signal),
    'list of referrers': (reader, name) => reader.listReferrers(name, digestOf('ab'), signal),
  };
  for (const [what, ask] of Object.entries(ASKS)) {
    it(`by a redirect of a ${what} is not followed`, async (t) => {
      const { registry, name } = await registryOf(t);
      for (const host of HOSTS) {
        registry.setFault({
          effect: { kind: 'redirect', to: `http://${host.replace('PORT', String(port))}/admin?x=1` },
        });
        await assertRefused(ask(createRegistry({ credentials: anonymous }), name), host);
      }
    });
  }

  it('by its token service, or by that of a registry to which it redirects, is not followed', async (t) => {
    for (const host of HOSTS) {
      const realm = `http://${host.replace('PORT', String(port))}/token`;
      const second = await startScriptedServer(t, () => ({
        status: 401,
        headers: { 'www-authenticate': `Bearer realm="${realm}"` },
      }));
      const name = { registry: second.address, repository: 'demo/app' };
      await assertRefused(createRegistry({ credentials: anonymous }).getManifest(name, 'v1', signal), host);
      const first = await startScriptedServer(t, () => ({
        status: 307,
        headers: { location: `http://${second.address}/v2/x/manifests/y` },
      }));
      const through = { registry: first.address, repository: 'demo/app' };
      await assertRefused(createRegistry({ credentials: anonymous }).getManifest(through, 'v1', signal), host);
    }
  });

  it('by a detour over other hosts, or in a next page, is not followed', async (t) => {
    const { registry, image, name } = await registryOf(t);
    const to = `http://127.0.0.1:${port}/`;
    const detour = await startScriptedServer(t, () => ({ status: 302, headers: { location: to } }));
    registry.setFault({ effect: { kind: 'redirect', to: `http://${detour.address}/` } });
    await assertRefused(createRegistry({ credentials: anonymous }).getManifest(name, 'v1', signal), to);
    const headers = { 'content-type': 'application/vnd.oci.image.index.v1+json', link: `<${to}v2/>; rel="next"` };
    registry.setFault({ effect: { kind: 'replace', body: Buffer.from('{"manifests":[]}'), headers }, requests: 1 });
    await assert.rejects(createRegistry({ credentials: anonymous }).listReferrers(name, image, signal));
    assert.equal(connected, 0);
  });

  it('is judged by what its URLs say where a proxy looks names up', async (t) => {
    const { registry, name } = await registryOf(t);
    const proxy = await startScriptedServer(t, () => ({ body: '{}' }));
    const before = useConnections(createConnections(lookup, { HTTP_PROXY: `http://${proxy.address}` }));
    t.after(() => useConnections(before));
    for (const host of ['10.0.0.1', '[fc00::1]', '169.254.169.254', `localhost:${port}`]) {
      registry.setFault({ effect: { kind: 'redirect', to: `http://${host}/x` } });
      await assertRefused(createRegistry({ credentials: anonymous }).getManifest(name, 'v1', signal), host);
    }
    assert.deepEqual(proxy.asked, []);
    registry.setFault({ effect: { kind: 'redirect', to: 'http://private.test/x' } });
    await createRegistry({ credentials: anonymous }).getManifest(name, 'v1', signal);
    assert.deepEqual(
      proxy.asked.map(({ path }) => path),
      ['http://private.test/x'],
    );
  });

  it('is followed to its own host and port, and to what is listed', async (t) => {
    const { registry, image, name } = await registryOf(t);
    registry.setFault({
      effect: { kind: 'redirect', to: `http://${registry.address}/v2/demo/app/manifests/${image}` },
      requests: 1,
    });
    assert.equal((await createRegistry({ credentials: anonymous }).getManifest(name, 'v1', signal))?.digest, image);
  });
});

describe('an image whose name leads to an internal address', () => {
  const ALLOWED = /^(?:10|172\.16|192\.168|100\.64|\[fc00|private)/;
  it('is not asked for on this machine or its metadata service', async () => {
    for (const host of HOSTS.filter((one) => !ALLOWED.test(one))) {
      const registry = host.replace('PORT', String(port));
      const reader = createRegistry({ credentials: anonymous, plainHttp: [registry] });
      await assertRefused(reader.getManifest({ registry, repository: 'demo/app' }, 'v1', signal), host);
    }
  });

  it('says what a loopback name means', async () => {
    const registry = `localhost:${port}`;
    const answer = createRegistry({ credentials: anonymous }).getManifest(
      { registry, repository: 'app' },
      'v1',
      signal,
    );
    await assert.rejects(answer, {
      code: INTERNAL,
      message: `GET manifest v1 of ${registry}/app: ${registry} leads to a loopback address (the node itself for containerd, the worker itself for the worker); use a name that leads the worker to the registry, or list it with --allow-internal ${registry} of portcullis worker`,
    });
  });

  it('is asked for where hosts.toml says, wherever that is', async (t) => {
    const folder = await temporaryFolder();
    t.after(() => folder[Symbol.asyncDispose]());
    const { registry, image } = await registryOf(t);
    await mkdir(join(folder.path, 'r.example'));
    const registryPort = registry.address.split(':')[1];
    // Another address of the same server, which is not listed.
    names.set('here.test', ['::ffff:127.0.0.1']);
    await writeFile(join(folder.path, 'r.example', 'hosts.toml'), `server = "http://here.test:${registryPort}"\n`);
    const reader = createRegistry({ endpoints: configuredEndpoints([folder.path], []), credentials: anonymous });
    assert.equal(
      (await reader.getManifest({ registry: 'r.example', repository: 'demo/app' }, 'v1', signal))?.digest,
      image,
    );
  });

  it('is judged at each connection: a name server may change its mind', async (t) => {
    const { registry, image } = await registryOf(t);
    const registryPort = registry.address.split(':')[1];
    allowInternal('127.0.0.1');
    names.set('moving.test', ['127.0.0.1']);
    const name = { registry: `moving.test:${registryPort}`, repository: 'demo/app' };
    const reader = createRegistry({ credentials: anonymous, plainHttp: [name.registry] });
    assert.equal((await reader.getManifest(name, 'v1', signal))?.digest, image);
    await registry.stop();
    names.set('moving.test', ['127.0.0.2']);
    await assert.rejects(reader.getManifest(name, 'v1', signal), { code: INTERNAL });
  });

  it('is asked at the addresses of its name that may be connected to, and at no other', async (t) => {
    const { registry, image } = await registryOf(t);
    const registryPort = registry.address.split(':')[1];
    allowInternal('127.0.0.1');
    names.set('mixed.test', ['127.0.0.2', '169.254.169.254', '127.0.0.1']);
    const name = { registry: `mixed.test:${registryPort}`, repository: 'demo/app' };
    const reader = createRegistry({ credentials: anonymous, plainHttp: [name.registry] });
    assert.equal((await reader.getManifest(name, 'v1', signal))?.digest, image);
  });
});
