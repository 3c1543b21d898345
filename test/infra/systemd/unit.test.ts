import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { SHIM_DEADLINE_MS } from '../../../workflows/deadlines.ts';

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

function hasAnalyze(): boolean {
  try {
    execFileSync('systemd-analyze', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
