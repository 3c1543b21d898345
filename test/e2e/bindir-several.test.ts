import assert from 'node:assert/strict';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { type GuardedNode, startGuardedNode } from './guarded-node.ts';

const NOTE = 'for word in begins ends; do echo "$(basename $0) $word" >> $DIR/order; sleep 0.05; done';

describe('several verifiers', () => {
  let node: GuardedNode;
  before(async () => {
    node = await startGuardedNode();
  });
  after(() => node.stop());
  beforeEach(() => rm(join(node.dir, 'order'), { force: true }));

  const order = async () => (await readFile(join(node.dir, 'order'), 'utf8')).trim().split('\n');

  it('run one after the other, by name', async () => {
    await node.guardBy({ c: NOTE, a: NOTE, B: NOTE, '10': NOTE, '9': NOTE });
    assert.equal(await node.pull(), undefined);
    const names = ['10', '9', 'B', 'a', 'c'];
    assert.deepEqual(
      await order(),
      names.flatMap((name) => [`${name} begins`, `${name} ends`]),
    );
  });

  it('run up to the first that refuses', async () => {
    await node.guardBy({ a: NOTE, b: `${NOTE}; echo reason of b; exit 4`, c: `${NOTE}; echo reason of c; exit 5` });
    const refusal = (await node.pull()) ?? '';
    assert.match(refusal, /verifier b rejected image \(exit code 4\): reason of b$/);
    assert.deepEqual(await order(), ['a begins', 'a ends', 'b begins', 'b ends']);
  });

  it('refuse by the last alone too', async () => {
    await node.guardBy({ a: 'exit 0', b: 'exit 0', c: 'echo only I; exit 1' });
    assert.match((await node.pull()) ?? '', /verifier c rejected image \(exit code 1\): only I$/);
    assert.match((await node.pullByCri()) ?? '', /verifier c rejected image \(exit code 1\): only I$/);
  });

  it('run up to the first that a signal ends', async () => {
    await node.guardBy({ a: 'kill -KILL $$', b: NOTE });
    assert.match((await node.pull()) ?? '', /failed to call verifier a .*signal: killed$/);
    await assert.rejects(order(), { code: 'ENOENT' });
  });

  it('run for each pull anew, and at the same time', async () => {
    // Each waits for the others, so one after the other they would never end.
    const meeting = join(node.dir, 'meeting');
    const wait = (count: number) =>
      `: > $DIR/meeting/$$; until [ $(ls $DIR/meeting | wc -l) -eq ${count} ]; do sleep 0.02; done`;
    for (const pull of [() => node.pull(), () => node.pullByCri()]) {
      await rm(meeting, { recursive: true, force: true });
      await mkdir(meeting);
      await node.guardBy({ guard: `${wait(8)}; echo process $$; exit 1` });
      const refusals = await Promise.all(Array.from({ length: 8 }, pull));
      const processes = refusals.map((refusal) => /: process (\d+)$/.exec(refusal ?? '')?.[1] ?? refusal);
      assert.equal(new Set(processes).size, 8, processes.join('\n'));
      assert.ok(
        processes.every((id) => /^\d+$/.test(id ?? '')),
        processes.join('\n'),
      );
    }
  });
});

// Further open gates: what is beyond max_verifiers is not asked, whatever it would say.
describe('a limit of verifiers', () => {
  const limited = async (maxVerifiers: number, check: (node: GuardedNode) => Promise<void>) => {
    const node = await startGuardedNode({ maxVerifiers });
    try {
      await check(node);
    } finally {
      await node.stop();
    }
  };

  it('of 0 asks none and allows', () =>
    limited(0, async (node) => {
      await node.guardBy({ a: 'echo ran > $DIR/order; exit 1' });
      assert.equal(await node.pull(), undefined);
      assert.equal(await node.pullByCri(), undefined);
      await assert.rejects(readFile(join(node.dir, 'order')), { code: 'ENOENT' });
      assert.match(await readFile(node.containerd.log, 'utf8'), /image verifiers are being skipped .* has 1 entries/);
    }));

  it('of 1 asks the first by name and skips those after it', () =>
    limited(1, async (node) => {
      await node.guardBy({ a: 'exit 0', b: 'echo ran > $DIR/order; exit 1' });
      assert.equal(await node.pull(), undefined);
      assert.equal(await node.pullByCri(), undefined);
      await assert.rejects(readFile(join(node.dir, 'order')), { code: 'ENOENT' });
      assert.match(
        await readFile(node.containerd.log, 'utf8'),
        /skipped .* has 2 entries, more than configured max of 1/,
      );
      await node.guardBy({ 'a-before': 'echo first; exit 1', b: 'exit 0' });
      assert.match((await node.pull()) ?? '', /verifier a-before rejected image \(exit code 1\): first$/);
    }));
});
