import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { anonymous } from '../../../activities/registry/credentials/credential.ts';
import { configuredEndpoints } from '../../../activities/registry/endpoints/configured-endpoints.ts';
import { findSignatures } from '../../../activities/registry/evidence/signatures.ts';
import { createRegistry } from '../../../activities/registry/registry.ts';
import { type FakeRegistry, startFakeRegistry } from '../../support/registry.ts';
import { pushImage, pushSignatureTag } from '../../support/registry-push.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { newAuthority, startTlsFront, type TlsFront } from '../../support/tls-front.ts';
import { digestOf } from '../../support/verdicts.ts';

const signal = AbortSignal.timeout(60_000);
const REPOSITORY = 'demo/app';

async function fake(t: TestContext): Promise<FakeRegistry> {
  const registry = await startFakeRegistry();
  t.after(() => registry.stop());
  return registry;
}

/** The places of registries as these files say. */
async function configured(t: TestContext, files: Readonly<Record<string, string>>) {
  const folder = await temporaryFolder();
  t.after(() => folder[Symbol.asyncDispose]());
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(folder.path, path, '..'), { recursive: true });
    await writeFile(join(folder.path, path), text);
  }
  return configuredEndpoints([folder.path], []);
}

interface Layout {
  /** The folder below the one of all registries; the front's own name without it. */
  readonly folder?: string;
  /** By which registry the image is named; the front's own name without it. */
  readonly registry?: string;
  readonly toml: (front: TlsFront) => string;
}

const portOf = ({ address }: TlsFront) => address.split(':')[1] ?? '';
const MEANS = 'ca = "ca.crt"\nclient = "client.pem"\n';
const HEADER = (table: string) => `[host.${JSON.stringify(table)}.header]\nx-tenant = "us"\n`;
const own = (url: string, more = '') => `[host.${JSON.stringify(url)}]\n${MEANS}${more}${HEADER(url)}`;

/** In each of them the registry's own host has a table that says how it is reached, and containerd gets through. */
const LAYOUTS: Readonly<Record<string, Layout>> = {
  "containerd's documentation: server, and a table of the same host": {
    toml: (front) => `server = "https://${front.address}"\n${own(`https://${front.address}`)}`,
  },
  'a table without a server': {
    folder: '_default',
    toml: (front) => own(`https://${front.address}`),
  },
  'a server that stands for another name': {
    ...{ registry: 'r.example', folder: 'r.example' },
    toml: (front) => `server = "https://${front.address}"\n${own(`https://${front.address}`)}`,
  },
  'a server without a scheme, and a table with a path': {
    toml: (front) => `server = "${front.address}"\n${own(`https://${front.address}/v2`)}`,
  },
  'a table in another spelling of the address': {
    toml: (front) =>
      `server = "https://${front.address}/"\n${own(`https://[::ffff:127.0.0.1]:${portOf(front)}`, 'skip_verify = true\n')}`,
  },
  'a table in capital letters': {
    ...{ registry: 'r.example', folder: '_default' },
    toml: (front) => `server = "https://localhost:${portOf(front)}"\n${own(`https://LOCALHOST:${portOf(front)}`)}`,
  },
  'a table that may only pull': {
    toml: (front) =>
      `server = "https://${front.address}"\n${own(`https://${front.address}`, 'capabilities = ["pull"]\n')}`,
  },
  'a table that may pull and resolve, after a mirror that is away': {
    toml: (front) =>
      `server = "https://${front.address}"\n[host."http://127.0.0.1:1"]\n${own(`https://${front.address}`, 'capabilities = ["Pull", "resolve"]\n')}`,
  },
  'a server with the means, and a table without any': {
    toml: (front) =>
      `server = "https://${front.address}"\n${MEANS}[header]\nx-tenant = "us"\n[host."https://${front.address}"]\n`,
  },
  'the authority at the server, the rest in the table': {
    toml: (front) =>
      `server = "https://${front.address}"\nca = "ca.crt"\n[host."https://${front.address}"]\nclient = "client.pem"\n${HEADER(`https://${front.address}`)}`,
  },
  'a table of plain HTTP with settings for TLS': {
    toml: (front) => `server = "http://${front.address}"\n${own(`http://${front.address}`)}`,
  },
  'two tables of the same host, of which one may only push': {
    toml: (front) => `[host."http://${front.address}"]\ncapabilities = ["push"]\n${own(`https://${front.address}`)}`,
    folder: '_default',
  },
};

describe("the table of a registry's own host", () => {
  for (const [what, { folder, registry, toml }] of Object.entries(LAYOUTS)) {
    for (const wantsToken of [false, true]) {
      it(`says how all is reached: ${what}${wantsToken ? ', with tokens' : ''}`, async (t) => {
        const origin = await fake(t);
        const target = { address: origin.address, repository: REPOSITORY };
        const image = await pushImage(target, 'v1');
        const tag = await pushSignatureTag(target, image, [Buffer.from('payload')]);
        const front = await startTlsFront(t, origin.address, { wantsClient: true, wantsToken });
        const name = registry ?? front.address;
        const at = `${folder ?? front.address}/`;
        const endpoints = await configured(t, {
          [`${at}hosts.toml`]: toml(front),
          [`${at}ca.crt`]: front.authority,
          [`${at}client.pem`]: front.client + front.clientKey,
        });
        const reader = createRegistry({ endpoints, credentials: anonymous });
        const place = { registry: name, repository: REPOSITORY };
        assert.equal((await reader.getManifest(place, 'v1', signal))?.digest, image);
        assert.equal((await reader.headManifest(place, 'v1', signal))?.digest, image);
        assert.equal(await reader.getManifest(place, 'v2', signal), undefined);
        assert.equal((await reader.listReferrers(place, image, signal))?.complete, true);
        assert.equal(await reader.listTagged(place, `sha256-${image.slice(7)}`, signal), undefined);
        assert.equal(await reader.has(place, 'manifests', tag.manifest, signal), true);
        assert.equal((await reader.getManifest(place, tag.manifest, signal))?.digest, tag.manifest);
        const [blob] = tag.blobs;
        assert.ok(blob !== undefined);
        assert.equal(Buffer.from((await reader.getBlob(place, blob, signal)) ?? []).toString(), 'payload');
        assert.equal(await reader.getBlob(place, digestOf('ab'), signal), undefined);
        const found = await findSignatures(
          reader,
          { name: `${name}/${REPOSITORY}:v1`, digest: image, source: {} },
          signal,
        );
        assert.equal(found.signatures.length, 1);
        assert.ok(front.seen.length > 0 && front.seen.every((tenant) => tenant === 'us'));
        if (name === front.address) assert.ok(front.paths.every((path) => !path.includes('ns=')));
      });
    }
  }

  const read = async (t: TestContext, registry: string, toml: string) =>
    createRegistry({ endpoints: await configured(t, { [`${registry}/hosts.toml`]: toml }), credentials: anonymous });
  const place = { registry: 'r.example', repository: REPOSITORY };

  it('may name a way that does not connect, and then the server is asked, and is believed that there is nothing', async (t) => {
    const origin = await fake(t);
    const image = await pushImage({ address: origin.address, repository: REPOSITORY }, 'v1');
    const toml = `server = "http://${origin.address}"\n[host."https://${origin.address}"]\nskip_verify = true\n`;
    const reader = await read(t, 'r.example', toml);
    assert.equal((await reader.getManifest(place, 'v1', signal))?.digest, image);
    assert.equal(await reader.getManifest(place, 'v2', signal), undefined);
  });

  it('is asked by plain HTTP where its settings for TLS lead to no TLS', async (t) => {
    const origin = await fake(t);
    const image = await pushImage({ address: origin.address, repository: REPOSITORY }, 'v1');
    const url = `http://${origin.address}`;
    const reader = await read(t, 'r.example', `server = "${url}"\n[host."${url}"]\nskip_verify = true\n`);
    assert.equal((await reader.getManifest(place, 'v1', signal))?.digest, image);
    assert.equal(await reader.getManifest(place, 'v2', signal), undefined);
  });

  it('is not overruled by another way that knows less: an error of it stays one', async (t) => {
    const origin = await fake(t);
    const toml = `server = "http://${origin.address}/empty"\n[host."http://${origin.address}/v2/whole"]\noverride_path = true\n`;
    const reader = await read(t, 'r.example', toml);
    origin.setFault({ effect: { kind: 'status', status: 503 }, matches: ({ path }) => path.includes('/whole/') });
    await assert.rejects(reader.getManifest(place, 'v1', signal), { code: 'REGISTRY_ERROR' });
    await assert.rejects(reader.getBlob(place, digestOf('ab'), signal), { code: 'REGISTRY_ERROR' });
    origin.setFault(undefined);
    assert.equal(await reader.getManifest(place, 'v1', signal), undefined);
  });

  it('that is only for pulling from a part of it is a mirror, and another that is a mirror stays one', async (t) => {
    const [origin, mirror] = [await fake(t), await fake(t)];
    const image = await pushImage({ address: mirror.address, repository: REPOSITORY }, 'v1');
    const cache = `[host."http://${origin.address}/v2/cache"]\noverride_path = true\ncapabilities = ["pull"]\n`;
    const toml = `server = "http://${origin.address}"\n${cache}[host."http://${mirror.address}"]\n`;
    const reader = await read(t, 'r.example', toml);
    assert.equal((await reader.getManifest(place, image, signal))?.digest, image);
    assert.equal(await reader.getManifest(place, 'v1', signal), undefined);
    assert.deepEqual(
      origin.requests.map(({ path }) => path.replace(/sha256.*/, 'DIGEST')),
      ['/v2/cache/demo/app/manifests/DIGEST', '/v2/demo/app/manifests/v1?ns=r.example'],
    );
  });

  it('serves Docker Hub under each of its names, and is asked for no other namespace', async (t) => {
    for (const host of ['docker.io', 'registry-1.docker.io', 'index.docker.io', 'registry-1.docker.io:443']) {
      for (const server of ['', 'server = "https://registry-1.docker.io"\n', 'server = "https://docker.io"\n']) {
        const endpoints = await configured(t, {
          'docker.io/hosts.toml': `${server}[host."https://${host}"]\nskip_verify = true\n`,
        });
        const found = await endpoints('docker.io');
        assert.ok(
          found.every((one) => one.origin && one.namespace === undefined && one.tls?.skipVerify === true),
          host,
        );
      }
    }
  });

  it('makes a place one that an operator named, and a folder alone does not', async (t) => {
    const table = '[host."https://LOCALHOST:5000"]\nskip_verify = true\n';
    for (const [toml, ...expected] of [
      [table, 'localhost:5000 true'],
      [`server = "http://localhost:5000"\n${table}`, 'localhost:5000 true'],
      ['server = "localhost:5000"\n', 'localhost:5000 true'],
      ['capabilities = ["pull"]\n', 'localhost:5000 false'],
      ['[host."https://mirror.example"]\n', 'mirror.example true', 'localhost:5000 false'],
    ] as const) {
      const endpoints = await configured(t, { 'localhost:5000/hosts.toml': toml });
      const found = (await endpoints('localhost:5000')).map(({ url, configured: is }) => `${url.host} ${is}`);
      assert.deepEqual([...new Set(found)], expected, toml);
    }
  });

  it('names what it can do in any case, all of it where it names nothing, and nothing that containerd does not know', async (t) => {
    const endpoints = (list: string) =>
      configured(t, {
        'r.example/hosts.toml': `[host."https://m.example"]\ncapabilities = ${list}\n`,
      });
    for (const [list, expected] of [
      ['[]', 2],
      ['["PULL"]', 2],
      ['["referrers"]', 1],
      ['["push", "Resolve"]', 1],
    ] as const) {
      assert.equal((await (await endpoints(list))('r.example')).length, expected, list);
    }
    for (const list of ['["pul"]', '"pull"', '[1]']) {
      await assert.rejects(async () => (await endpoints(list))('r.example'), {
        code: 'REGISTRY_ERROR',
        message: /capabilities: expected a list of/,
      });
    }
  });

  it('is what the certificates of its folder say where hosts.toml is empty, and one file may hold certificate and key', async (t) => {
    const origin = await fake(t);
    const image = await pushImage({ address: origin.address, repository: REPOSITORY }, 'v1');
    const front = await startTlsFront(t, origin.address, { wantsClient: true });
    const name = `localhost:${portOf(front)}`;
    const endpoints = await configured(t, {
      [`${name}/hosts.toml`]: '',
      [`${name}/a.crt`]: front.authority,
      [`${name}/c.cert`]: front.client + front.clientKey,
    });
    const [endpoint] = await endpoints(name);
    assert.ok(endpoint !== undefined);
    const overTls = { ...endpoint, url: new URL(`https://${name}/`) };
    const reader = createRegistry({ endpoints: () => [overTls], credentials: anonymous });
    assert.equal((await reader.getManifest({ registry: name, repository: REPOSITORY }, 'v1', signal))?.digest, image);
  });

  it('says by which authority a token service and a store of blobs are recognised, and is told nothing of us there', async (t) => {
    const origin = await fake(t);
    const target = { address: origin.address, repository: REPOSITORY };
    const image = await pushImage(target, 'v1');
    const authority = newAuthority();
    const helper = await startTlsFront(t, origin.address, { authority, wantsToken: true });
    const realm = () => `https://${helper.address}/token`;
    const front = await startTlsFront(t, origin.address, { authority, wantsClient: true, wantsToken: true, realm });
    const toml = `server = "https://${front.address}"\n${own(`https://${front.address}`)}`;
    const endpoints = await configured(t, {
      'r.example/hosts.toml': toml,
      'r.example/ca.crt': front.authority,
      'r.example/client.pem': front.client + front.clientKey,
    });
    const reader = createRegistry({ endpoints, credentials: anonymous });
    const to = `https://${helper.address}/v2/demo/app/manifests/${image}`;
    origin.setFault({ effect: { kind: 'redirect', to }, matches: ({ path }) => path.endsWith('/v1?ns=r.example') });
    assert.equal((await reader.getManifest(place, 'v1', signal))?.digest, image);
    assert.deepEqual(
      helper.paths.map((path) => path.split('?')[0]),
      ['/token', `/v2/demo/app/manifests/${image}`, '/token', `/v2/demo/app/manifests/${image}`],
    );
    assert.ok(helper.seen.every((tenant) => tenant === undefined));
  });
});
