import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { obtain } from '../../../infra/tools/obtain.ts';
import { readEffective } from '../../../shim/containerd/effective.ts';
import { dumpConfiguration, versionOf } from '../../../shim/containerd/running.ts';
import { configurationFindings } from '../../../shim/doctor/configuration-findings.ts';
import type { FindingId } from '../../../shim/doctor/finding.ts';

const IMAGES = `plugins."io.containerd.cri.v1.images"`;
const VERIFIER = `plugins."io.containerd.image-verifier.v1.bindir"`;
const GUARDED = 'required_plugins = ["io.containerd.image-verifier.v1.bindir", "io.containerd.transfer.v1.local"]';

/** Each is added to a configuration that has no finding, and has this one. */
const TRIGGERS: readonly (readonly [string, string, FindingId])[] = [
  ['use_local_image_pull', `[${IMAGES}]\nuse_local_image_pull = true`, 'local-pull'],
  ['disable_snapshot_annotations', `[${IMAGES}]\ndisable_snapshot_annotations = false`, 'local-pull'],
  ['discard_unpacked_layers', `[${IMAGES}]\ndiscard_unpacked_layers = true`, 'local-pull'],
  ['image_pull_with_sync_fs', `[${IMAGES}]\nimage_pull_with_sync_fs = true`, 'local-pull'],
  ['max_concurrent_downloads', `[${IMAGES}]\nmax_concurrent_downloads = 10`, 'local-pull'],
  ['registry.mirrors', `[${IMAGES}.registry.mirrors."docker.io"]\nendpoint = ["https://mirror.example"]`, 'local-pull'],
  ['registry.configs', `[${IMAGES}.registry.configs."a.example".tls]\ninsecure_skip_verify = true`, 'local-pull'],
  ['registry.auths', `[${IMAGES}.registry.auths."https://a.example"]\nusername = "u"`, 'local-pull'],
  ['no folder', `[${VERIFIER}]\nbin_dir = ""`, 'bin-dir-unset'],
  ['no verifiers', `[${VERIFIER}]\nmax_verifiers = 0`, 'max-verifiers'],
  ['little time', `[${VERIFIER}]\nper_verifier_timeout = "5s"`, 'timeout-too-short'],
  ['no time', `[${VERIFIER}]\nper_verifier_timeout = "0s"`, 'timeout-too-short'],
  ['a misspelt key', `[${VERIFIER}]\nbindir = "/opt/verifiers"`, 'verifier-setting-unknown'],
  [
    'a misspelt section',
    `[plugins."io.containerd.image_verifier.v1.bindir"]\nbin_dir = "/x"`,
    'verifier-section-misspelt',
  ],
  [
    'two folders of hosts',
    `[${IMAGES}.registry]\nconfig_path = "/etc/containerd/certs.d:/etc/docker/certs.d"`,
    'several-config-paths',
  ],
  [
    'stargz that is not told about layers',
    `[${IMAGES}]\nsnapshotter = "stargz"\n[proxy_plugins.stargz]\ntype = "snapshot"\naddress = "/run/s.sock"`,
    'lazy-pull-off',
  ],
  [
    'SOCI of one runtime that is not told',
    `[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.lazy]\nruntime_type = "io.containerd.runc.v2"\nsnapshotter = "soci"\n[proxy_plugins.soci]\ntype = "snapshot"\naddress = "/run/s.sock"\n[proxy_plugins.soci.exports]\nenable_remote_snapshot_annotations = "yes"`,
    'lazy-pull-off',
  ],
  ['stargz that is built in', `[${IMAGES}]\nsnapshotter = "stargz"`, 'lazy-pull-off'],
];

/** Snapshotters with which nothing is lost. */
const NOT_LAZY: Readonly<Record<string, string>> = {
  'stargz that is told': `[${IMAGES}]\nsnapshotter = "stargz"\n[proxy_plugins.stargz]\ntype = "snapshot"\naddress = "/run/s.sock"\n[proxy_plugins.stargz.exports]\nenable_remote_snapshot_annotations = "true"`,
  'stargz that CRI does not use': `[proxy_plugins.stargz]\ntype = "snapshot"\naddress = "/run/s.sock"`,
  'another proxy plugin': `[${IMAGES}]\nsnapshotter = "fuse"\n[proxy_plugins.fuse]\ntype = "snapshot"\naddress = "/run/s.sock"`,
  'one that is built in': `[${IMAGES}]\nsnapshotter = "native"`,
};

let dir: string;
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'portcullis-doctor-'));
});
after(() => rm(dir, { recursive: true }));

async function findingsOf(binary: string, toml: string) {
  const config = join(dir, 'config.toml');
  await writeFile(config, toml);
  return configurationFindings(readEffective(await dumpConfiguration({ binary, config, startedAt: undefined })));
}

for (const name of ['containerd', 'containerd-previous'] as const) {
  describe(`the configuration of a real ${name}`, async () => {
    const binary = (await obtain([name]))[name];
    // Imports of the machine must not count here.
    const clean = `version = 3\nimports = []\n${GUARDED}\n`;

    it('is clean when it is guarded', async () => {
      assert.ok(((await versionOf({ binary, config: '', startedAt: undefined })) ?? [0])[0] >= 2);
      assert.deepEqual(await findingsOf(binary, clean), []);
    });

    it('lacks what has it refuse to start without verifiers, as it comes', async () => {
      const [found, ...more] = await findingsOf(binary, 'version = 3\nimports = []\n');
      assert.deepEqual([found?.id, found?.severity, more], ['not-required', 'weak', []]);
    });

    for (const [what, toml] of Object.entries(NOT_LAZY)) {
      it(`is clean with ${what}`, async () => {
        assert.deepEqual(await findingsOf(binary, `${clean}${toml}\n`), []);
      });
    }

    for (const [what, toml, expected] of TRIGGERS) {
      it(`is found wanting with ${what}`, async () => {
        const findings = await findingsOf(binary, `${clean}${toml}\n`);
        assert.deepEqual(
          findings.map(({ id }) => id),
          [expected],
        );
        for (const text of findings.flatMap(({ found, why, fix }) => [found, why, fix])) assert.match(text, /^[^\n]+$/);
      });
    }

    for (const [plugin, expected] of [
      ['io.containerd.image-verifier.v1.bindir', 'verifier-disabled'],
      ['io.containerd.transfer.v1.local', 'transfer-disabled'],
    ] as const) {
      it(`is found wanting with ${plugin} disabled`, async () => {
        const findings = await findingsOf(binary, `version = 3\nimports = []\ndisabled_plugins = ["${plugin}"]\n`);
        assert.ok(findings.some(({ id }) => id === expected));
      });
    }

    it('is found wanting in the form of schema 2, and in a file that another one imports', async () => {
      const cri = 'plugins."io.containerd.grpc.v1.cri".containerd';
      const old = `version = 2\nimports = []\n${GUARDED}\n[${cri}]\ndiscard_unpacked_layers = true\n[${cri}.runtimes.runc]\nruntime_type = "io.containerd.runc.v2"\n`;
      assert.deepEqual(
        (await findingsOf(binary, old)).map(({ id }) => id),
        ['local-pull'],
      );
      await writeFile(join(dir, 'imported.toml'), `version = 3\n[${IMAGES}]\nuse_local_image_pull = true\n`);
      const importing = `version = 3\nimports = ["${dir}/imported.toml"]\n${GUARDED}\n`;
      assert.deepEqual(
        (await findingsOf(binary, importing)).map(({ id }) => id),
        ['local-pull'],
      );
    });

    it('with a verifier behind a proxy has it panic', async () => {
      const proxy = `${clean}[proxy_plugins.v]\ntype = "image-verifier"\naddress = "/run/v.sock"\n`;
      await assert.rejects(findingsOf(binary, proxy), /config dump: panic: plugin: no type/);
    });

    it('that it can not read is an error with its own words', async () => {
      await assert.rejects(findingsOf(binary, 'version = 3\n[plugins'), /config dump: .*(toml|parse|expected)/i);
    });
  });
}

describe('a dump', () => {
  for (const [what, text] of [
    ['garbage', '\u0000\u0001{}'],
    ['text that breaks off', '[plugins\n'],
    ['two gigantic megabytes', `a = "${'x'.repeat(2_100_000)}"`],
  ] as const) {
    it(`of ${what} is no configuration`, () => {
      assert.throws(() => readEffective({ toml: text, warnings: '' }));
    });
  }

  it('without anything has no verifier', () => {
    assert.ok(
      configurationFindings(readEffective({ toml: '', warnings: '' })).some(({ id }) => id === 'verifier-missing'),
    );
  });

  it('with values of other types than they should have opens nothing', () => {
    const toml =
      'disabled_plugins = 3\n[plugins."io.containerd.image-verifier.v1.bindir"]\nbin_dir = 5\nper_verifier_timeout = 7\n';
    const findings = configurationFindings(readEffective({ toml, warnings: '' }));
    assert.ok(findings.some(({ id }) => id === 'timeout-too-short'));
  });
});
