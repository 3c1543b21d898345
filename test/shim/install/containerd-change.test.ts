import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type ContainerdVersion, containerdPrograms } from '../../../infra/stack/containerd.ts';
import { readEffective } from '../../../shim/containerd/effective.ts';
import { type ContainerdProgram, dumpConfiguration, versionOf } from '../../../shim/containerd/running.ts';
import { configurationFindings } from '../../../shim/doctor/configuration-findings.ts';
import { DROP_IN } from '../../../shim/host/layout.ts';
import { confirm } from '../../../shim/install/confirm.ts';
import {
  containerdChanges,
  containerdRemovals,
  dumpWithoutOurs,
  withImports,
} from '../../../shim/install/containerd-change.ts';
import { lazyPullNotes } from '../../../shim/install/drop-in.ts';
import { applyAll } from '../../../shim/install/file-change.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const IMAGES = `[plugins."io.containerd.cri.v1.images"]`;
const CRI = 'plugins."io.containerd.grpc.v1.cri"';
const RUNTIMES = `[${CRI}.containerd.runtimes.runc]\n  runtime_type = "io.containerd.runc.v2"\n`;

/** Main files, as nodes have them, that open the gate or leave it to chance. */
const MAIN_FILES: Readonly<Record<string, string>> = {
  'schema 2, as kind': `# words of others\nversion = 2\n[${CRI}.containerd]\n  discard_unpacked_layers = true\n  snapshotter = "native"\n${RUNTIMES}`,
  'schema 2, other triggers': `version = 2\n[${CRI}]\n  max_concurrent_downloads = 8\n  image_pull_with_sync_fs = true\n  sandbox_image = "a.example/pause:1"\n[${CRI}.containerd]\n  disable_snapshot_annotations = false\n${RUNTIMES}`,
  'schema 3, as EKS': `version = 3\nroot = "/var/lib/containerd"\n\n[grpc]\n  address = "/run/c.sock"\n\n${IMAGES}\n  discard_unpacked_layers = true\n  [plugins."io.containerd.cri.v1.images".registry]\n    config_path = "/etc/containerd/certs.d:/etc/docker/certs.d"\n`,
  'schema 3, as RKE2': `version = 3\n${IMAGES}\n  use_local_image_pull = true\n  snapshotter = "overlayfs"\n`,
  'schema 3, imports over lines': `version = 3\nimports = [\n  "DIR/extra.d/*.toml", # theirs\n]\n${IMAGES}\n  max_concurrent_downloads = 1\n`,
  'schema 4': `version = 4\nimports = ["DIR/conf.d/*.toml"]\n${IMAGES}\n  discard_unpacked_layers = true\n`,
  'a short time, and its own folder': `version = 3\n[plugins."io.containerd.image-verifier.v1.bindir"]\n  bin_dir = "/opt/own"\n  per_verifier_timeout = "2s"\n  max_verifiers = 0\n`,
  'schema 2, stargz': `version = 2\n[${CRI}.containerd]\n  snapshotter = "stargz"\n  disable_snapshot_annotations = false\n${RUNTIMES}[proxy_plugins.stargz]\n  type = "snapshot"\n  address = "/run/stargz.sock"\n`,
  'schema 3, SOCI with exports and more': `version = 3\n${IMAGES}\n  snapshotter = "soci"\n  disable_snapshot_annotations = false\n[proxy_plugins.soci]\n  type = "snapshot"\n  address = "/run/soci.sock"\n  platform = "linux/amd64"\n  capabilities = ["rebase"]\n  [proxy_plugins.soci.exports]\n    root = "/var/lib/soci \\"x\\""\n[proxy_plugins.other]\n  type = "snapshot"\n  address = "/run/other.sock"\n`,
  'an empty file': '',
};

async function aNode(dir: string, binary: string, main: string) {
  const config = join(dir, 'config.toml');
  await mkdir(join(dir, 'extra.d'), { recursive: true });
  await writeFile(join(dir, 'extra.d', 'a.toml'), `version = 3\n${IMAGES}\n  image_pull_with_sync_fs = true\n`);
  await writeFile(config, main.replaceAll('DIR', dir));
  const program: ContainerdProgram = { binary, config, startedAt: undefined };
  const version = await versionOf(program);
  assert.ok(version !== undefined);
  const changes = async () => containerdChanges(program, version, readEffective(await dumpWithoutOurs(program)));
  return { program, changes };
}

for (const version of ['current', 'previous', 'older'] satisfies readonly ContainerdVersion[]) {
  describe(`what install writes for a real containerd, the ${version} line`, async () => {
    const { containerd } = await containerdPrograms(version);
    const names = Object.keys(MAIN_FILES).filter((name) => version !== 'older' || name !== 'schema 4');
    for (const name of names) {
      it(`shuts the gate, changes nothing else, and goes without a trace: ${name}`, async () => {
        await using folder = await temporaryFolder();
        const { program, changes } = await aNode(folder.path, containerd, MAIN_FILES[name] ?? '');
        const [main, before] = [await readFile(program.config, 'utf8'), await dumpConfiguration(program)];
        const written = await changes();
        assert.ok(written.length > 0);
        applyAll(written);
        confirm(before, await dumpConfiguration(program));
        assert.deepEqual(await changes(), [], 'a second time there is nothing to change');
        for (const { path, before: theirs } of written) {
          if (theirs !== undefined) await writeFile(`${path}.before-portcullis`, theirs);
        }
        applyAll(containerdRemovals(program));
        assert.equal(await readFile(program.config, 'utf8'), main);
        for (const place of ['conf.d', 'extra.d']) assert.ok(!existsSync(join(folder.path, place, DROP_IN)));
      });
    }
  });
}

for (const version of ['current', 'previous', 'older'] satisfies readonly ContainerdVersion[]) {
  it(`containerd, the ${version} line, reads the entry that keeps lazy pulling`, async () => {
    const { containerd } = await containerdPrograms(version);
    for (const [name, plugin] of [
      ['schema 2, stargz', 'stargz'],
      ['schema 3, SOCI with exports and more', 'soci'],
    ] as const) {
      await using folder = await temporaryFolder();
      const { program, changes } = await aNode(folder.path, containerd, MAIN_FILES[name] ?? '');
      const before = await dumpConfiguration(program);
      assert.equal(lazyPullNotes(readEffective(before)).length, 1, 'the plan says so');
      assert.match(
        lazyPullNotes(readEffective(before))[0] ?? '',
        new RegExp(`^lazy pulling with the snapshotter "${plugin}" goes`),
      );
      applyAll(await changes());
      const after = await dumpConfiguration(program);
      const [was, is] = [readEffective(before).proxies.get(plugin), readEffective(after).proxies.get(plugin)];
      assert.ok(was !== undefined);
      assert.deepEqual(is, { ...was, exports: { ...was.exports, enable_remote_snapshot_annotations: 'true' } });
      assert.deepEqual(readEffective(after).unpacked, [plugin]);
      assert.deepEqual(readEffective(after).proxies.get('other'), readEffective(before).proxies.get('other'));
      assert.deepEqual(configurationFindings(readEffective(after)), []);
    }
  });
}

it('a snapshotter that is built in loses lazy pulling, and the plan says that', async () => {
  const { containerd } = await containerdPrograms('current');
  await using folder = await temporaryFolder();
  const main = `version = 3\n${IMAGES}\n  snapshotter = "stargz"\n  disable_snapshot_annotations = false\n`;
  const { program, changes } = await aNode(folder.path, containerd, main);
  const effective = readEffective(await dumpConfiguration(program));
  assert.deepEqual(lazyPullNotes(effective), [
    'lazy pulling with the snapshotter "stargz" is switched off: pulls go through the transfer service, which fetches layers on demand for proxy plugins alone; run the snapshotter as a proxy plugin to keep lazy pulling',
  ]);
  assert.doesNotMatch((await changes()).map(({ after }) => after).join(), /proxy_plugins/);
});

describe('the imports of a main file', () => {
  it('are set without another byte changed, or not at all', () => {
    const main = '# imports = ["no"]\nversion = 3\n[plugins."x"]\n  imports = ["no"]\n';
    assert.equal(withImports(main, ['/a/*.toml'], 'f'), `imports = ["/a/*.toml"]\n${main}`);
    assert.equal(
      withImports('version = 3\nimports = [ "b" ] # c\n', ['b', '$&'], 'f'),
      'version = 3\nimports = ["b", "$&"] # c\n',
    );
    for (const odd of [`"imports" = ['a]b']\n`, 'imports = ["a]b"]\n']) {
      assert.throws(
        () => withImports(odd, ['c'], '/etc/c.toml'),
        /^Error: \/etc\/c\.toml: .*make it say: imports = \["c"\]$/,
      );
    }
    assert.throws(() => withImports('version = = 3', ['c'], 'f'), /Invalid TOML/);
  });
});

describe('what containerd makes of it', () => {
  const toml =
    'version = 4\n[plugins."p"]\n  a = 1\n[plugins."io.containerd.image-verifier.v1.bindir"]\n  bin_dir = "/b"\n';
  const dump = (text: string) => ({ toml: text, warnings: '' });

  it('is refused when something else would be another, or the gate stays open', () => {
    confirm(dump(toml), dump(toml));
    assert.throws(
      () => confirm(dump(toml), dump(toml.replace('a = 1', 'a = 2'))),
      /would have plugins\.p\.a = 2, and has 1: .*config migrate/,
    );
    assert.throws(() => confirm(dump(toml), dump(toml.replace('  a = 1\n', ''))), /would have plugins\.p\.a = nothing/);
    const open = `${toml}\n[plugins."io.containerd.cri.v1.images"]\n  use_local_image_pull = true\n`;
    assert.throws(() => confirm(dump(toml), dump(open)), /a file that counts more says use_local_image_pull = true/);
  });
});
