import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { dockerCredentials } from '../../../../activities/registry/credentials/docker-credentials.ts';

const path = process.env['PATH'];
const signal = () => AbortSignal.timeout(30_000);
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credential-helper-'));
  process.env['PATH'] = `${folder}:${path}`;
  process.env['PORTCULLIS_TEST_SECRET'] = 'leaked';
});
after(async () => {
  process.env['PATH'] = path;
  delete process.env['PORTCULLIS_TEST_SECRET'];
  await rm(folder, { recursive: true });
});

/** Asks for r.example with a helper that is this shell script. */
async function ask(script: string, auths: unknown = {}, limit = signal()) {
  const helper = join(folder, 'docker-credential-fake');
  await writeFile(helper, `#!/bin/sh\n${script}\n`);
  await chmod(helper, 0o755);
  const config = join(folder, 'config.json');
  await writeFile(config, JSON.stringify({ auths, credsStore: 'fake' }));
  return dockerCredentials(config)('r.example', limit, 'demo/app');
}

test('a helper is asked with the server on its input', async () => {
  const script = '[ "$1" = get ] && printf \'{"ServerURL":"x","Username":"%s","Secret":"s"}\' "$(cat)"';
  assert.deepEqual(await ask(script), { kind: 'password', username: 'r.example', password: 's' });
});

test('a helper sees only the environment that helpers need', async () => {
  const script = 'printf \'{"Username":"u","Secret":"[%s]"}\' "$PORTCULLIS_TEST_SECRET"';
  assert.deepEqual(await ask(script), { kind: 'password', username: 'u', password: '[]' });
});

test('the user <token> brings an identity token', async () => {
  const credential = await ask('echo \'{"Username":"<token>","Secret":"s"}\'');
  assert.deepEqual(credential, { kind: 'identity-token', token: 's' });
});

test('a helper that knows nothing leaves it to the file', async () => {
  const script = 'echo "credentials not found in native keychain"; exit 1';
  assert.deepEqual(await ask(script), { kind: 'anonymous' });
  const auths = { 'r.example': { username: 'ann', password: 'p' } };
  assert.equal((await ask(script, auths)).kind, 'password');
});

for (const [what, script] of [
  ['fails', 'echo s3cret; exit 2'],
  ['prints no JSON', 'echo s3cret'],
  ['prints no secret', 'echo \'{"Username":"s3cret"}\''],
  ['floods', 'while :; do echo s3cret; done'],
] as const) {
  test(`a helper that ${what} is an error without its output`, async () => {
    await assert.rejects(ask(script), (error: Error) => {
      assert.match(error.message, /^docker-credential-fake get for r\.example: /);
      assert.doesNotMatch(error.message, /s3cret/);
      return 'code' in error && error.code === 'REGISTRY_UNAUTHORIZED';
    });
  });
}

test('a helper that hangs ends at the signal', async () => {
  await assert.rejects(ask('exec sleep 60', {}, AbortSignal.timeout(200)), {
    code: 'REGISTRY_TIMEOUT',
    retryable: true,
  });
});

test('a helper that is not there is named', async () => {
  const config = join(folder, 'other.json');
  await writeFile(config, '{"credsStore":"absent"}');
  await assert.rejects(dockerCredentials(config)('r.example', signal(), 'demo/app'), {
    message: /docker-credential-absent.*ENOENT.*PATH/,
  });
});

test('no file is no credentials; a broken or huge one is an error that names it', async () => {
  assert.deepEqual(await dockerCredentials(join(folder, 'none.json'))('r.example', signal(), 'demo/app'), {
    kind: 'anonymous',
  });
  const config = join(folder, 'broken.json');
  for (const text of ['{', ' '.repeat(1024 * 1024 + 1)]) {
    await writeFile(config, text);
    await assert.rejects(dockerCredentials(config)('r.example', signal(), 'demo/app'), {
      code: 'REGISTRY_UNAUTHORIZED',
      message: /broken\.json/,
    });
  }
});
