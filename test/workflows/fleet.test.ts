import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { workerCommand } from '../../activities/cli/worker.ts';
import { fleetOf } from '../../shim/cli/options.ts';
import { shimCommand } from '../../shim/cli/shim.ts';
import { foreignFleet, isFleetName } from '../../workflows/fleet.ts';

describe('the name of a fleet', () => {
  for (const name of ['portcullis', 'production', 'eu-west.1', 'team_a:prod', '7', 'a'.repeat(100)]) {
    it(`may be ${name.slice(0, 20)}`, () => assert.ok(isFleetName(name)));
  }

  for (const name of ['', 'a b', 'a/b', '-a', '.a', 'prod\n', 'pröd', 'prod"', 'a'.repeat(101), 7, null, undefined]) {
    it(`is not ${JSON.stringify(name)?.slice(0, 20)}`, () => assert.ok(!isFleetName(name)));
  }

  it('is the task queue unless it is given, where that can be a name', () => {
    assert.deepEqual(
      [fleetOf(undefined, 'queue'), fleetOf('production', 'queue'), fleetOf(undefined, 'a/b'), fleetOf('a b', 'queue')],
      ['queue', 'production', undefined, undefined],
    );
  });

  it('that can not be one is wrong usage of a worker and of a daemon', async (t) => {
    const said = t.mock.method(console, 'error', () => {});
    const files = ['--policy', 'p', '--verdict-key', 'k'];
    assert.equal(await workerCommand.run([...files, '--fleet', 'a b']), 2);
    assert.equal(await workerCommand.run([...files, '--task-queue', 'a/b']), 2);
    assert.equal(await shimCommand.run(['--verdict-keys', 'k', '--fleet', 'a b']), 2);
    assert.equal(said.mock.callCount(), 3);
    for (const call of said.mock.calls) assert.match(String(call.arguments[0]), /--fleet: expected 1 to 100 letters/);
  });

  it('is compared as it is written', () => {
    assert.equal(foreignFleet('production', 'production'), undefined);
    assert.match(
      foreignFleet('Production', 'production') ?? '',
      /"Production", and this node belongs to fleet "production"/,
    );
    assert.match(
      foreignFleet(undefined, 'production') ?? '',
      /^names no fleet, and this node belongs to fleet "production"; /,
    );
  });
});
