import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createVerdictKey } from '../../activities/verdict-key.ts';
import { build } from '../../infra/build.ts';
import { type Containerd, type ContainerdVersion, startContainerd } from '../../infra/stack/containerd.ts';
import { startShim } from '../../infra/stack/portcullis.ts';
import { freePort } from '../../infra/stack/ports.ts';
import type { ServerProcess } from '../../infra/stack/process.ts';
import { obtain } from '../../infra/tools/obtain.ts';
import { connectCri } from '../../shim/containerd/cri.ts';
import { renderTable } from '../bench/table.ts';

const PROGRAM = new URL('../../infra/portcullis', import.meta.url).pathname;
const IMAGES = `[plugins.'io.containerd.cri.v1.images']`;
const VERIFIER = `[plugins.'io.containerd.image-verifier.v1.bindir']`;

let dir: string;
let shim: ServerProcess;
let launcher: string;
let metrics: string;
const bootstrap = () => join(dir, 'bootstrap');
const rows: string[][] = [['trigger', 'containerd', 'doctor says', 'canary by cri', 'canary by ctr']];

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'portcullis-canary-'));
  await mkdir(bootstrap());
  launcher = (await build()).launcher;
  await createVerdictKey(join(dir, 'verdict.key'), join(dir, 'verdict.pub'));
  metrics = `127.0.0.1:${await freePort()}`;
  // There is no Temporal anywhere here: neither doctor nor canary needs one.
  shim = await startShim({
    ...{
      dir,
      temporal: `127.0.0.1:${await freePort()}`,
      verdictKeys: join(dir, 'verdict.pub'),
      bootstrap: bootstrap(),
    },
    ...{ launcherSocket: join(dir, 'run', 'l.sock'), grpcSocket: join(dir, 'run', 'g.sock'), metrics },
  });
  await writeFile(
    join(dir, 'shim.yaml'),
    `socket: ${join(dir, 'run', 'l.sock')}\nmetrics: "off"\nbootstrap: ${bootstrap()}\n`,
  );
});
after(async () => {
  await shim.stop();
  await rm(dir, { recursive: true });
  console.log(renderTable(rows));
});

interface Said {
  readonly code: number;
  readonly json: unknown;
}

function portcullis(...args: readonly string[]): Promise<Said> {
  return new Promise((resolve, reject) => {
    execFile(PROGRAM, [...args, '--config', join(dir, 'shim.yaml'), '--output', 'json'], (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code;
      if (typeof code !== 'number' || stdout === '') reject(new Error(stderr, { cause: error }));
      else resolve({ code, json: JSON.parse(stdout) });
    });
  });
}

/** One containerd with the launcher, a change to its configuration or folder, and what doctor and canary say of it. */
async function examine(version: ContainerdVersion, name: string, trigger: Trigger) {
  const home = await mkdtemp(join(dir, 'c-'));
  const binDir = join(home, 'verifiers');
  await mkdir(binDir);
  await copyFile(launcher, join(binDir, 'portcullis-verifier'));
  await trigger.folder?.(binDir);
  const containerd = await startContainerd({
    ...{ dir: home, binDir, version, extraEnv: { PORTCULLIS_SOCKET: join(dir, 'run', 'l.sock') } },
    ...(trigger.change === undefined ? {} : { change: trigger.change }),
  });
  try {
    const programs =
      version === 'current' ? (['containerd', 'ctr'] as const) : (['containerd-previous', 'ctr-previous'] as const);
    const found: Readonly<Record<string, string>> = await obtain(programs);
    const [binary = '', ctr = ''] = programs.map((program) => found[program]);
    const doctor = await portcullis(
      'doctor',
      '--containerd',
      binary,
      '--containerd-config',
      join(home, 'containerd.toml'),
    );
    const canary = await portcullis('canary', '--containerd', containerd.address, '--ctr', ctr);
    // the commands print what these types say
    const { findings } = doctor.json as { findings: readonly { id: string; severity: string }[] };
    const results = canary.json as readonly { client: string; outcome: string }[];
    const serious = findings.filter(({ severity }) => severity !== 'weak').map(({ id }) => id);
    const outcomes = results.map(({ outcome }) => outcome);
    rows.push([name, version, serious.join(', ') || 'nothing', ...outcomes]);
    return {
      doctor: { code: doctor.code, serious },
      canary: { code: canary.code, outcomes },
      left: await imagesOf(containerd),
    };
  } finally {
    await containerd.stop();
  }
}

async function imagesOf(containerd: Containerd): Promise<number> {
  const cri = connectCri(containerd.address);
  const { stdout } = await containerd.ctr(['--namespace', 'portcullis-canary', 'images', 'ls', '-q']);
  try {
    return (await cri.listImages()).length + stdout.split('\n').filter((line) => line !== '').length;
  } finally {
    cri.close();
  }
}

interface Trigger {
  readonly change?: (toml: string) => string;
  readonly folder?: (binDir: string) => Promise<unknown>;
  readonly doctor: readonly string[];
  readonly canary: readonly [string, string];
}

const setting = (section: string, line: string) => (toml: string) => {
  const key = line.split(' ')[0];
  return toml.replace(new RegExp(`^  ${key} = .*\n`, 'm'), '').replace(section, `${section}\n  ${line}`);
};

/** These tables and `config_path` exclude each other. */
const registry = (table: string) => (toml: string) =>
  toml.replace(/^ {4}config_path = .*\n/m, '').concat(`\n[plugins.'io.containerd.cri.v1.images'.registry.${table}\n`);

/** What each does on a real node, by both ways to pull: `ctr` has its own list of what makes it pull by itself. */
const TRIGGERS: Readonly<Record<string, Trigger>> = {
  none: { doctor: [], canary: ['green', 'green'] },
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
        assert.equal(left, 0, 'images are left on the node');
      });
    }
  }
});

describe('the canary', () => {
  it('says so when there is no containerd, and of the daemon when it watches itself', async () => {
    const { code, json } = await portcullis('canary', '--containerd', join(dir, 'none.sock'));
    assert.equal(code, 3);
    assert.partialDeepStrictEqual(json, [{ client: 'cri', outcome: 'no-client' }]);
    const text = await (await fetch(`http://${metrics}/metrics`)).text();
    assert.match(text, /^portcullis_canary_green -1$/m);
    assert.match(text, /^portcullis_decisions_total\{front="launcher",outcome="deny",reason="CANARY_REFUSED"\} \d+$/m);
    assert.deepEqual(await readdir(bootstrap()), [], 'a list is left on the node');
  });
});
