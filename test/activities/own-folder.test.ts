import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { keysInitCommand } from '../../activities/cli/keys-init.ts';
import { openOwnFolder } from '../../activities/own-folder.ts';
import { loadPolicyDirectory } from '../../activities/policy/load.ts';
import { createPolicyStore } from '../../activities/policy/store.ts';
import { configuredEndpoints } from '../../activities/registry/endpoints/configured-endpoints.ts';
import { createResources } from '../../activities/resources.ts';
import { createVerdictKey, loadVerdictKey } from '../../activities/verdict-key/verdict-key.ts';
import { createSigningKey } from '../support/signer.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const NOBODY = 65_534;

/** Ways in which another user may change what is in a folder. */
const OPENINGS: readonly (readonly [string, (folder: string) => void])[] = [
  ['belongs to another user', (folder) => chownSync(folder, NOBODY, NOBODY)],
  ['is open to all', (folder) => chmodSync(folder, 0o777)],
  ['is open to all and sticky', (folder) => chmodSync(folder, 0o1777)],
  ['is open to its group', (folder) => chmodSync(folder, 0o2775)],
  [
    'is below a folder of another user',
    (folder) => {
      const above = join(folder, '..');
      chownSync(above, NOBODY, NOBODY);
    },
  ],
];

describe('a folder of the worker', () => {
  for (const [how, open] of OPENINGS) {
    it(`that ${how} is refused as state and for new keys, and stays empty`, async () => {
      await using dir = await temporaryFolder();
      const folder = join(dir.path, 'above/state');
      mkdirSync(folder, { recursive: true });
      const key = join(dir.path, 'verdict.key');
      await createVerdictKey(key, join(dir.path, 'verdict.pub'));
      const resources = {
        policy: dir.path,
        plainHttp: [],
        allowInternal: [],
        registryHosts: [],
        credentialProviders: undefined,
      };
      const verdictKey = await loadVerdictKey(key);
      const opening = () => createResources({ ...resources, state: folder, verdictKey, fleet: 'f' }, () => {});
      (await opening()).stop();
      open(folder);
      await assert.rejects(opening(), /expected .* to be (owned|writable) by .*; run ch(own|mod) /);
      await assert.rejects(keysInitCommand.run([folder]), /expected .* to be (owned|writable) by .*; run ch(own|mod) /);
      assert.deepEqual(readdirSync(folder), []);
    });
  }

  it('is made for its user alone, also inside a volume that is open to all', async () => {
    await using dir = await temporaryFolder();
    chmodSync(dir.path, 0o777);
    await openOwnFolder(join(dir.path, 'a/b'));
    assert.equal(statSync(join(dir.path, 'a/b')).mode & 0o7777, 0o700);
    assert.ok(existsSync(join(dir.path, 'a/b')));
  });

  it('is refused by a link that another user may turn', async () => {
    await using dir = await temporaryFolder();
    const [own, link] = [join(dir.path, 'own'), join(dir.path, 'link')];
    mkdirSync(own, 0o700);
    symlinkSync(own, link);
    await openOwnFolder(link);
    lchownSync(link, NOBODY, NOBODY);
    await assert.rejects(openOwnFolder(link), /expected .*link to be owned by root or user 0, found user 65534/);
  });
});

describe('what a worker is configured by', () => {
  const POLICY = `apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata:
  name: all
spec:
  images:
    - glob: '**'
  authorities:
    - static:
        action: pass
`;
  /** Other users may change the file itself, a folder above it, or a link to it. */
  const FILE_OPENINGS: readonly (readonly [string, (folder: string, file: string) => void])[] = [
    ...OPENINGS.map(([how, open]) => [`in a folder that ${how}`, (folder: string) => open(folder)] as const),
    ['that belongs to another user', (_, file) => chownSync(file, NOBODY, NOBODY)],
    ['that is open to its group', (_, file) => chmodSync(file, 0o664)],
    ['that is open to all', (_, file) => chmodSync(file, 0o646)],
  ];

  for (const [how, open] of FILE_OPENINGS) {
    it(`is not a policy file ${how}; "policy check" reads it anyway`, async (t) => {
      await using dir = await temporaryFolder();
      const folder = join(dir.path, 'above/policy');
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, 'all.yaml'), POLICY);
      const store = await createPolicyStore(folder, { pollMs: 3_600_000 });
      t.after(() => store.stop());
      assert.ok(store.current().ok);
      open(folder, join(folder, 'all.yaml'));
      const state = await store.reload();
      assert.ok(state.ok && state.rejected !== undefined, 'the last good set stays');
      const [problem, ...others] = state.rejected.problems;
      assert.match(problem?.message ?? '', /expected .* to be (owned|writable) by .*; run ch(own|mod) /);
      assert.deepEqual(others, []);
      assert.equal((await loadPolicyDirectory(folder)).ok, true);
    });

    // In a sticky folder others may add entries, which belong to them and so do not count.
    if (how.endsWith('sticky')) continue;
    it(`is not a hosts.toml ${how}`, async () => {
      await using dir = await temporaryFolder();
      const folder = join(dir.path, 'above/certs.d');
      const file = join(folder, 'registry.example/hosts.toml');
      mkdirSync(join(folder, 'registry.example'), { recursive: true });
      writeFileSync(file, '[host."https://mirror.example"]\n');
      const endpoints = configuredEndpoints([folder], []);
      assert.equal((await endpoints('registry.example')).length, 2);
      open(folder, file);
      await assert.rejects(
        async () => endpoints('registry.example'),
        /registry hosts: .*expected .* to be (owned|writable) by .*; run ch(own|mod) /,
      );
    });
  }

  it('is a policy file that others may change where the operator says that they may', async (t) => {
    await using dir = await temporaryFolder();
    const folder = join(dir.path, 'volume');
    mkdirSync(folder);
    chmodSync(folder, 0o777);
    writeFileSync(join(folder, 'all.yaml'), POLICY);
    chownSync(join(folder, 'all.yaml'), NOBODY, NOBODY);
    const refused = await createPolicyStore(folder);
    t.after(() => refused.stop());
    const state = refused.current();
    assert.match(state.ok ? '' : (state.problems[0]?.message ?? ''), /, or start the worker with --shared-policy$/);
    const shared = await createPolicyStore(folder, { shared: true });
    t.after(() => shared.stop());
    assert.equal(shared.current().ok, true);
  });

  it('may be a key that a policy names, when no other user may change it', async (t) => {
    await using dir = await temporaryFolder();
    mkdirSync(join(dir.path, 'secrets'));
    const key = join(dir.path, 'secrets/release.pub');
    writeFileSync(key, createSigningKey('ECDSA P-256').publicPem);
    const keyed = POLICY.replace(/- static:.*/s, '- key:\n        secretRef:\n          name: release\n');
    writeFileSync(join(dir.path, 'all.yaml'), keyed);
    const store = await createPolicyStore(dir.path, { pollMs: 3_600_000 });
    t.after(() => store.stop());
    assert.ok(store.current().ok);
    chmodSync(key, 0o666);
    const state = await store.reload();
    assert.match(state.ok ? (state.rejected?.problems[0]?.file ?? '') : '', /^secrets\/release\.pub$/);
  });

  it('may be a mount of the kubelet, which is open to all and read-only', async () => {
    await using dir = await temporaryFolder();
    const mount = join(dir.path, 'mount');
    mkdirSync(mount);
    // As a kubelet lays a ConfigMap out, with an fsGroup; the folder itself is open to all.
    const mounting = spawnSync('mount', ['-t', 'tmpfs', '-o', 'mode=0777', 'tmpfs', mount]);
    assert.equal(mounting.status, 0, String(mounting.stderr));
    using _ = { [Symbol.dispose]: () => void spawnSync('umount', [mount]) };
    const version = join(mount, '..2026_12_01');
    mkdirSync(version);
    chmodSync(version, 0o2755);
    writeFileSync(join(version, 'all.yaml'), POLICY, { mode: 0o644 });
    chownSync(join(version, 'all.yaml'), 0, 2_000);
    symlinkSync('..2026_12_01', join(mount, '..data'));
    symlinkSync('..data/all.yaml', join(mount, 'all.yaml'));
    const load = () => loadPolicyDirectory(mount, { own: true });
    assert.equal((await load()).ok, false, 'others may write to it');
    assert.equal(spawnSync('mount', ['-o', 'remount,ro', mount]).status, 0);
    const { ok, ...rest } = await load();
    assert.ok(ok, JSON.stringify(rest));
  });
});

describe('a verdict key', () => {
  it('of another user is not used to sign', async () => {
    await using dir = await temporaryFolder();
    const key = join(dir.path, 'verdict.key');
    await createVerdictKey(key, join(dir.path, 'verdict.pub'));
    chownSync(key, NOBODY, NOBODY);
    await assert.rejects(loadVerdictKey(key), /expected .*verdict\.key to be owned by .*; run chown 0 /);
  });
});
