import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { RELEASE_KEY } from '../../infra/stack/house.ts';
import { pushImage } from '../support/image.ts';
import { assertRefused, startTestHouse, type TestHouse } from '../support/pull.ts';
import { bootNode, makeNodeDisk, type SystemdNode } from '../support/systemd-node.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const UNITS = join(ROOT, 'infra/systemd');
const UNIT = 'portcullis-worker.service';
const HOME = '/etc/portcullis-worker';

/** Until a worker that systemd starts has found Temporal, in ms. */
const START_MS = 60_000;

let dir: string;
let house: TestHouse;
let node: SystemdNode;
before(async () => {
  house = await startTestHouse({ registry: 'distribution' });
  await house.worker.stop();
  dir = await mkdtemp(join(tmpdir(), 'portcullis-worker-unit-'));
  await makeNodeDisk(dir, {});
  await mkdir(join(dir, 'opt/portcullis-worker'));
  await cp(join(UNITS, UNIT), join(dir, 'etc/systemd/system', UNIT));
  await mkdir(join(dir, HOME));
  await cp(house.policyDirectory, join(dir, HOME, 'policy'), { recursive: true });
  await cp(house.verdictKey, join(dir, HOME, 'verdict.key'));
  const settings = [
    `TEMPORAL_ADDRESS=${house.temporal.address}`,
    `VERDICT_KEY=${HOME}/verdict.key`,
    'WORKER_OPTIONS=--allow-internal 127.0.0.0/8 --metrics off',
  ];
  await writeFile(join(dir, HOME, 'worker.env'), `${settings.join('\n')}\n`, { mode: 0o600 });
  node = await bootNode(dir);
  // As README.md beside the unit says.
  await root('mount', '--bind', ROOT, '/opt/portcullis-worker');
  await root('systemd-sysusers', '/opt/portcullis-worker/infra/systemd/portcullis-worker.sysusers');
  await root('chown', 'portcullis-worker:', `${HOME}/verdict.key`);
  await root('chmod', '-R', 'a+rX', `${HOME}/policy`);
  await root('systemctl', 'start', UNIT);
  await ready();
});
after(async () => {
  await node.cut();
  await rm(dir, { recursive: true, force: true });
  await house.stop();
});

/** Runs a program of root on the node that has to succeed, and answers what it printed. */
async function root(program: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await node.run(program, ...args);
  assert.equal(code, 0, `${program} ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}

async function log(): Promise<string> {
  return (await node.run('journalctl', '-u', UNIT, '-o', 'cat', '--no-pager')).stdout;
}

async function ready(times = 1): Promise<void> {
  for (const end = Date.now() + START_MS; (await log()).split('"message":"ready"').length <= times; await delay(200)) {
    assert.ok(Date.now() < end, `the worker is not ready:\n${await log()}`);
  }
}

async function push() {
  const repository = 'demo/app';
  return await pushImage({
    ...{ registry: house.registry.address, repository, tag: randomUUID() },
    files: { unique: randomUUID() },
  });
}

describe('the unit of the worker, run by a real systemd', () => {
  it('verifies a signed image, and refuses one that is not signed', async () => {
    const [signed, unsigned] = [await push(), await push()];
    await house.cosign.sign(`${signed.name.replace(/:[^:/]*$/, '')}@${signed.digest}`, RELEASE_KEY);
    const allowed = await house.pull(signed.name, signed.digest);
    assert.equal(allowed.exitCode, 0, `${allowed.stdout}\n${await log()}`);
    assertRefused(await house.pull(unsigned.name, unsigned.digest), 'UNSIGNED');
  });

  it('runs without privileges, and sees neither homes nor what the daemon of a node has', async () => {
    const show = async (name: string) => (await root('systemctl', 'show', '-P', name, UNIT)).trim();
    const pid = await show('MainPID');
    const status = await root('cat', `/proc/${pid}/status`);
    assert.match(status, /^Uid:\t(?!0\t)\d+\t/m);
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
      assert.match(status, new RegExp(`^${set}:\\t0{16}$`, 'm'));
    }
    assert.match(status, /^NoNewPrivs:\t1$/m);
    assert.match(status, /^Seccomp:\t2$/m);
    const inside = (...words: readonly string[]) => node.run('nsenter', '-t', pid, '-m', ...words);
    assert.notEqual((await inside('touch', '/etc/written')).code, 0);
    assert.notEqual((await inside('touch', '/opt/portcullis-worker/written')).code, 0);
    assert.equal((await inside('ls', '-A', '/root')).stdout, '');
    assert.equal((await inside('test', '-w', '/var/lib/portcullis-worker')).code, 0);
  });

  it('is started again when it is killed, and ends within its time when it is stopped', async () => {
    await root('systemctl', 'kill', '-s', 'KILL', UNIT);
    await ready(2);
    await root('systemctl', 'stop', UNIT);
    assert.equal((await root('systemctl', 'show', '-P', 'Result', UNIT)).trim(), 'success', await log());
  });
});
