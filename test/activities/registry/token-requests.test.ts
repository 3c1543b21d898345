import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { fetchToken } from '../../../activities/registry/authorization/token.ts';
import { anonymous, type Credential } from '../../../activities/registry/credentials/credential.ts';
import type { RegistryEndpoint } from '../../../activities/registry/endpoints/endpoints.ts';
import { createRegistry } from '../../../activities/registry/registry.ts';
import { type FakeRegistry, startFakeRegistry } from '../../support/registry.ts';
import { sha256 } from '../../support/registry-store.ts';
import { startScriptedServer as server } from '../../support/scripted-server.ts';
import { startTlsFront } from '../../support/tls-front.ts';

const signal = AbortSignal.timeout(60_000);
const login = { kind: 'password', username: 'ann', password: 'pass:word' } as const;
const body = Buffer.from('{"schemaVersion":2,"layers":[]}');
const digest = sha256(body);

async function fake(t: TestContext, options = {}): Promise<FakeRegistry> {
  const registry = await startFakeRegistry(options);
  t.after(() => registry.stop());
  registry.store.putManifest('demo/app', 'v1', body, 'application/json');
  return registry;
}

const question = (address: string) => ({
  ...{ realm: new URL(`http://${address}/token`), service: 'fake', scopes: ['repository:demo/app:pull'] },
  registry: { url: new URL(`http://${address}/`) },
});

describe('a token request', () => {
  for (const [credential, method] of [
    [{ kind: 'anonymous' }, 'GET'],
    [login, 'POST'],
    [{ kind: 'identity-token', token: 'refresh' }, 'POST'],
  ] as const) {
    for (const status of [301, 302, 307, 308]) {
      it(`of ${credential.kind} is sent again where a ${status} of the same origin leads`, async (t) => {
        const { address, asked } = await server(t, ({ path }, own) =>
          path.startsWith('/token')
            ? { status, headers: { location: `http://${own}/there?a=b` } }
            : { body: '{"token":"abc"}' },
        );
        assert.equal((await fetchToken(question(address), credential, signal)).value, 'abc');
        assert.deepEqual(
          asked.map((one) => one.method),
          [method, method],
        );
        assert.equal(asked[1]?.path, '/there?a=b');
        assert.equal(asked[1]?.body, asked[0]?.body);
      });
    }
  }

  it('of a password is made by GET where the form is answered with 303', async (t) => {
    const { address, asked } = await server(t, ({ method, path }) =>
      method === 'POST'
        ? { status: 303, headers: { location: '/there' } }
        : path.startsWith('/token')
          ? { body: '{"token":"abc"}' }
          : { status: 500 },
    );
    assert.equal((await fetchToken(question(address), login, signal)).value, 'abc');
    assert.deepEqual(
      asked.map(({ method, authorization }) => `${method} ${authorization?.slice(0, 5)}`),
      ['POST undefined', 'GET Basic'],
    );
  });

  for (const credential of [{ kind: 'anonymous' }, login] as const) {
    for (const to of ['http://OTHER/token', '//OTHER/token']) {
      it(`of ${credential.kind} does not follow to another origin: ${to}`, async (t) => {
        const other = await server(t, () => ({ body: '{"token":"abc"}' }));
        const location = to.replace('OTHER', other.address);
        const { address } = await server(t, () => ({ status: 307, headers: { location } }));
        await assert.rejects(fetchToken(question(address), credential, signal), { code: 'REGISTRY_ERROR' });
        assert.equal(other.asked.length, 0);
      });
    }
  }

  for (const [answer, value] of [
    ['{"token":"","access_token":"abc"}', 'abc'],
    ['{"token":null,"access_token":"abc"}', 'abc'],
    ['{"access_token":"abc"}', 'abc'],
    ['{"token":"abc","access_token":""}', 'abc'],
    ['{"token":"one","access_token":"two"}', 'one'],
  ] as const) {
    it(`is answered by ${answer}`, async (t) => {
      const { address } = await server(t, () => ({ body: answer }));
      assert.equal((await fetchToken(question(address), { kind: 'anonymous' }, signal)).value, value);
    });
  }

  for (const answer of ['{"token":"","access_token":""}', '{"token":7,"access_token":"abc"}', '{"token":""}']) {
    it(`is not answered by ${answer}`, async (t) => {
      const { address } = await server(t, () => ({ body: answer }));
      await assert.rejects(fetchToken(question(address), { kind: 'anonymous' }, signal), {
        code: 'REGISTRY_MISBEHAVED',
      });
    });
  }
});

describe("a realm that is named with http: on the registry's own host", () => {
  /** A registry behind TLS whose challenge names this realm. */
  async function registryOf(t: TestContext, realm: (address: string) => string, credential: Credential) {
    const origin = await fake(t);
    const front = await startTlsFront(t, origin.address, { wantsToken: true, realm });
    const tls = { authorities: [front.authority], clients: [], skipVerify: false };
    const endpoint: RegistryEndpoint = { url: new URL(`https://${front.address}/`), origin: true, tls };
    const registry = createRegistry({ endpoints: () => [endpoint], credentials: async () => credential });
    const read = async () =>
      (await registry.getManifest({ registry: 'r.example', repository: 'demo/app' }, 'v1', signal))?.digest;
    return { read, front };
  }

  for (const credential of [{ kind: 'anonymous' }, login] as const) {
    for (const realm of ['http://FRONT/token', 'http://127.0.0.1/token', 'http://127.0.0.1:80/token']) {
      it(`is asked by https first: ${realm} (${credential.kind})`, async (t) => {
        const { read, front } = await registryOf(t, (address) => realm.replace('FRONT', address), credential);
        assert.equal(await read(), digest);
        assert.ok(front.paths.some((path) => path.startsWith('/token')));
      });
    }
  }

  it('is asked by http where https gives no token and there is no secret', async (t) => {
    const plain = await server(t, () => ({ body: '{"token":"t"}' }));
    const { read } = await registryOf(t, () => `http://${plain.address}/token`, { kind: 'anonymous' });
    assert.equal(await read(), digest);
    assert.deepEqual(
      plain.asked.map(({ method, authorization }) => [method, authorization]),
      [['GET', undefined]],
    );
  });

  for (const credential of [login, { kind: 'identity-token', token: 'refresh' }] as const) {
    it(`is never sent a secret by http (${credential.kind})`, async (t) => {
      const plain = await server(t, () => ({ body: '{"token":"t"}' }));
      const { read } = await registryOf(t, () => `http://${plain.address}/token`, credential);
      await assert.rejects(read(), (error: Error) => {
        assert.match(error.message, /token service with http:/);
        assert.doesNotMatch(error.message, /ann|pass:word|refresh/);
        return true;
      });
      assert.deepEqual(plain.asked, []);
    });
  }

  it('is refused on any other host, without a secret as well', async (t) => {
    const plain = await server(t, () => ({ body: '{"token":"t"}' }));
    const realm = () => `http://${plain.address.replace('127.0.0.1', 'localhost')}/token`;
    const { read } = await registryOf(t, realm, { kind: 'anonymous' });
    await assert.rejects(read(), { code: 'REGISTRY_MISBEHAVED' });
    assert.deepEqual(plain.asked, []);
  });
});

describe('a registry that redirects to a second one with a challenge of its own', () => {
  for (const firstAuth of [{ kind: 'none' }, { ...login, kind: 'basic' }, { ...login, kind: 'bearer' }] as const) {
    it(`is read, and the second one sees no credential (${firstAuth.kind})`, async (t) => {
      const second = await fake(t, { auth: { kind: 'bearer' } });
      const first = await fake(t, { auth: firstAuth });
      const registry = createRegistry({ credentials: async () => login });
      const name = { registry: first.address, repository: 'demo/app' };
      first.setFault({
        effect: { kind: 'redirect', to: `http://${second.address}/v2/demo/app/manifests/v1` },
        matches: ({ path }) =>
          path.includes('/manifests/') &&
          (firstAuth.kind === 'none' || first.requests.at(-1)?.authorization !== undefined),
      });
      assert.equal((await registry.getManifest(name, 'v1', signal))?.digest, digest);
      assert.deepEqual(
        second.requests.map(({ method, path, authorization }) => [method, path.split('?')[0], authorization]),
        [
          ['GET', '/v2/demo/app/manifests/v1', undefined],
          ['GET', '/token', undefined],
          ['GET', '/v2/demo/app/manifests/v1', 'Bearer fake-token-1'],
        ],
      );
      const scopes = new URL(second.requests[1]?.path ?? '', 'http://x').searchParams.getAll('scope');
      assert.deepEqual(scopes, ['repository:demo/app:pull']);
    });
  }

  it('is asked for the repository that the second one names, to pull and no more', async (t) => {
    const second = await server(t, ({ path, authorization }, own) => {
      if (path.startsWith('/token')) return { body: '{"token":"abc"}' };
      if (authorization === 'Bearer abc') return { body: body.toString() };
      return {
        status: 401,
        headers: {
          'www-authenticate': `Bearer realm="http://${own}/token",scope="repository:mirror/demo/app:pull,push registry:catalog:*"`,
        },
      };
    });
    const first = await fake(t);
    first.setFault({ effect: { kind: 'redirect', to: `http://${second.address}/v2/x/manifests/v1` } });
    const registry = createRegistry({ credentials: anonymous });
    const found = await registry.getManifest({ registry: first.address, repository: 'demo/app' }, 'v1', signal);
    assert.equal(found?.digest, digest);
    const asked = second.asked.find(({ path }) => path.startsWith('/token'));
    assert.deepEqual(new URL(asked?.path ?? '', 'http://x').searchParams.getAll('scope'), [
      'repository:mirror/demo/app:pull',
    ]);
  });

  it('is unauthorized when the second one wants a password', async (t) => {
    const second = await fake(t, { auth: { kind: 'basic', username: 'ann', password: 'pass:word' } });
    const first = await fake(t);
    first.setFault({ effect: { kind: 'redirect', to: `http://${second.address}/v2/demo/app/manifests/v1` } });
    const registry = createRegistry({ credentials: async () => login });
    const name = { registry: first.address, repository: 'demo/app' };
    await assert.rejects(registry.getManifest(name, 'v1', signal), { code: 'REGISTRY_UNAUTHORIZED' });
    assert.deepEqual(
      second.requests.map(({ authorization }) => authorization),
      [undefined],
    );
  });

  it('ends when each one sends us to another', async (t) => {
    const second = await server(t, ({ path }, own) => {
      if (path.startsWith('/token')) return { body: '{"token":"abc"}' };
      return { status: 401, headers: { 'www-authenticate': `Bearer realm="http://${own}/token"` } };
    });
    const first = await fake(t);
    first.setFault({ effect: { kind: 'redirect', to: `http://${second.address}/v2/demo/app/manifests/v1` } });
    const registry = createRegistry({ credentials: anonymous });
    const name = { registry: first.address, repository: 'demo/app' };
    await assert.rejects(registry.getManifest(name, 'v1', signal), { code: 'REGISTRY_UNAUTHORIZED' });
    assert.equal(second.asked.length, 3);
  });
});
