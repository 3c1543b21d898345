import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseList } from '../../shim/bootstrap/list-file.ts';
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

  it('writes it as a new file, and never over one', async () => {
    const file = join(node.dir, 'node.list');
    assert.equal((await learn('--manifests', '/none', '--image', node.image.name, '--write', file)).code, 0);
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
