import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type ContainerdVersion, startContainerd } from '../../infra/stack/containerd.ts';
import type { ServerProcess } from '../../infra/stack/process.ts';
import { renderTable } from '../bench/table.ts';
import { canary, IMAGES, leftOn, openScene, portcullis, programsOf, setting } from './canary-scene.ts';

const VERIFIER = `[plugins.'io.containerd.image-verifier.v1.bindir']`;

let scene: Awaited<ReturnType<typeof openScene>>;
let shim: ServerProcess;
const rows: string[][] = [['trigger', 'containerd', 'doctor says', 'canary by cri', 'canary by ctr']];

before(async () => {
  scene = await openScene();
  shim = await scene.startDaemon(scene.dir);
});
after(async () => {
  await shim.stop();
  await scene.close();
  console.log(renderTable(rows));
});

/** One containerd with the launcher, a change to its configuration or folder, and what doctor and canary say of it. */
async function examine(version: ContainerdVersion, name: string, trigger: Trigger) {
  const { dir } = scene;
  const home = await mkdtemp(join(dir, 'c-'));
  const binDir = await scene.verifiers(home);
  await trigger.folder?.(binDir);
  const containerd = await startContainerd({
    ...{ dir: home, binDir, version, extraEnv: { PORTCULLIS_SOCKET: join(dir, 'run', 'l.sock') } },
    ...(trigger.change === undefined ? {} : { change: trigger.change }),
  });
  try {
    const [binary, ctr] = await programsOf(version);
    const config = join(home, 'containerd.toml');
    const doctor = await portcullis(dir, 'doctor', '--containerd', binary, '--containerd-config', config);
    const { code, outcomes } = await canary(dir, '--containerd', containerd.address, '--ctr', ctr);
    // the command prints what this type says
    const { findings } = doctor.json as { findings: readonly { id: string; severity: string }[] };
    const serious = findings.filter(({ severity }) => severity !== 'weak').map(({ id }) => id);
    rows.push([name, version, serious.join(', ') || 'nothing', ...outcomes]);
    return { doctor: { code: doctor.code, serious }, canary: { code, outcomes }, left: await leftOn(containerd) };
  } finally {
    await containerd.stop();
  }
}

interface Trigger {
  readonly change?: (toml: string) => string;
  readonly folder?: (binDir: string) => Promise<unknown>;
  readonly doctor: readonly string[];
  readonly canary: readonly [string, string];
}

/** These tables and `config_path` exclude each other. */
const registry = (table: string) => (toml: string) =>
  toml.replace(/^ {4}config_path = .*\n/m, '').concat(`\n[plugins.'io.containerd.cri.v1.images'.registry.${table}\n`);

/** What each does on a real node, by both ways to pull: `ctr` has its own list of what makes it pull by itself. */
const TRIGGERS: Readonly<Record<string, Trigger>> = {
  none: { doctor: [], canary: ['green', 'green'] },
  'no config_path': {
    change: (toml) => toml.replace(/^ {4}config_path = .*\n/m, ''),
    ...{ doctor: [], canary: ['green', 'green'] },
  },
  use_local_image_pull: {
    change: setting(IMAGES, 'use_local_image_pull = true'),
    ...{ doctor: ['local-pull'], canary: ['bypassed', 'green'] },
  },
  discard_unpacked_layers: {
    change: setting(IMAGES, 'discard_unpacked_layers = true'),
    ...{ doctor: ['local-pull'], canary: ['bypassed', 'green'] },
  },
  disable_snapshot_annotations: {
    change: setting(IMAGES, 'disable_snapshot_annotations = false'),
    ...{ doctor: ['local-pull'], canary: ['bypassed', 'green'] },
  },
  image_pull_with_sync_fs: {
    change: setting(IMAGES, 'image_pull_with_sync_fs = true'),
    ...{ doctor: ['local-pull'], canary: ['bypassed', 'green'] },
  },
  max_concurrent_downloads: {
    change: setting(IMAGES, 'max_concurrent_downloads = 5'),
    ...{ doctor: ['local-pull'], canary: ['bypassed', 'green'] },
  },
  'registry.mirrors': {
    change: registry(`mirrors."docker.io"]\n    endpoint = ["https://mirror.example"]`),
    ...{ doctor: ['local-pull'], canary: ['bypassed', 'green'] },
  },
  'registry.configs': {
    change: registry(`configs."a.example".tls]\n    insecure_skip_verify = true`),
    ...{ doctor: ['local-pull'], canary: ['bypassed', 'green'] },
  },
  'registry.auths': {
    change: registry(`auths."https://a.example"]\n    username = "u"\n    password = "p"`),
    ...{ doctor: ['local-pull'], canary: ['bypassed', 'green'] },
  },
  'bin_dir = ""': {
    change: setting(VERIFIER, 'bin_dir = ""'),
    ...{ doctor: ['bin-dir-unset'], canary: ['bypassed', 'bypassed'] },
  },
  'max_verifiers = 0': {
    change: setting(VERIFIER, 'max_verifiers = 0'),
    ...{ doctor: ['max-verifiers'], canary: ['bypassed', 'bypassed'] },
  },
  'an empty folder': {
    folder: (binDir) => rm(join(binDir, 'portcullis-verifier')),
    ...{ doctor: ['bin-dir-empty'], canary: ['bypassed', 'bypassed'] },
  },
  'no folder': {
    folder: (binDir) => rm(binDir, { recursive: true }),
    ...{ doctor: ['bin-dir-missing'], canary: ['bypassed', 'bypassed'] },
  },
  'the plugin disabled': {
    change: (toml) =>
      toml.replace(/^required_plugins = \[[^\]]*\]/m, `disabled_plugins = ["io.containerd.image-verifier.v1.bindir"]`),
    ...{ doctor: ['verifier-disabled'], canary: ['bypassed', 'bypassed'] },
  },
  'another verifier that refuses': {
    folder: (binDir) => writeFile(join(binDir, 'a-other'), '#!/bin/sh\necho no\nexit 1\n', { mode: 0o755 }),
    ...{ doctor: [], canary: ['refused-by-others', 'refused-by-others'] },
  },
  'another one that refuses, after ours': {
    folder: (binDir) => writeFile(join(binDir, 'z-other'), '#!/bin/sh\necho no\nexit 1\n', { mode: 0o755 }),
    ...{ doctor: [], canary: ['good-refused', 'good-refused'] },
  },
  'an entry that can not run': {
    folder: (binDir) => writeFile(join(binDir, '.gitkeep'), ''),
    ...{ doctor: ['stray-entry'], canary: ['refused-by-others', 'refused-by-others'] },
  },
};

// Most of the time each waits for its containerd or its daemon.
describe('doctor and canary on a real containerd', { concurrency: 4 }, () => {
  for (const version of ['current', 'previous'] as const) {
    for (const [name, trigger] of Object.entries(TRIGGERS)) {
      it(`${version}: ${name}`, async () => {
        const { doctor, canary, left } = await examine(version, name, trigger);
        assert.deepEqual(doctor, { code: trigger.doctor.length === 0 ? 0 : 1, serious: trigger.doctor });
        const code = trigger.canary.every((outcome) => outcome === 'green') ? 0 : 1;
        assert.deepEqual(canary, { code, outcomes: trigger.canary });
        assert.deepEqual(left, []);
      });
    }
  }
});

describe('the canary', () => {
  it('says so when there is no containerd, and when there is no daemon', async () => {
    const { dir } = scene;
    const away = await canary(dir, '--containerd', join(dir, 'none.sock'), '--ctr', (await programsOf('current'))[1]);
    assert.deepEqual([away.code, away.outcomes], [3, ['no-client', 'no-client']]);
    const alone = await canary(dir, '--ctr', 'off', '--grpc-socket', join(dir, 'none.sock'));
    assert.deepEqual([alone.code, alone.outcomes], [3, ['no-daemon']]);
  });
});
