import assert from 'node:assert/strict';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { makeRelease } from '../../infra/release.ts';
import { freePort } from '../../infra/stack/ports.ts';
import { connectCri } from '../../shim/containerd/cri.ts';
import { pushImage } from '../support/image.ts';
import { startTestHouse, type TestHouse } from '../support/pull.ts';
import type { Said } from '../support/systemd-node.ts';
import { type BareNode, MAIN_FILES, startBareNode } from './installed-node.ts';

const DROP_IN = '/etc/containerd/conf.d/zz-portcullis.toml';
const MAIN = '/etc/containerd/config.toml';

/** Four of five are signed. */
const NAMES = Array.from({ length: 150 }, (_, index) => `${index % 5 === 0 ? 'unsigned' : 'signed'}-${index}`);
const isSigned = (tag: string) => tag.startsWith('signed');

let house: TestHouse;
/** Two releases of one program: the second has another version. */
let releases: readonly [string, string];
let repository: string;
const parts = new AsyncDisposableStack();

before(async () => {
  house = await startTestHouse();
  parts.defer(() => house.stop());
  const { address } = house.registry;
  const push = (tag: string, content: string) =>
    pushImage({ registry: address, repository: 'demo/app', tag, files: { content } });
  const [signed] = await Promise.all([push('signed', 'signed'), push('unsigned', 'unsigned')]);
  await house.cosign.sign(`${address}/demo/app@${signed.digest}`, 'release');
  repository = `${address}/demo/app`;
  // One image each under many names: each name is a question that nobody has asked before.
  await Promise.all(NAMES.map((tag) => push(tag, isSigned(tag) ? 'signed' : 'unsigned')));
  releases = [join(house.dir, 'release-1'), join(house.dir, 'release-2')];
  await makeRelease(releases[0]);
  await cp(releases[0], releases[1], { recursive: true });
  await writeFile(join(releases[1], 'VERSION'), '0.2.0-next\n');
});
after(() => parts.disposeAsync());

async function aNode(main = MAIN_FILES.current): Promise<BareNode> {
  const plainHttp = [house.registry.address];
  const node = await startBareNode(house.dir, { version: 'current', main, plainHttp });
  parts.defer(() => node.cut());
  return node;
}

function install(node: BareNode, release: string, ...args: readonly string[]): Promise<Said> {
  return node.run(join(release, 'portcullis'), 'install', ...args);
}

const given = () => ['--verdict-keys', house.verdictPublicKey, '--temporal', house.temporal.address];

/** Everything that an installation could have touched. */
async function traces(node: BareNode): Promise<string> {
  const places =
    '/etc/containerd /etc/systemd/system /etc/tmpfiles.d /etc/portcullis /opt/portcullis /opt/containerd/image-verifier';
  return (await node.run('sh', '-c', `find ${places} -type f -exec sha256sum {} + ; find ${places} -type l`)).stdout;
}

describe('install', { concurrency: 3 }, () => {
  it('refuses, with every reason at once, what would lock the node out, and changes nothing', async () => {
    const node = await aNode(`${MAIN_FILES.previous}
  [plugins."io.containerd.cri.v1.images".registry]
    config_path = ""
  [plugins."io.containerd.cri.v1.images".registry.mirrors."docker.io"]
    endpoint = ["https://mirror.example"]
`);
    const was = await traces(node);
    const { code, stderr } = await install(node, releases[0]);
    assert.equal(code, 1);
    for (const reason of [
      /refused: registry\.mirrors = .*hosts\.toml/,
      /refused: no verdict key: /,
      /refused: no bootstrap list: .*--bootstrap learn/,
      /refused: no TEMPORAL_ADDRESS in .*--temporal HOST:PORT/,
    ]) {
      assert.match(stderr, reason);
    }
    const dry = await install(await aNode(), releases[0], ...given(), '--bootstrap', 'none', '--dry-run');
    assert.equal(dry.code, 0, dry.stderr);
    assert.match(dry.stdout, /^\+ {2}bin_dir = /m);
    assert.equal(await traces(node), was);
  });

  it('does not shut the gate before the daemon has heard of the policy', async () => {
    const node = await aNode();
    const was = await traces(node);
    const nobody = ['--verdict-keys', house.verdictPublicKey, '--temporal', `127.0.0.1:${await freePort()}`];
    const { code, stderr } = await install(node, releases[0], ...nobody, '--bootstrap', 'none');
    assert.equal(code, 3);
    assert.match(stderr, /does not answer; it is gone again, and containerd was not touched: .*--without-backend/);
    assert.equal((await traces(node)).replace(/^.*\/opt\/portcullis\/releases\/.*\n/gm, ''), was);
    assert.equal((await node.run('systemctl', 'is-active', 'portcullis-shim')).stdout, 'inactive\n');
    const alone = await install(node, releases[0], ...nobody, '--bootstrap', 'none', '--without-backend');
    assert.equal(alone.code, 1, 'doctor has the last word, and says that nothing but listed images is pulled');
    assert.match(alone.stdout, /policy-unknown/);
    assert.match(alone.stdout, /✓ cri: the good image was pulled/);
  });

  it('takes everything back when another file counts more', async () => {
    const node = await aNode();
    await node.run('mkdir', '-p', '/etc/containerd/conf.d');
    const other = '[plugins."io.containerd.cri.v1.images"]\ndiscard_unpacked_layers = true\n';
    await writeFile(node.path('/etc/containerd/conf.d/zzz.toml'), `version = 3\n${other}`);
    const { code, stderr } = await install(node, releases[0], ...given(), '--bootstrap', 'none');
    assert.equal(code, 3);
    assert.match(stderr, /files are as they were before: a file that counts more says discard_unpacked_layers = true/);
    await assert.rejects(readFile(node.path(DROP_IN)), /ENOENT/);
    assert.equal((await node.run('ls', '/opt/containerd/image-verifier/bin')).stdout, '');
  });

  it('is undone by uninstall: every byte of others is as it was, and containerd pulls unasked', async () => {
    const node = await aNode(MAIN_FILES.previous);
    assert.equal((await install(node, releases[0], ...given(), '--bootstrap', 'none')).code, 0);
    assert.notEqual(await readFile(node.path(MAIN), 'utf8'), MAIN_FILES.previous);
    assert.equal(await readFile(node.path(`${MAIN}.before-portcullis`), 'utf8'), MAIN_FILES.previous);
    assert.match((await pull(node, `${repository}:unsigned`)) ?? '', /UNSIGNED: /);
    const { code, stdout } = await node.run('/opt/portcullis/current/portcullis', 'uninstall', '--purge');
    assert.equal(code, 0, stdout);
    assert.equal(await readFile(node.path(MAIN), 'utf8'), MAIN_FILES.previous);
    assert.doesNotMatch(await traces(node), /portcullis/);
    assert.equal(await pull(node, `${repository}:unsigned`), undefined);
  });

  it('upgrades and goes back while fifty pulls run: none is wrongly let in, or put off for more than a moment', async () => {
    const node = await aNode();
    assert.equal((await install(node, releases[0], ...given(), '--bootstrap', 'none')).code, 0);
    const refusals = new Map<string, number>();
    let pulls = 0;
    const former = join('/opt/portcullis/releases', await versionOf(releases[0]));
    for (const [release, names] of [[releases[1], NAMES.slice(0, 75)] as const, [former, NAMES.slice(75)] as const]) {
      const load = startLoad(node, names, refusals);
      // A failure is told: pulls that went on would keep the test file from ending.
      const said = await install(node, release).finally(async () => {
        pulls += await load.stop();
      });
      assert.equal(said.code, 0, said.stderr);
      assert.match(said.stdout, /^to go back: \/opt\/portcullis\/releases\/.*\/portcullis install$/m);
      for (const tag of names.filter(isSigned)) assert.equal(await pull(node, `${repository}:${tag}`), undefined);
    }
    console.log(
      `${pulls} pulls while it was upgraded and went back; refused: ${JSON.stringify(Object.fromEntries(refusals))}`,
    );
    assert.deepEqual(
      [...refusals.keys()].filter((code) => !PUT_OFF.has(code)),
      ['UNSIGNED'],
    );
    const log = await node.run('/opt/portcullis/current/portcullis', 'why', `${repository}:${NAMES[0]}`);
    assert.match(log.stdout, /refused .*UNSIGNED/s);
  });

  for (const [what, file, text, expected] of [
    [
      'whose launcher refuses everything',
      'portcullis-verifier',
      '#!/bin/sh\necho no\nexit 1\n',
      /canary is not green, refused-by-others/,
    ],
    ['whose daemon does not start', 'portcullis', '#!/bin/sh\nexit 1\n', /does not answer; .* runs again/],
  ] as const) {
    it(`goes back by itself from a release ${what}`, async () => {
      const node = await aNode();
      assert.equal((await install(node, releases[0], ...given(), '--bootstrap', 'none')).code, 0);
      const was = await traces(node);
      const broken = join(house.dir, `broken-${file}`);
      await cp(releases[0], broken, { recursive: true });
      await writeFile(join(broken, 'VERSION'), `0.0.0-${file}\n`);
      // The command is that of the good one, as long as it runs.
      await writeFile(join(broken, file), text, { mode: 0o755 });
      const node24 = [join(broken, 'bin/node'), join(broken, 'lib/node/portcullis.mjs')] as const;
      const { code, stderr } = await node.run(...node24, 'install');
      assert.equal(code, 3, stderr);
      assert.match(stderr, expected);
      const without = (text: string) => text.replace(/^.*\/opt\/portcullis\/releases\/.*\n/gm, '');
      assert.equal(without(await traces(node)), without(was));
      assert.match(
        (await node.run('readlink', '/opt/portcullis/current')).stdout,
        new RegExp(await versionOf(releases[0])),
      );
      assert.equal(await pull(node, `${repository}:signed`), undefined);
      assert.match((await pull(node, `${repository}:unsigned`)) ?? '', /UNSIGNED: /);
    });
  }

  it('is what the DaemonSet does on its host', async () => {
    const node = await aNode();
    const given = join(house.dir, 'given');
    await mkdir(given);
    await cp(house.verdictPublicKey, join(given, 'verdict.pub'));
    await writeFile(join(given, 'shim.env'), `TEMPORAL_ADDRESS=${house.temporal.address}\n`);
    await writeFile(join(given, 'cluster.list'), '# nothing\n');
    const script = new URL('../../infra/kubernetes/install-on-host.sh', import.meta.url).pathname;
    for (const expected of [/✓ cri: the daemon was asked about both/m, /^nothing to change$/m]) {
      const said = await node.run('env', 'HOST=/', `RELEASE=${releases[0]}`, `GIVEN=${given}`, script);
      assert.equal(said.code, 0, said.stdout + said.stderr);
      assert.match(said.stdout, expected);
    }
    assert.equal((await node.run('ls', '/opt/portcullis')).stdout, 'current\nreleases\n');
    assert.equal((await node.run('stat', '-c', '%a', '/etc/portcullis/shim.env')).stdout, '600\n');
    await writeFile(join(given, 'cluster.list'), '# another word\n');
    assert.equal((await node.run('env', 'HOST=/', `RELEASE=${releases[0]}`, `GIVEN=${given}`, script)).code, 0);
    assert.equal(await readFile(node.path('/etc/portcullis/bootstrap/cluster.list'), 'utf8'), '# another word\n');
    // What is learnt is edited by hand afterwards: it is not replaced.
    const proposed = await install(node, releases[0], '--bootstrap', 'learn');
    assert.equal(proposed.code, 1);
    const [, fingerprint = ''] =
      /refused: .* was proposed and not read yet: .*--learnt ([0-9a-f]{16})$/m.exec(proposed.stderr) ?? [];
    assert.match(proposed.stdout, /^\+# Read every line:/m);
    await assert.rejects(readFile(node.path('/etc/portcullis/bootstrap/node.list')), /ENOENT/);
    const other = await install(node, releases[0], '--bootstrap', 'learn', '--learnt', '0'.repeat(16));
    assert.match(other.stderr, new RegExp(`is not the one that was read: .*--learnt ${fingerprint}$`, 'm'));
    assert.equal((await install(node, releases[0], '--bootstrap', 'learn', '--learnt', fingerprint)).code, 0);
    await writeFile(node.path('/etc/portcullis/bootstrap/node.list'), '# edited\n');
    const again = await install(node, releases[0], '--bootstrap', 'learn');
    assert.match(again.stderr, /node\.list is there and says something else: edit it, or move it away/);
    assert.equal(await readFile(node.path('/etc/portcullis/bootstrap/node.list'), 'utf8'), '# edited\n');
  });

  it('outlives a power cut: the daemon is there before containerd pulls anything', async () => {
    const node = await aNode();
    assert.equal((await install(node, releases[0], ...given(), '--bootstrap', 'none')).code, 0);
    assert.equal(await pull(node, `${repository}:signed`), undefined);
    await node.cut();
    const again = await node.boot();
    parts.defer(() => again.cut());
    assert.equal((await again.run('systemctl', 'is-active', 'portcullis-shim')).stdout, 'active\n');
    assert.match((await pull(again, `${repository}:unsigned`)) ?? '', /UNSIGNED: /);
    assert.equal((await again.run('/opt/portcullis/current/portcullis', 'canary', '--ctr', 'off')).code, 0);
  });
});

/** Codes that say "pull again", and nothing of the image. */
const PUT_OFF: ReadonlySet<string> = new Set(['SHIM_ABSENT', 'SHIM_STOPPING', 'STILL_VERIFYING', 'SHIM_BUSY']);

async function versionOf(release: string): Promise<string> {
  return (await readFile(join(release, 'VERSION'), 'utf8')).trim();
}

/** By the CRI, as a kubelet pulls; answers why it was refused. */
async function pull(node: BareNode, name: string): Promise<string | undefined> {
  const cri = connectCri(node.path('/run/containerd/containerd.sock'));
  try {
    await cri.pullImage(name);
    return undefined;
  } catch (error) {
    return String(error);
  } finally {
    cri.close();
  }
}

/** Fifty pulls at any time, of these names again and again; counts the codes of refusals. */
function startLoad(node: BareNode, names: readonly string[], refusals: Map<string, number>) {
  let stopped = false;
  let count = 0;
  const wrong: string[] = [];
  const one = async () => {
    while (!stopped) {
      const tag = names[count++ % names.length] ?? '';
      const refusal = await pull(node, `${repository}:${tag}`);
      if (refusal === undefined) {
        if (!isSigned(tag)) wrong.push(`${tag} was let in`);
        continue;
      }
      const [, code = refusal] = /\b([A-Z][A-Z0-9_]+): /.exec(refusal.slice(refusal.indexOf('rejected image'))) ?? [];
      if (isSigned(tag) && !PUT_OFF.has(code)) wrong.push(`${tag}: ${refusal}`);
      refusals.set(code, (refusals.get(code) ?? 0) + 1);
    }
  };
  const running = Array.from({ length: 50 }, one);
  return {
    async stop() {
      stopped = true;
      await Promise.all(running);
      assert.deepEqual(wrong, []);
      return count;
    },
  };
}
