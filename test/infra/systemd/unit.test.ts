import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { DURABLE_ATTEMPT_MS, SHIM_DEADLINE_MS } from '../../../workflows/verdict/deadlines.ts';

const path = fileURLToPath(new URL('../../../infra/systemd/portcullis-shim.service', import.meta.url));
const unit = readFileSync(path, 'utf8');

/** The last value of a setting, in seconds. */
function secondsOf(setting: string): number {
  const [, value, unitOfTime] = new RegExp(`^${setting}=(\\d+)(ms)?$`, 'm').exec(unit) ?? [];
  return Number(value) / (unitOfTime === 'ms' ? 1_000 : 1);
}

describe('the unit of the daemon', () => {
  it('exposes less than 2.0, as systemd-analyze counts', {
    skip: !hasAnalyze() && 'systemd-analyze is not here',
  }, () => {
    const said = execFileSync('systemd-analyze', ['security', '--offline=true', '--no-pager', path], {
      encoding: 'utf8',
    });
    const exposure = Number(/Overall exposure level .*: ([\d.]+)/.exec(said)?.[1]);
    assert.ok(exposure < 2, said.split('\n').at(-2));
  });

  it('gives it time to answer what runs, and comes back before a launcher gives up', () => {
    assert.ok(secondsOf('TimeoutStopSec') * 1_000 > SHIM_DEADLINE_MS);
    assert.ok(secondsOf('RestartSec') < 2);
    assert.match(unit, /^Restart=always$/m);
    assert.match(unit, /^StartLimitIntervalSec=0$/m);
  });

  it('waits for no network, and is there before anything is pulled', () => {
    assert.doesNotMatch(unit, /^(After|Wants|Requires)=.*network/m);
    assert.match(unit, /^Before=containerd\.service kubelet\.service/m);
    assert.doesNotMatch(unit, /^Require(dBy|s)=/m, 'a daemon that fails must not keep containerd from starting');
  });
});

const workerPath = fileURLToPath(new URL('../../../infra/systemd/portcullis-worker.service', import.meta.url));
const worker = readFileSync(workerPath, 'utf8');

describe('the unit of the worker', () => {
  it('exposes less than 1.5, as systemd-analyze counts', {
    skip: !hasAnalyze() && 'systemd-analyze is not here',
  }, () => {
    const args = ['security', '--offline=true', '--no-pager', workerPath];
    const said = execFileSync('systemd-analyze', args, { encoding: 'utf8' });
    const exposure = Number(/Overall exposure level .*: ([\d.]+)/.exec(said)?.[1]);
    assert.ok(exposure < 1.5, said.split('\n').at(-2));
  });

  it('gives running checks the time that they have, and comes back whatever ended it', () => {
    const [, stop] = /^TimeoutStopSec=(\d+)$/m.exec(worker) ?? [];
    assert.ok(Number(stop) * 1_000 > DURABLE_ATTEMPT_MS);
    assert.match(worker, /^Restart=always$/m);
    assert.match(worker, /^StartLimitIntervalSec=0$/m);
  });

  it('is no root, and its key is no argument', () => {
    const [, user] = /^User=(.+)$/m.exec(worker) ?? [];
    const sysusers = readFileSync(
      new URL('../../../infra/systemd/portcullis-worker.sysusers', import.meta.url),
      'utf8',
    );
    assert.match(sysusers, new RegExp(`^u ${user} - `, 'm'));
    assert.doesNotMatch(worker, /PRIVATE KEY|^User=root|PASSWORD|TOKEN=/m);
  });

  it('says of each restriction that it does without why', () => {
    for (const missing of ['MemoryDenyWriteExecute', 'ProcSubset', 'PrivateNetwork', 'RootDirectory', 'NoExecPaths']) {
      assert.doesNotMatch(worker, new RegExp(`^${missing}=`, 'm'));
      assert.match(worker, new RegExp(`^# .*${missing}.*: `, 'm'));
    }
  });
});

function hasAnalyze(): boolean {
  try {
    execFileSync('systemd-analyze', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
