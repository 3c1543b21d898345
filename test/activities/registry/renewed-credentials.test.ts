import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import {
  anonymous,
  type Credential,
  type CredentialSource,
} from '../../../activities/registry/credentials/credential.ts';
import { dockerCredentials } from '../../../activities/registry/credentials/docker-credentials.ts';
import { providerCredentials } from '../../../activities/registry/credentials/provider-credentials.ts';
import { createRegistry } from '../../../activities/registry/registry.ts';
import { startFakeRegistry } from '../../support/registry.ts';
import type { RegistryAuth } from '../../support/registry-auth.ts';
import { sha256 } from '../../support/registry-store.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const signal = AbortSignal.timeout(60_000);
const body = Buffer.from('{"schemaVersion":2,"layers":[]}');
const digest = sha256(body);
const username = 'AWS';

/** A registry whose password is renewed, and what it was asked. */
async function registryOf(t: TestContext, auth: RegistryAuth) {
  const fake = await startFakeRegistry({ auth });
  t.after(() => fake.stop());
  fake.store.putManifest('demo/app', 'v1', body, 'application/json');
  const reader = (credentials: CredentialSource) => {
    const registry = createRegistry({ credentials });
    return async (tag = 'v1') =>
      (await registry.getManifest({ registry: fake.address, repository: 'demo/app' }, tag, signal))?.digest;
  };
  /** `-` without authorization, `+` with it, `t` for a token. */
  const asked = () =>
    fake.requests
      .map(({ path, authorization }) => (path.startsWith('/token') ? 't' : authorization === undefined ? '-' : '+'))
      .join('');
  return { fake, reader, asked };
}

async function folderOf(t: TestContext): Promise<string> {
  const folder = await temporaryFolder();
  t.after(() => folder[Symbol.asyncDispose]());
  return folder.path;
}

/** The ways in which an operator gives credentials; `renew` is what happens when they are renewed. */
const WAYS: Readonly<
  Record<
    string,
    (t: TestContext, host: string) => Promise<{ source: CredentialSource; renew(password: string): Promise<void> }>
  >
> = {
  'a docker config': async (t, host) => {
    const path = join(await folderOf(t), 'config.json');
    const renew = (password: string) =>
      writeFile(
        path,
        JSON.stringify({ auths: { [host]: { auth: Buffer.from(`AWS:${password}`).toString('base64') } } }),
      );
    return { source: dockerCredentials(path), renew };
  },
  'a credential helper': async (t, host) => {
    const folder = await folderOf(t);
    await writeFile(join(folder, 'config.json'), JSON.stringify({ credHelpers: { [host]: 'renewed' } }));
    const helper = `#!/bin/sh\nprintf '{"Username":"AWS","Secret":"%s"}' "$(cat ${folder}/password)"\n`;
    await writeFile(join(folder, 'docker-credential-renewed'), helper, { mode: 0o755 });
    const path = process.env['PATH'];
    process.env['PATH'] = `${folder}:${path}`;
    t.after(() => {
      process.env['PATH'] = path;
    });
    const source = dockerCredentials(join(folder, 'config.json'));
    return { source, renew: (password) => writeFile(join(folder, 'password'), password) };
  },
  'a credential provider that lets its answer be kept': async (t, host) => {
    const folder = await folderOf(t);
    const apiVersion = 'credentialprovider.kubelet.k8s.io/v1';
    const provider = { name: 'p', apiVersion, matchImages: [host], defaultCacheDuration: '1h' };
    const config = join(folder, 'config.yaml');
    const kind = 'CredentialProviderConfig';
    await writeFile(config, JSON.stringify({ apiVersion: 'kubelet.config.k8s.io/v1', kind, providers: [provider] }));
    await mkdir(join(folder, 'bin'));
    const answer = `{"kind":"CredentialProviderResponse","apiVersion":"${apiVersion}","cacheKeyType":"Registry","cacheDuration":"1h","auth":{"${host}":{"username":"AWS","password":"%s"}}}`;
    const script = `#!/bin/sh\nprintf '${answer}' "$(cat ${folder}/password)"\necho >> ${folder}/runs\n`;
    await writeFile(join(folder, 'bin', 'p'), script, { mode: 0o755 });
    const source = providerCredentials({ config, binDir: join(folder, 'bin') });
    return { source, renew: (password) => writeFile(join(folder, 'password'), password) };
  },
};

for (const [way, open] of Object.entries(WAYS)) {
  for (const kind of ['basic', 'bearer'] as const) {
    for (const isEcr of [true, undefined]) {
      it(`${way} is read anew when ${kind} is answered with ${isEcr ? 403 : 401}`, async (t) => {
        let password = 'one';
        const auth = {
          kind,
          username,
          ...(isEcr && { isEcr }),
          get password() {
            return password;
          },
        };
        const { fake, reader } = await registryOf(t, auth);
        const { source, renew } = await open(t, fake.address);
        await renew(password);
        const read = reader(source);
        assert.equal(await read(), digest);
        for (const next of ['two', 'three']) {
          password = next;
          fake.revokeTokens();
          await renew(password);
          assert.equal(await read(), digest, next);
        }
      });
    }
  }
}

describe('a 403 to a credential that was kept', () => {
  const password = (text: string): Credential => ({ kind: 'password', username, password: text });

  it('is asked about once: a fresh credential that is denied is unauthorized, and not in a loop', async (t) => {
    const { fake, reader, asked } = await registryOf(t, { kind: 'bearer', isEcr: true });
    const read = reader(anonymous);
    assert.equal(await read(), digest);
    assert.equal(asked(), '-t+');
    fake.setFault({ effect: { kind: 'status', status: 403 }, matches: ({ path }) => !path.startsWith('/token') });
    for (const expected of ['-t++t+', '-t++t++', '-t++t+++']) {
      await assert.rejects(read(), { code: 'REGISTRY_UNAUTHORIZED' });
      assert.equal(asked(), expected);
    }
  });

  it('is not asked about again where the credential is the same', async (t) => {
    const { fake, reader, asked } = await registryOf(t, { kind: 'basic', username, password: 'one', isEcr: true });
    const read = reader(async () => password('one'));
    assert.equal(await read(), digest);
    fake.setFault({ effect: { kind: 'status', status: 403 } });
    await assert.rejects(read(), { code: 'REGISTRY_UNAUTHORIZED' });
    assert.equal(asked(), '-++');
  });

  it('is not asked about where nothing was sent, or where the credential is fresh', async (t) => {
    const { fake, reader, asked } = await registryOf(t, { kind: 'basic', username, password: 'one', isEcr: true });
    await assert.rejects(reader(async () => password('wrong'))(), { code: 'REGISTRY_UNAUTHORIZED' });
    assert.equal(asked(), '-+');
    fake.setFault({ effect: { kind: 'status', status: 403 } });
    await assert.rejects(reader(async () => password('one'))(), { code: 'REGISTRY_UNAUTHORIZED' });
    assert.equal(asked(), '-+-');
  });

  it('is renewed once for all that ask at the same time', async (t) => {
    const { fake, reader, asked } = await registryOf(t, { kind: 'bearer', isEcr: true });
    const read = reader(anonymous);
    await read();
    fake.revokeTokens();
    assert.deepEqual(await Promise.all([read(), read(), read()]), [digest, digest, digest]);
    assert.equal(asked().match(/t/g)?.length, 2);
  });

  it('of a host that the registry redirects to renews nothing', async (t) => {
    const { fake, reader, asked } = await registryOf(t, { kind: 'bearer', isEcr: true });
    const other = await startFakeRegistry();
    t.after(() => other.stop());
    const read = reader(anonymous);
    await read();
    other.setFault({ effect: { kind: 'status', status: 403 } });
    fake.setFault({ effect: { kind: 'redirect', to: `http://${other.address}/x` } });
    await assert.rejects(read(), { code: 'REGISTRY_UNAUTHORIZED' });
    assert.equal(asked(), '-t++');
  });

  it('says nothing of the secret', async (t) => {
    let current = 'first-secret';
    const { fake, reader } = await registryOf(t, { kind: 'basic', username, password: 'first-secret', isEcr: true });
    const read = reader(async () => password(current));
    await read();
    current = 'second-secret';
    fake.setFault({ effect: { kind: 'status', status: 403 } });
    await assert.rejects(read(), (error: Error) => !/secret/.test(error.message));
  });
});

for (const isEcr of [true, undefined]) {
  it(`a credential that a provider has kept is read anew for the first question about another repository (${isEcr ? 403 : 401})`, async (t) => {
    let current = 'one';
    const auth = {
      kind: 'basic',
      ...{ username, ...(isEcr && { isEcr }) },
      get password() {
        return current;
      },
    } as const;
    const { fake, asked } = await registryOf(t, auth);
    fake.store.putManifest('demo/other', 'v1', body, 'application/json');
    const way = WAYS['a credential provider that lets its answer be kept'] ?? assert.fail();
    const { source, renew } = await way(t, fake.address);
    const registry = createRegistry({ credentials: source });
    const read = async (repository: string) =>
      (await registry.getManifest({ registry: fake.address, repository }, 'v1', signal))?.digest;
    await renew(current);
    assert.equal(await read('demo/app'), digest);
    current = 'two';
    await renew(current);
    assert.equal(await read('demo/other'), digest);
    assert.equal(asked(), '-+-++');
  });
}

it('a token service that denies a credential that was kept is asked with a fresh one', async (t) => {
  let current = 'one';
  const auth = {
    kind: 'bearer',
    username,
    get password() {
      return current;
    },
  } as const;
  const { fake, reader } = await registryOf(t, auth);
  const { source, renew } =
    (await WAYS['a credential provider that lets its answer be kept']?.(t, fake.address)) ?? assert.fail();
  await renew(current);
  assert.equal(await reader(source)(), digest);
  current = 'two';
  await renew(current);
  // A reader that knows no token yet, with the provider's kept answer.
  assert.equal(await reader(source)(), digest);
});
