import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Authorizer } from '../../../activities/registry/authorization/authorizer.ts';
import { anonymous, type Credential } from '../../../activities/registry/credentials/credential.ts';
import { createRegistry } from '../../../activities/registry/registry.ts';
import { type FakeRegistry, startFakeRegistry } from '../../support/registry.ts';
import type { RegistryAuth } from '../../support/registry-auth.ts';
import { sha256 } from '../../support/registry-store.ts';

const signal = AbortSignal.timeout(60_000);
const body = Buffer.from('{"schemaVersion":2,"layers":[]}');
const login = { username: 'ann', password: 'pass:word' };
const password: Credential = { kind: 'password', ...login };

async function withRegistry(
  auth: RegistryAuth,
  credential: Credential,
  run: (house: { fake: FakeRegistry; read: (repository?: string) => Promise<string | undefined> }) => Promise<void>,
): Promise<void> {
  const fake = await startFakeRegistry({ auth });
  for (const repository of ['demo/app', 'demo/other'])
    fake.store.putManifest(repository, 'v1', body, 'application/json');
  const registry = createRegistry({ credentials: async () => credential });
  const read = async (repository = 'demo/app') =>
    (await registry.getManifest({ registry: fake.address, repository }, 'v1', signal))?.digest;
  try {
    await run({ fake, read });
  } finally {
    await fake.stop();
  }
}

const digest = sha256(body);
const tokenRequests = (fake: FakeRegistry) =>
  fake.requests.filter(({ path }) => path.startsWith('/token')).map(({ method }) => method);

test('a basic challenge is answered once, then known', () =>
  withRegistry({ kind: 'basic', ...login }, password, async ({ fake, read }) => {
    assert.equal(await read(), digest);
    assert.equal(await read(), digest);
    const sent = fake.requests.map(({ authorization }) => authorization !== undefined);
    assert.deepEqual(sent, [false, true, true]);
  }));

test('anybody gets a token where anybody may, with pull of this repository as its scope', () =>
  withRegistry({ kind: 'bearer' }, { kind: 'anonymous' }, async ({ fake, read }) => {
    assert.equal(await read(), digest);
    const asked = new URL(fake.requests.find(({ path }) => path.startsWith('/token'))?.path ?? '', 'http://x');
    assert.equal(asked.searchParams.get('scope'), 'repository:demo/app:pull');
    assert.equal(asked.searchParams.get('service'), 'fake');
  }));

test('a password is given by the OAuth2 form', () =>
  withRegistry({ kind: 'bearer', ...login }, password, async ({ fake, read }) => {
    assert.equal(await read(), digest);
    assert.deepEqual(tokenRequests(fake), ['POST']);
  }));

test('a token endpoint without the form is asked by GET', () =>
  withRegistry({ kind: 'bearer', ...login, form: false }, password, async ({ fake, read }) => {
    assert.equal(await read(), digest);
    assert.deepEqual(tokenRequests(fake), ['POST', 'GET']);
  }));

test('an identity token is exchanged', () =>
  withRegistry(
    { kind: 'bearer', ...login, identityToken: 'refresh' },
    { kind: 'identity-token', token: 'refresh' },
    async ({ fake, read }) => {
      assert.equal(await read(), digest);
      assert.deepEqual(tokenRequests(fake), ['POST']);
    },
  ));

test('a registry token is sent as it is', () =>
  withRegistry({ kind: 'bearer' }, { kind: 'registry-token', token: 'ready' }, async ({ fake, read }) => {
    await assert.rejects(read(), { code: 'REGISTRY_UNAUTHORIZED' });
    assert.equal(fake.requests.at(-1)?.authorization, 'Bearer ready');
    assert.deepEqual(tokenRequests(fake), []);
  }));

test('a token is good for its repository, for as long as it says', () =>
  withRegistry({ kind: 'bearer', lifetimeS: 1 }, { kind: 'anonymous' }, async ({ fake, read }) => {
    await Promise.all([read(), read(), read()]);
    assert.equal(tokenRequests(fake).length, 1);
    await read('demo/other');
    assert.equal(tokenRequests(fake).length, 2);
    fake.revokeTokens();
    assert.equal(await read('demo/other'), digest);
    assert.equal(tokenRequests(fake).length, 3);
  }));

test('an expired token is not sent again', async () => {
  const fake = await startFakeRegistry({ auth: { kind: 'bearer', lifetimeS: 60 } });
  let now = 0;
  const authorizer = new Authorizer(anonymous, () => now);
  const realm = { origin: new URL(`http://${fake.address}/`), repository: 'demo/app' };
  const challenge = `Bearer realm="http://${fake.address}/token"`;
  assert.equal(await authorizer.answer(realm, challenge, undefined, signal), 'Bearer fake-token-1');
  now = 59_999;
  assert.equal(await authorizer.known(realm, signal), 'Bearer fake-token-1');
  now = 60_000;
  assert.equal(await authorizer.known(realm, signal), undefined);
  assert.equal(await authorizer.known({ ...realm, repository: 'demo/other' }, signal), undefined);
  await fake.stop();
});

for (const auth of [
  { kind: 'basic', ...login },
  { kind: 'bearer', ...login },
] as const) {
  for (const credential of [{ kind: 'anonymous' }, { ...password, password: 'wrong-secret' }] as const) {
    test(`${credential.kind} at a registry with ${auth.kind} is unauthorized, without a secret in the message`, () =>
      withRegistry(auth, credential, async ({ read }) => {
        await assert.rejects(read(), (error: Error) => {
          assert.doesNotMatch(error.message, /wrong|ann|scope|\?/);
          return 'code' in error && error.code === 'REGISTRY_UNAUTHORIZED';
        });
      }));
  }
}

for (const [status, code] of [
  [429, 'REGISTRY_THROTTLED'],
  [503, 'REGISTRY_ERROR'],
] as const) {
  test(`a token endpoint that answers ${status} is ${code}, and asked again by the next`, () =>
    withRegistry({ kind: 'bearer', ...login }, password, async ({ fake, read }) => {
      const effect = { kind: 'status', status, headers: { 'retry-after': '3' } } as const;
      fake.setFault({ effect, requests: 1, matches: ({ path }) => path.startsWith('/token') });
      await assert.rejects(read(), { code, retryAfterMs: 3000 });
      assert.equal(await read(), digest);
    }));
}

for (const answer of ['', '{}', '{"token":7}', '{"token":"a\\nb"}', `{"token":"${'x'.repeat(70_000)}"}`]) {
  test(`a token endpoint that answers ${answer.slice(0, 20)} is misbehaviour`, () =>
    withRegistry({ kind: 'bearer' }, { kind: 'anonymous' }, async ({ fake, read }) => {
      fake.setFault({
        effect: { kind: 'replace', body: Buffer.from(answer) },
        matches: ({ path }) => path.startsWith('/token'),
      });
      await assert.rejects(read(), { code: 'REGISTRY_MISBEHAVED' });
    }));
}

test('a token endpoint that redirects gets nothing forwarded', () =>
  withRegistry({ kind: 'bearer', ...login }, password, async ({ fake, read }) => {
    const other = await startFakeRegistry();
    fake.setFault({
      effect: { kind: 'redirect', to: `http://${other.address}/token` },
      matches: ({ path }) => path.startsWith('/token'),
    });
    await assert.rejects(read(), { code: 'REGISTRY_ERROR' });
    assert.equal(other.requests.length, 0);
    await other.stop();
  }));

test('a realm that would see the secret in the clear is refused before anything is sent', async () => {
  const fake = await startFakeRegistry();
  let asked = 0;
  const credentials = async () => {
    asked++;
    return password;
  };
  const origin = new URL('https://r.example/');
  for (const realm of [
    `http://${fake.address}/token`,
    'https://ann:secret@auth.example/',
    'ftp://auth.example/',
    'token',
  ]) {
    const authorizer = new Authorizer(credentials);
    const challenge = `Bearer realm="${realm}"`;
    const question = { origin, repository: 'demo/app' };
    await assert.rejects(authorizer.answer(question, challenge, undefined, signal), { code: 'REGISTRY_MISBEHAVED' });
  }
  assert.equal(fake.requests.length, 0);
  assert.equal(asked, 4);
  await fake.stop();
});

for (const challenge of [null, '', 'Negotiate', 'Bearer realm="x', 'Digest realm="x"']) {
  test(`a 401 with the challenge ${challenge} is unauthorized`, async () => {
    const realm = { origin: new URL('https://r.example/'), repository: 'demo/app' };
    await assert.rejects(new Authorizer(anonymous).answer(realm, challenge, undefined, signal), {
      code: 'REGISTRY_UNAUTHORIZED',
    });
  });
}

test('who waits for a shared token waits no longer than its own limit', async (context) => {
  const fake = await startFakeRegistry();
  context.after(() => fake.stop());
  fake.setFault({ effect: { kind: 'hang' } });
  const authorizer = new Authorizer(anonymous);
  const realm = { origin: new URL(`http://${fake.address}/`), repository: 'demo/app' };
  const challenge = `Bearer realm="http://${fake.address}/token"`;
  const limits = [100, 200].map((ms) => AbortSignal.timeout(ms));
  const answers = limits.map((limit) => authorizer.answer(realm, challenge, undefined, limit));
  for (const answer of answers) await assert.rejects(answer, { code: 'REGISTRY_TIMEOUT' });
  assert.equal(fake.requests.length, 1);
});
