import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseList } from '../../shim/bootstrap/list-file.ts';
import { connectCri } from '../../shim/containerd/cri.ts';
import { pushImage, pushIndex } from '../support/image.ts';
import { type GuardedNode, startGuardedNode } from './guarded-node.ts';

const PROGRAM = fileURLToPath(new URL('../../infra/portcullis', import.meta.url));

let node: GuardedNode;
before(async () => {
  node = await startGuardedNode();
  await node.guardBy({ all: '#!/bin/sh\nexit 0\n' });
});
after(() => node.stop());

function learn(...args: readonly string[]) {
  const all = ['bootstrap', 'learn', '--containerd', node.containerd.address, ...args];
  return new Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>((resolve) => {
    execFile(PROGRAM, all, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
    });
  });
}

describe('portcullis bootstrap learn on a real containerd', () => {
  it('proposes the digests by which the images of static pods came to the node', async () => {
    assert.equal(await node.pullByCri(), undefined);
    const manifests = join(node.dir, 'manifests');
    await mkdir(manifests);
    await writeFile(
      join(manifests, 'app.yaml'),
      `spec: {containers: [{image: "${node.image.name}"}, {image: none:1}]}`,
    );
    const { code, stdout, stderr } = await learn('--manifests', manifests);
    assert.equal(code, 1, 'an image that is wanted is not there');
    assert.match(stderr, /not on this node under a digest: none:1 \(.*app\.yaml\); pull it first/);
    const { listed, problems } = parseList(stdout, 'node.list');
    assert.deepEqual(
      [listed.map(({ digest, name }) => [digest, name]), problems],
      [[[node.image.digest, node.image.name]], []],
    );
  });

  it('takes for the sandbox image the one that containerd is configured with, and no other', async () => {
    assert.match(
      (await learn('--manifests', '/none')).stderr,
      /note: not on this node yet.*: registry\.k8s\.io\/pause:/,
    );
    const [, sandbox = ''] =
      /list: (registry\.k8s\.io\/pause:\S+) /.exec((await learn('--manifests', '/none')).stderr) ?? [];
    const [, tag = ''] = sandbox.split(':');
    // containerd gets it from the registry of this test
    await mkdir(join(node.dir, 'hosts/registry.k8s.io'), { recursive: true });
    await writeFile(join(node.dir, 'hosts/registry.k8s.io/hosts.toml'), `server = "http://${node.registry}"\n`);
    const pause = await pushImage({ registry: node.registry, repository: 'pause', tag });
    const theirs = await pushImage({ registry: node.registry, repository: 'evil/pause', tag });
    for (const name of [sandbox, theirs.name]) assert.equal(await node.pullByCri(name), undefined);
    const { code, stdout, stderr } = await learn('--manifests', '/none');
    assert.deepEqual([code, stderr], [0, '']);
    assert.deepEqual(
      parseList(stdout, 'x').listed.map(({ digest, name }) => [digest, name]),
      [[pause.digest, sandbox]],
    );
  });

  it('does not take what a tenant pulled that has the id of an image that is wanted, and asks about a second digest', async () => {
    const files = { proxy: 'the same bytes' };
    const push = { registry: node.registry, tag: 'v1', files };
    const proxy = await pushImage({ ...push, repository: 'infra/proxy' });
    const theirs = await pushIndex({ ...push, repository: 'evil/app' });
    assert.notEqual(theirs.digest, proxy.digest);
    for (const name of [theirs.name, proxy.name]) assert.equal(await node.pullByCri(name), undefined);
    const cri = connectCri(node.containerd.address);
    try {
      const [ours, other] = [await cri.imageStatus(proxy.name), await cri.imageStatus(theirs.name)];
      assert.deepEqual([ours?.id, ours?.repoDigests.length], [other?.id, 2]);
    } finally {
      cri.close();
    }
    const wanted = ['--manifests', '/none', '--image', proxy.name];
    const digests = (stdout: string) =>
      parseList(stdout, 'x').listed.flatMap(({ digest, name }) => (name === proxy.name ? [digest] : []));
    assert.deepEqual(digests((await learn(...wanted)).stdout), [proxy.digest]);
    assert.ok(!(await learn(...wanted)).stdout.includes(theirs.digest));

    const second = await pushIndex({ ...push, repository: 'infra/proxy', tag: 'v2' });
    assert.equal(await node.pullByCri(second.name), undefined);
    const file = join(node.dir, 'ambiguous.list');
    const unsure = await learn(...wanted, '--write', file);
    assert.equal(unsure.code, 1);
    for (const part of [proxy.digest, second.digest, 'has 2 digests on this node', 'nothing was written']) {
      assert.ok(unsure.stderr.includes(part), part);
    }
    await assert.rejects(stat(file), /ENOENT/);
    const choice = `${node.registry}/infra/proxy@${proxy.digest}`;
    const sure = await learn(...wanted, '--digest', choice);
    assert.deepEqual([sure.code, digests(sure.stdout)], [0, [proxy.digest]]);
  });

  it('writes it as a new file, and never over one', async () => {
    const file = join(node.dir, 'node.list');
    const written = await learn('--manifests', '/none', '--image', node.image.name, '--write', file);
    assert.equal(written.code, 0, written.stderr);
    assert.match(await readFile(file, 'utf8'), new RegExp(`^${node.image.digest} {2}`, 'm'));
    assert.equal((await stat(file)).mode & 0o777, 0o644);
    const again = await learn('--all', '--write', file);
    assert.deepEqual([again.code, /expected a new file/.test(again.stderr)], [2, true]);
  });

  it('says so when there is no containerd', async () => {
    const { code, stderr } = await learn('--containerd', join(node.dir, 'none.sock'));
    assert.equal(code, 3);
    assert.match(stderr, /^portcullis bootstrap learn: /);
  });
});
