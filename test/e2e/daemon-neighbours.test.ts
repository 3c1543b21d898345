import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { chmod, copyFile, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { freePort } from '../../infra/stack/ports.ts';
import { assertRefused, pullThrough } from '../support/pull.ts';
import { DIGEST, dir, NAME, sockets, startShim } from './lone-daemon.ts';

const NOBODY = 65_534;

/** Runs a script as a user without any right, in the network of the node, as a pod with hostNetwork is. */
async function asNeighbour(script: string, ...args: readonly string[]): Promise<readonly string[]> {
  const rights = { uid: NOBODY, gid: NOBODY, cwd: '/', env: {} };
  // The checkout may be in a folder that this user can't enter.
  const program = join(dir, 'node');
  await copyFile(process.execPath, program);
  await chmod(program, 0o755);
  const { stdout } = await promisify(execFile)(program, ['-e', script, ...args], rights);
  return stdout.trim().split('\n');
}

const CONNECT = `for (const path of process.argv.slice(1)) {
  require('node:net').connect(path, () => { console.log('connected'); process.exit(); })
    .on('error', ({ code }) => console.log(code));
}`;

const FETCH = `(async () => {
  const [url, stranger] = process.argv.slice(1);
  const asks = [[url + '/metrics'], [url + '/'], [url + '/metrics', { method: 'POST' }], [url + '/../etc/passwd'], [stranger]];
  for (const [at, how] of asks) console.log((await fetch(at, how).catch(() => ({ status: 'no answer' }))).status);
})()`;

/** A small disk of its own that is full, at a path. */
async function fullDisk(path: string): Promise<Disposable> {
  await mkdir(path, { mode: 0o700 });
  assert.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k,mode=0700', 'none', path]).status, 0);
  await assert.rejects(writeFile(join(path, 'filler'), Buffer.alloc(128 * 1024)), /ENOSPC/);
  return { [Symbol.dispose]: () => void spawnSync('umount', ['--lazy', path]) };
}

describe('a pod with hostNetwork, and any other user of the node,', () => {
  it('reaches neither socket, whatever folders it may enter, and reads the metrics alone', async (test) => {
    const port = await freePort();
    await startShim(test, ['--metrics', `127.0.0.1:${port}`]);
    await chmod(dir, 0o755);
    await chmod(join(dir, 'run'), 0o755);
    const [launcher, grpc] = [sockets.launcher, sockets.grpc];
    assert.deepEqual(await asNeighbour(CONNECT, launcher, grpc), ['EACCES', 'EACCES']);
    const answers = await asNeighbour(FETCH, `http://127.0.0.1:${port}`, `http://127.0.0.1:${await freePort()}`);
    assert.deepEqual(answers, ['200', '404', '404', '404', 'no answer']);
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    assert.doesNotMatch(metrics, new RegExp(`${DIGEST}|${NAME}|PRIVATE|api_key`, 'i'));
  });

  it('does not open the gate by filling the disk: without a state nothing is allowed until a policy head comes', async (test) => {
    const [state, lists] = [join(dir, 'state'), join(dir, 'lists')];
    using _ = await fullDisk(state);
    await mkdir(lists, { mode: 0o755 });
    const listed = `sha256:${'1d'.repeat(32)}`;
    await writeFile(join(lists, 'node.list'), `${listed}  pause\n`);
    await startShim(test, ['--metrics', 'off', '--state', state, '--bootstrap', lists]);
    assertRefused(await pullThrough(sockets.launcher, '127.0.0.1:5000/pause:1', listed), 'STATE_UNREADABLE');
    assertRefused(await pullThrough(sockets.launcher, NAME, DIGEST), 'STATE_UNREADABLE');
    assert.ok((await readdir(state)).includes('filler'));
  });
});
