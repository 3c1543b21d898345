import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, rename, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { loadPolicyDirectory } from '../../../activities/policy/load.ts';
import type { PolicySet } from '../../../activities/policy/policy-set.ts';
import { formatProblem } from '../../../activities/yaml/problem.ts';
import { policyDirectory, policyDocument, policyYaml, publicKeyPem, writeInside } from './policy-directory.ts';

const PEM = publicKeyPem();
const KEY = { 'secrets/release.pub': PEM };

async function load(t: TestContext, files: Readonly<Record<string, string | Uint8Array>>): Promise<PolicySet> {
  const result = await loadPolicyDirectory(await policyDirectory(t, files));
  if (!result.ok) assert.fail(result.problems.map(formatProblem).join('\n'));
  return result.set;
}

async function problems(t: TestContext, files: Readonly<Record<string, string | Uint8Array>>) {
  return problemsIn(await policyDirectory(t, { ...KEY, ...files }));
}

async function problemsIn(directory: string): Promise<readonly string[]> {
  const result = await loadPolicyDirectory(directory);
  return result.ok ? [] : result.problems.map(formatProblem);
}

test('a directory is loaded with names, globs and keys', async (t) => {
  const set = await load(t, { ...KEY, 'b.yml': policyYaml({ name: 'b' }), 'a.yaml': policyYaml({ name: 'a' }) });
  assert.deepEqual(
    set.policies.map(({ name, file, images }) => ({ name, file, images })),
    [
      { name: 'a', file: 'a.yaml', images: ['ghcr.io/example/**'] },
      { name: 'b', file: 'b.yml', images: ['ghcr.io/example/**'] },
    ],
  );
  assert.deepEqual(
    set.policies[0]?.authorities.map(({ name, signer }) => [name, signer.kind === 'key' && signer.key.algorithm]),
    [['authority-0', 'ECDSA P-256']],
  );
});

test('an empty directory is a set without policies, a missing one a problem', async (t) => {
  const directory = await policyDirectory(t, { 'README.md': 'x', 'sub/policy.yaml': 'x', '.hidden.yaml': 'x' });
  const empty = await loadPolicyDirectory(directory);
  assert.equal(empty.ok && empty.set.policies.length, 0);
  assert.deepEqual(await problemsIn(join(directory, 'none')), [
    '.: expected a readable directory, found ENOENT; create it',
  ]);
});

test('text forms that YAML editors produce are read', async (t) => {
  const yaml = policyYaml();
  const bom = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(yaml)]);
  for (const content of [bom, yaml.replaceAll('\n', '\r\n'), `---\n${yaml}---\n# nothing\n`, `# first\n\n${yaml}`]) {
    assert.equal((await load(t, { ...KEY, 'demo.yaml': content })).policies.length, 1);
  }
});

test('each problem is told with its place, and all of them at once', async (t) => {
  const bad = `apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata:
  name: Demo
spec:
  mode: warm
  images:
    - glob: "ghcr.io/[a-z]+"
    - glob: "ghcr.io/x@sha256:**"
    - glob:
    - {}
  authorities:
    - name: "a/b"
      key:
        data: nonsense
    - key: {}
    - key:
        kms: awskms://x
        secretRef: {name: ../../etc/passwd}
    - keyless: {}
    - key: {secretRef: {name: gone, namespace: prod}, hashAlgorithm: md5}
  speling: 1
`;
  const found = await problems(t, { 'a.yaml': bad, 'b.yaml': '- 1\n' });
  assert.deepEqual(
    found.map((one) => one.split(': expected')[0]),
    [
      'a.yaml:4:9 metadata.name',
      'a.yaml:6:9 spec.mode',
      'a.yaml:8:13 spec.images[0].glob',
      'a.yaml:9:13 spec.images[1].glob',
      'a.yaml:10:7 spec.images[2].glob',
      'a.yaml:11:7 spec.images[3].glob',
      'a.yaml:13:13 spec.authorities[0].name',
      'a.yaml:16:12 spec.authorities[1].key',
      'a.yaml:18:9 spec.authorities[2].key',
      'a.yaml:20:16 spec.authorities[3].keyless.identities',
      'a.yaml:21:48 spec.authorities[4].key.secretRef.namespace',
      'a.yaml:21:70 spec.authorities[4].key.hashAlgorithm',
      'a.yaml:22:3 spec.speling',
      'b.yaml:1:1',
    ],
  );
  assert.equal(
    found[1],
    'a.yaml:6:9 spec.mode: expected enforce or warn, found "warm"; remove it to enforce the policy',
  );
  for (const one of found) assert.match(one, /^[^\n]+expected [^\n]+, found [^\n]+[;:] [^\n]+$/);
});

test('keys that are not usable are told where they stand, without their content', async (t) => {
  const secret = '-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n';
  const [inline, ...none] = await problems(t, { 'a.yaml': policyYaml({ key: 'data: c2VjcmV0' }) });
  assert.match(inline ?? '', /^a\.yaml:10:15 spec\.authorities\[0\]\.key\.data: the key is not usable: /);
  assert.deepEqual(none, []);
  const inFile = await problems(t, { 'a.yaml': policyYaml(), 'secrets/release.pub': secret });
  assert.match(inFile[0] ?? '', /^a\.yaml:10:27 spec\..*secretRef\.name: secrets\/release\.pub: the key is not usable/);
  assert.doesNotMatch([inline, ...inFile].join(), /c2VjcmV0/);
  const missing = await problems(t, { 'a.yaml': policyYaml({ key: 'secretRef: {name: gone}' }) });
  assert.match(missing[0] ?? '', /secrets\/gone\.pub: expected a readable file, found ENOENT/);
});

test('documents of other kinds are refused with what to do', async (t) => {
  const yaml = policyYaml();
  const cases: readonly (readonly [string, RegExp])[] = [
    [
      yaml.replace('policy.sigstore.dev', 'config.openshift.io'),
      /apiVersion: expected policy\.sigstore\.dev.*config\.openshift\.io/,
    ],
    [
      yaml.replace('ClusterImagePolicy', 'Pod'),
      /kind: expected ClusterImagePolicy, TrustRoot, .* or Revocation, found "Pod"/,
    ],
    [yaml.replace('kind: ClusterImagePolicy\n', ''), /1:1 kind: expected a value, found no such field/],
    [yaml.replace('kind: ClusterImagePolicy', 'kind: [1]'), /2:7 kind: expected a string, found a list/],
    [yaml.replace(/apiVersion.*\n/, ''), /1:1 apiVersion: expected a value/],
    [yaml.replace('name: demo', 'labels: {a: b}'), /metadata\.name: expected a value/],
    [yaml.replace('name: demo', 'name: 17'), /metadata\.name: expected a string, found a number/],
    [yaml.replace(/spec:[\s\S]*/, ''), /spec: expected a value/],
    [yaml.replace(/ {2}authorities:[\s\S]*/, '  authorities: []\n'), /spec\.authorities: expected at least one item/],
    [yaml.replace(/ {2}authorities:[\s\S]*/, ''), /spec\.authorities: expected a value/],
    ['', /demo\.yaml:1:1: expected a ClusterImagePolicy, found nothing/],
    [`${yaml}---\n${yaml}`, /metadata\.name: expected a new name, found "demo" already in demo\.yaml/],
    [`${yaml}---\n${yaml.replace('demo', 'two').replace('images:', 'imagez:')}`, /demo\.yaml:\d+:3 spec\.imagez/],
    [
      policyYaml({ authority: '    - name: authority-0\n      key: {secretRef: {name: release}}\n' }),
      /expected different names/,
    ],
  ];
  for (const [content, pattern] of cases)
    assert.match((await problems(t, { 'demo.yaml': content })).join('\n'), pattern);
});

test('policies as a cluster exports them are refused with a sentence that says why', async (t) => {
  const exported = policyYaml({ spec: 'status: {conditions: []}\n' }).replace('name: demo', 'name: demo\n  uid: x');
  assert.deepEqual(
    (await problems(t, { 'a.yaml': exported })).map((one) => one.split(':')[2]?.split(' ')[1]),
    ['metadata.uid', 'status'],
  );
});

test('hostile YAML is refused quickly and in words', async (t) => {
  const yaml = policyYaml();
  const bomb = ['a: &a0 [x]', ...Array.from({ length: 30 }, (_, i) => `b${i}: &a${i + 1} [*a${i}, *a${i}]`)].join('\n');
  const cases: readonly (readonly [string | Uint8Array, RegExp])[] = [
    [bomb, /alias/],
    [yaml.replace('name: demo', 'name: !!js/function x'), /Unresolved tag/],
    [yaml.replace('name: demo', 'name: !!str x'), /^$/],
    [`${yaml}kind: Pod\n`, /11:1: expected each field once, found "kind" again/],
    [
      yaml.replace('spec:', '__proto__: {spec: 1}\nconstructor: 1\nspec:'),
      /unknown field "__proto__"[\s\S]*unknown field "constructor"/,
    ],
    [Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 0xff]), /UTF-8/],
    [`${yaml}# \u0000`, /UTF-8/],
    [yaml.replace('  name: demo', '\tname: demo'), /4:1: expected YAML.*[Tt]ab/],
    ['['.repeat(100 * 1024), /32 levels/],
    [']'.repeat(100 * 1024), /32 levels/],
    ['{a: '.repeat(25_000), /32 levels/],
    ['- '.repeat(60_000), /32 levels/],
    ['? '.repeat(60_000), /32 levels/],
    [Array.from({ length: 100 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'), /32 levels/],
    ['---\n'.repeat(25_000), /1000 documents/],
    [
      ['kind: ClusterImagePolicy', ...Array.from({ length: 10_000 }, (_, i) => `k${i}: 1`)].join('\n'),
      /^(?:a\.yaml:\d+:1 k\d+: [^\n]*unknown field "k\d+"[^\n]*\n?){100}$/,
    ],
    [`${yaml}#${'x'.repeat(128 * 1024)}`, /expected at most 131072 bytes/],
    [yaml.slice(0, -30), /expected/],
    ['"unclosed', /expected YAML/],
    ['\u2028', /expected a mapping/],
  ];
  for (const [content, pattern] of cases) {
    const directory = await policyDirectory(t, { ...KEY, 'a.yaml': content });
    const text = (await problemsIn(directory)).join('\n');
    assert.match(text, pattern, String(content).slice(0, 40));
  }
});

test('counts are bounded', async (t) => {
  const globs = Array.from({ length: 201 }, () => '    - glob: "**"').join('\n');
  const tooMany = policyYaml().replace(/ {4}- glob.*/, globs);
  assert.match(
    (await problems(t, { 'a.yaml': tooMany })).join(),
    /spec\.images: expected at most 200 items, found 201/,
  );
  const signers = '    - key: {secretRef: {name: release}}\n'.repeat(20);
  assert.match(
    (await problems(t, { 'a.yaml': policyYaml({ authority: signers }) })).join(),
    /at most 20 items, found 21/,
  );
  const files = Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`${i}.yaml`, 'x']));
  assert.match((await problems(t, files)).join(), /expected at most 1000 policy files, found 1001/);
});

test('files that policies name are bounded in number', async (t) => {
  const authorities = (i: number) =>
    Array.from({ length: 20 }, (_, j) => ({ key: { secretRef: { name: `k${i}-${j}` } } }));
  const files = Object.fromEntries(
    Array.from({ length: 51 }, (_, i) => [`p${i}.yaml`, policyDocument(authorities(i), {}, `p${i}`)]),
  );
  assert.equal(
    (await problems(t, files))[0],
    '.: expected at most 1000 files that policies name, found 1020; share some',
  );
});

test('names of fields are shown on one line', async (t) => {
  const hostile = JSON.stringify({ ...JSON.parse(policyDocument([{}])), 'a\n\u202eb': 1 });
  const found = await problems(t, { 'a.yaml': hostile });
  assert.match(found.join(' '), /a\.yaml:1:\d+ a\?\?b: .*unknown field "a\\u000a\\u202eb"; remove it/);
});

test('names that look like a policy by mistake are refused', async (t) => {
  for (const name of ['a.json', 'a.YAML', 'a.Yml']) {
    assert.deepEqual(await problems(t, { [name]: policyYaml() }), [
      `${name}: expected a name ending in .yaml or .yml; rename or remove it`,
    ]);
  }
});

test('a mounted ConfigMap is read, and a new version of it is another revision', async (t) => {
  const directory = await policyDirectory(t, {
    ...KEY,
    '..1/demo.yaml': policyYaml(),
    '..2/demo.yaml': `${policyYaml()}#\n`,
  });
  await symlink('..1', join(directory, '..data'));
  await symlink('..data/demo.yaml', join(directory, 'demo.yaml'));
  const first = await loadPolicyDirectory(directory);
  await symlink('..2', join(directory, '..new'));
  await rename(join(directory, '..new'), join(directory, '..data'));
  const second = await loadPolicyDirectory(directory);
  assert.ok(first.ok && second.ok);
  assert.equal(second.set.policies.length, 1);
  assert.notEqual(first.set.contentHash, second.set.contentHash);
});

test('links out of the directory, folders and pipes in place of files are refused', async (t) => {
  const outside = await policyDirectory(t, { 'demo.yaml': policyYaml(), 'key.pub': PEM });
  const directory = await policyDirectory(t, { 'a.yaml': policyYaml(), 'secrets/x': '' });
  await symlink(join(outside, 'demo.yaml'), join(directory, 'b.yaml'));
  await symlink(join(outside, 'key.pub'), join(directory, 'secrets/release.pub'));
  await symlink('nowhere', join(directory, 'c.yaml'));
  await mkdir(join(directory, 'd.yaml'));
  const found = (await problemsIn(directory)).join('\n');
  assert.match(found, /a\.yaml:10:27 .*secrets\/release\.pub: expected a file inside/);
  assert.match(found, /b\.yaml: expected a file inside the policy directory, found a link that leaves it/);
  assert.match(found, /c\.yaml: expected a readable file, found ENOENT/);
  assert.match(found, /d\.yaml: expected a regular file/);
});

test('the revision follows policy files and named keys, and nothing else', async (t) => {
  const directory = await policyDirectory(t, { ...KEY, 'demo.yaml': policyYaml() });
  const revision = async () => {
    const result = await loadPolicyDirectory(directory);
    return result.ok ? result.set.contentHash : assert.fail();
  };
  const first = await revision();
  assert.match(first, /^[0-9a-f]{64}$/);
  await writeInside(directory, 'notes.txt', 'x');
  await writeInside(directory, 'secrets/other.pub', 'x');
  await chmod(join(directory, 'demo.yaml'), 0o600);
  assert.equal(await revision(), first);
  await writeInside(directory, 'secrets/release.pub', publicKeyPem());
  const second = await revision();
  assert.notEqual(second, first);
  await rename(join(directory, 'demo.yaml'), join(directory, 'other.yaml'));
  assert.notEqual(await revision(), second);
  assert.equal((await readFile(join(directory, 'other.yaml'), 'utf8')).length > 0, true);
});
