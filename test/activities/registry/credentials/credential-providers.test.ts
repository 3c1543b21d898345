import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { type Credential, firstOf } from '../../../../activities/registry/credentials/credential.ts';
import { parseProviders } from '../../../../activities/registry/credentials/credential-providers.ts';
import { parseDockerConfig, placeOf } from '../../../../activities/registry/credentials/docker-config.ts';
import { matchesImage } from '../../../../activities/registry/credentials/image-pattern.ts';
import { providerCredentials } from '../../../../activities/registry/credentials/provider-credentials.ts';
import { parseGoDuration } from '../../../../workflows/format/go-duration.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

const signal = () => AbortSignal.timeout(20_000);

describe('a pattern of images', () => {
  for (const [pattern, image, matches] of [
    ['*.dkr.ecr.*.amazonaws.com', '1.dkr.ecr.eu-west-1.amazonaws.com/app', true],
    ['*.dkr.ecr.*.amazonaws.com', 'dkr.ecr.eu-west-1.amazonaws.com/app', false],
    ['*.dkr.ecr.*.amazonaws.com', '1.dkr.ecr.eu-west-1.amazonaws.com.evil.example/app', false],
    ['*.example', 'a.b.example/app', false],
    ['reg*ry.example', 'registry.example/app', true],
    ['r*t*s*.example', 'rust.example/app', false],
    ['*a*a*.example', 'banana.example/app', true],
    ['r.example:5000', 'r.example:5000/app', true],
    ['r.example', 'r.example:5000/app', false],
    ['r.example/team', 'r.example/team/app', true],
    ['r.example/team', 'r.example/teams/app', false],
    ['https://r.example/', 'r.example/app', true],
    ['', 'r.example/app', false],
    ['R.example:0443', 'r.example/app', true],
    ['r.example:443', 'r.example:5000/app', false],
    ['r.example:05000/team', 'r.example:5000/team/app', true],
    ['[::1]:5000', '[::1]:5000/app', true],
    ['[::1]:5000', '[::2]:5000/app', false],
    ['[::1]', '[::1]:5000/app', false],
  ] as const) {
    it(`${JSON.stringify(pattern)} is ${matches ? '' : 'not '}about ${image}`, () => {
      assert.equal(matchesImage(pattern, image), matches);
    });
  }
});

const PROVIDER = { name: 'p', apiVersion: 'credentialprovider.kubelet.k8s.io/v1', matchImages: ['*.example'] };
const config = (...providers: readonly object[]) =>
  JSON.stringify({ apiVersion: 'kubelet.config.k8s.io/v1', kind: 'CredentialProviderConfig', providers });

describe("a kubelet's list of credential providers", () => {
  it('is read as YAML or JSON', () => {
    const yaml = `apiVersion: kubelet.config.k8s.io/v1
kind: CredentialProviderConfig
providers:
  - name: ecr-credential-provider
    apiVersion: credentialprovider.kubelet.k8s.io/v1
    matchImages: ["*.dkr.ecr.*.amazonaws.com"]
    defaultCacheDuration: 12h30m
    args: [get-credentials]
    env: [{ name: AWS_PROFILE, value: prod }]
`;
    const [provider] = parseProviders(yaml);
    assert.partialDeepStrictEqual(provider, {
      defaultCacheMs: 45_000_000,
      args: ['get-credentials'],
      env: { AWS_PROFILE: 'prod' },
    });
    assert.equal(parseGoDuration('1.5s'), 1_500);
    assert.equal(parseGoDuration('0'), 0);
  });

  for (const [what, text, problem] of [
    ['garbage', '{', /^expected YAML/],
    ['another kind', '{"kind": "Pod"}', /^expected kind CredentialProviderConfig/],
    ['aliases', `a: &a [1]\nb: *a`, /^expected (YAML without aliases|kind)/],
    ['no list', config().replace('[]', '1'), /^providers: expected a list/],
    ['more than anybody has', config(...Array.from({ length: 40 }, () => PROVIDER)), /at most 32/],
    ['a path for a name', config({ ...PROVIDER, name: '../sh' }), /^providers\[0\]\.name: /],
    ['the folder for a name', config({ ...PROVIDER, name: '..' }), /^providers\[0\]\.name: /],
    ['no patterns', config({ ...PROVIDER, matchImages: [] }), /matchImages: /],
    ['another protocol', config({ ...PROVIDER, apiVersion: 'v0' }), /apiVersion: expected credentialprovider/],
    ['a duration that is none', config({ ...PROVIDER, defaultCacheDuration: '12 hours' }), /defaultCacheDuration: /],
    ['a variable without a value', config({ ...PROVIDER, env: [{ name: 'A' }] }), /env: /],
    [
      'what only a pod has',
      config({ ...PROVIDER, tokenAttributes: {} }),
      /tokenAttributes: a worker has no service account/,
    ],
  ] as const) {
    it(`is refused with ${what}, and the field is named`, () => {
      const parsed = parseProviders(text);
      assert.match(typeof parsed === 'string' ? parsed : 'it was read', problem);
    });
  }
});

/** A provider that is a script, which notes each call. */
async function provider(t: TestContext, script: string, more: object = {}) {
  const folder = await temporaryFolder();
  t.after(() => folder[Symbol.asyncDispose]());
  const binDir = join(folder.path, 'bin');
  await mkdir(binDir);
  await writeFile(
    join(binDir, 'p'),
    `#!/bin/sh\ncat >> ${folder.path}/calls\necho >> ${folder.path}/calls\n${script}\n`,
    { mode: 0o755 },
  );
  const path = join(folder.path, 'providers.yaml');
  await writeFile(path, config({ ...PROVIDER, ...more }));
  const source = providerCredentials({ config: path, binDir });
  return {
    path,
    ask: (host: string, repository = 'demo/app') => source(host, signal(), repository),
    calls: async () =>
      (await readFile(join(folder.path, 'calls'), 'utf8').catch(() => '')).split('\n').filter((line) => line !== ''),
  };
}

const answer = (auth: object, more: object = {}) =>
  `echo '${JSON.stringify({ apiVersion: PROVIDER.apiVersion, kind: 'CredentialProviderResponse', cacheKeyType: 'Registry', auth, ...more })}'`;
const user = (username: string) => ({ username, password: 'secret' });
const named = (credential: Credential) => (credential.kind === 'password' ? credential.username : credential.kind);

describe('a credential provider', () => {
  it('is asked about the images that it is for, and its answer used for as long as it says', async (t) => {
    const auth = { '*.example': user('any'), 'r.example/demo': user('own') };
    const one = await provider(t, answer(auth, { cacheDuration: '1h' }));
    assert.equal(named(await one.ask('r.example')), 'own');
    assert.equal(named(await one.ask('r.example', 'other/app')), 'any');
    assert.equal(named(await one.ask('s.example')), 'any');
    assert.equal(named(await one.ask('other.test')), 'anonymous');
    const requests = (await one.calls()).map((line): unknown => JSON.parse(line));
    assert.deepEqual(requests, [
      { apiVersion: PROVIDER.apiVersion, kind: 'CredentialProviderRequest', image: 'r.example/demo/app' },
      { apiVersion: PROVIDER.apiVersion, kind: 'CredentialProviderRequest', image: 's.example/demo/app' },
    ]);
  });

  it('is asked each time when it says nothing of time, with its own arguments and environment', async (t) => {
    const script = `[ "$1" = get ] && [ "$WHO" = me ] && [ -z "$SECRET_OF_WORKER" ] && ${answer({ 'r.example': user('u') })}`;
    process.env['SECRET_OF_WORKER'] = 'x';
    t.after(() => delete process.env['SECRET_OF_WORKER']);
    const one = await provider(t, script, { args: ['get'], env: [{ name: 'WHO', value: 'me' }] });
    for (let count = 0; count < 2; count++) assert.equal(named(await one.ask('r.example')), 'u');
    assert.equal((await one.calls()).length, 2);
  });

  for (const [what, script] of [
    ['fails', 'echo secret; exit 1'],
    ['prints garbage', 'echo secret'],
    ['prints nothing', 'true'],
    ['answers in another version', answer({}, { apiVersion: 'v9' })],
    ['gives half a credential', answer({ 'r.example': { username: 'secret' } })],
    ['does not say for what it is', answer({ 'r.example': user('u') }, { cacheKeyType: 'Everything' })],
    ['prints without an end', 'while :; do echo secretsecretsecretsecretsecret; done'],
  ] as const) {
    it(`is an inability when it ${what}, and what it printed is not repeated`, async (t) => {
      const one = await provider(t, script);
      await assert.rejects(one.ask('r.example'), (error: Error) => {
        assert.match(error.message, /^credential provider p for r\.example\/demo\/app: /);
        assert.doesNotMatch(error.message, /secret/);
        return 'code' in error && error.code === 'REGISTRY_UNAUTHORIZED';
      });
    });
  }

  it('is an inability when it is not there, or its list can not be read', async (t) => {
    const one = await provider(t, 'true', { name: 'absent' });
    await assert.rejects(one.ask('r.example'), {
      code: 'REGISTRY_UNAUTHORIZED',
      message: /could not be started \(ENOENT\)/,
    });
    await writeFile(one.path, `# ${'x'.repeat(1024 * 1024)}`);
    await assert.rejects(one.ask('r.example'), { message: /providers\.yaml: expected at most 1048576 bytes/ });
  });

  it('comes after what docker and podman know', async (t) => {
    const one = await provider(t, answer({ 'r.example': user('provider') }));
    const known = async (host: string) =>
      host === 'r.example'
        ? ({ kind: 'password', username: 'docker', password: '' } as const)
        : ({ kind: 'anonymous' } as const);
    const source = firstOf([known, (host) => one.ask(host)]);
    assert.equal(named(await source('r.example', signal(), 'a')), 'docker');
    assert.deepEqual(await one.calls(), []);
  });
});

describe("a key of podman's auth.json", () => {
  it('is for a part of a host, and the longest counts', () => {
    const auth = (name: string) => ({ auth: Buffer.from(`${name}:x`).toString('base64') });
    const parsed = parseDockerConfig(
      JSON.stringify({
        auths: {
          'r.example/a/b': auth('part'),
          'r.example/a': auth('half'),
          'r.example': auth('whole'),
          'q.example/x': auth('x'),
        },
      }),
    );
    assert.ok(typeof parsed !== 'string');
    const at = (host: string, repository: string) => named(placeOf(parsed, host, repository).credential);
    assert.deepEqual(
      [
        at('r.example', 'a/b/c'),
        at('r.example', 'a/bc'),
        at('r.example', 'b'),
        at('q.example', 'x'),
        at('q.example', 'xy'),
      ],
      ['part', 'half', 'whole', 'x', 'anonymous'],
    );
  });
});
