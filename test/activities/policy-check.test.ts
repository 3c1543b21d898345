import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { policyCheckCommand } from '../../activities/cli/policy-check.ts';
import { createSigningKey } from '../support/signer.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { policyDocument, requirementDocument } from './policy/policy-directory.ts';
import { createSetting } from './setting.ts';

/** Runs the command, and answers its exit code and what it printed. */
async function check(t: TestContext, ...args: readonly string[]) {
  const out = t.mock.method(console, 'log', () => {});
  const err = t.mock.method(console, 'error', () => {});
  const code = await policyCheckCommand.run(args);
  const text = (mock: typeof out) => mock.mock.calls.map((call) => String(call.arguments[0])).join('\n');
  return { code, out: text(out), err: text(err) };
}

describe('policy check', () => {
  it('prints what a worker would load, and the revision it would apply', async (t) => {
    const key = createSigningKey('Ed25519');
    const { policyDirectory, writePolicies, registry } = await createSetting(t);
    const revision = await writePolicies({ demo: [key] });
    const { code, out } = await check(t, policyDirectory);
    const line = `demo (policies.yaml): ${registry.address}/demo/**; key-0 Ed25519 sha256:${key.keyId}`;
    assert.deepEqual([code, out], [0, `${line}\nrevision ${revision}`]);
  });

  it('warns of a directory by which nothing passes', async (t) => {
    await using folder = await temporaryFolder();
    const { code, out } = await check(t, folder.path);
    assert.equal(code, 0);
    assert.match(out, /^no policy at all: .* NO_POLICY\nrevision [0-9a-f]{64}$/);
  });

  it('warns of a policy that names tags beside one that matches without', async (t) => {
    const warnings = async (...policies: readonly (readonly [string, string])[]) => {
      await using folder = await temporaryFolder();
      for (const [name, glob] of policies) {
        const yaml = policyDocument(
          [{ static: { action: 'pass' } }],
          { images: glob.split(' ').map((one) => ({ glob: one })) },
          name,
        );
        await writeFile(join(folder.path, `${name}.yaml`), yaml);
      }
      const { code, out } = await check(t, folder.path, '--output', 'json');
      assert.equal(code, 0);
      const { warnings: found } = JSON.parse(out) as { readonly warnings: readonly string[] };
      const text = await check(t, folder.path);
      assert.equal(text.out.split('\n').filter((line) => line.startsWith('warning: ')).length, found.length);
      return found.map(
        (line) => /^(.*?): policy "(.*?)": .* of policy "(.*?)" matches/.exec(line)?.slice(1).join(' ') ?? line,
      );
    };
    const strict = ['strict', 'registry.example/prod/app:v*'] as const;
    for (const weak of ['**', 'registry.example/prod/*', 'registry.example/prod/app', 'registry.example/**:*']) {
      assert.deepEqual(await warnings(strict, ['weak', weak]), ['strict.yaml strict weak'], weak);
    }
    for (const other of ['registry.example/test/**', 'registry.example/prod/app:latest', 'docker.io/**']) {
      assert.deepEqual(await warnings(strict, ['other', other]), [], other);
    }
    assert.deepEqual(await warnings(['strict', 'registry.example/prod/app:*'], ['weak', '**']), []);
    assert.deepEqual(await warnings(['strict', `${strict[1]} registry.example/prod/app`], ['weak', '**']), []);
    assert.deepEqual(await warnings(['strict', '127.0.0.1:5000/**'], ['weak', '**']), []);
    assert.deepEqual(await warnings(['strict', '[::1]:5000/**:v1'], ['weak', '**']), ['strict.yaml strict weak']);
  });

  it('prints every problem, for people and for machines', async (t) => {
    await using folder = await temporaryFolder();
    await writeFile(join(folder.path, 'demo.yaml'), 'kind: ClusterImagePolicy\nspec: [');
    const said = await check(t, folder.path);
    assert.equal(said.code, 1);
    assert.match(said.err, /^demo\.yaml:2:\d+: expected YAML/);
    const { code, out } = await check(t, folder.path, '--output', 'json');
    assert.equal(code, 1);
    assert.partialDeepStrictEqual(JSON.parse(out), {
      ok: false,
      policies: [],
      problems: [{ file: 'demo.yaml', line: 2 }],
    });
  });

  it('finds a missing directory wanting', async (t) => {
    const { code, err } = await check(t, '/nowhere/at/all');
    assert.equal(code, 1);
    assert.equal(err, '/nowhere/at/all: expected a readable directory, found ENOENT; create it');
    const { out } = await check(t, '/nowhere/at/all', '--output', 'json');
    assert.partialDeepStrictEqual(JSON.parse(out), { ok: false, problems: [{ file: '/nowhere/at/all' }] });
  });

  it('finds a file wanting that is given for a directory, and a name that could turn a line', async (t) => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, 'demo.yaml');
    await writeFile(file, '');
    const { code, err } = await check(t, file);
    assert.equal(code, 1);
    const fix = 'name the folder of the policy files';
    assert.equal(err, `${file}: expected a readable directory, found something that is not a directory; ${fix}`);
    const bent = await check(t, '/nowhere/\u202e\n\u200bat');
    assert.match(bent.err, /^\/nowhere\/\\u202e\\u000a\\u200bat: expected a readable directory/);
  });

  it('prints the repositories under which an image may have been signed', async (t) => {
    const key = createSigningKey('Ed25519');
    await using folder = await temporaryFolder();
    const demand = {
      signedReference: 'exact',
      signedAs: [{ prefix: 'mirror.example/hub', signedPrefix: 'docker.io' }, { repository: 'ghcr.io/acme/app' }],
    };
    const yaml = [policyDocument([{ key: { data: key.publicPem } }]), requirementDocument(demand)].join('\n---\n');
    await writeFile(join(folder.path, 'demo.yaml'), yaml);
    const { out } = await check(t, folder.path);
    const also = 'also signed as docker.io for mirror.example/hub or ghcr.io/acme/app, with the exact tag';
    assert.ok(out.startsWith(`demo (demo.yaml): **; authority-0 Ed25519 sha256:${key.keyId}, ${also}\n`), out);
  });

  it('wants one directory and an output it knows', async (t) => {
    for (const args of [[], ['a', 'b'], ['a', '--output', 'xml']]) assert.equal((await check(t, ...args)).code, 2);
  });
});
