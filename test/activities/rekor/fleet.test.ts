import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { emptyRoot } from '../../../activities/sigstore/log/merkle.ts';
import { confirm, openLog, VERSIONS } from './setting.ts';

for (const version of VERSIONS) {
  describe(`what other workers saw of a ${version} log`, () => {
    it('is believed when the log continues it, and costs nothing when it is known', async () => {
      await using setting = await openLog(version);
      const [first, second] = [setting.start(), setting.start()];
      assert.equal((await confirm(first, setting)).confirmed, true);
      assert.equal((await confirm(second, setting)).confirmed, true);
      const seen = first.statements();
      assert.equal(seen.length, 1);
      assert.equal(seen[0]?.log, setting.log.id);
      setting.asked();
      second.learn(seen);
      assert.equal((await confirm(second, setting)).confirmed, true);
      assert.deepEqual(setting.asked(), []);
    });

    it('shows a log that has another history for each of them', async () => {
      for (const longer of [0, 30]) {
        await using setting = await openLog(version);
        const entry = setting.entry();
        const [first, second] = [setting.start(), setting.start()];
        assert.equal((await confirm(first, setting, entry)).confirmed, true);
        setting.split(longer);
        // What the second one is shown is one history by itself: every tree continues the empty one.
        const { inclusion } = entry;
        assert.ok(inclusion !== undefined);
        const forked = { ...entry, inclusion: { ...inclusion, treeSize: 0n, rootHash: emptyRoot() } };
        assert.equal((await confirm(second, setting, forked)).confirmed, true);
        second.learn(first.statements());
        const answer = await confirm(second, setting, forked);
        assert.equal(!answer.confirmed && answer.code, 'LOG_INCONSISTENT', `${longer}`);
        assert.match(answer.confirmed ? '' : answer.sentence, /the checkpoint that another worker saw/);
        assert.deepEqual(
          setting.alarms.map(({ kind }) => kind),
          ['inconsistent'],
        );
      }
    });

    it('is nothing where the log did not sign it, or where it is about another log', async () => {
      await using setting = await openLog(version);
      const logs = setting.start();
      const [seen] = (await confirm(logs, setting)).confirmed ? logs.statements() : [];
      assert.ok(seen !== undefined);
      const bent = seen.checkpoint.replace(/\n(\d+)\n/, (_, size: string) => `\n${Number(size) + 1}\n`);
      assert.notEqual(bent, seen.checkpoint);
      const fresh = setting.start();
      fresh.learn([
        { ...seen, checkpoint: bent },
        { ...seen, checkpoint: 'garbage' },
        { ...seen, log: 'ab'.repeat(32) },
      ]);
      fresh.learn(Array.from({ length: 1_000 }, (_, i) => ({ log: seen.log, checkpoint: `${i}` })));
      assert.equal((await confirm(fresh, setting)).confirmed, true);
    });
  });
}
