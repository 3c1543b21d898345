import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Confirmation, LiveLogs } from '../../../activities/rekor/live-log.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { confirm, openLog, VERSIONS } from './setting.ts';

for (const version of VERSIONS) {
  describe(`the history of a ${version} log`, () => {
    it('is refused when another tree of the same size is shown than the entry was proven in', async () => {
      await using setting = await openLog(version);
      setting.split();
      assert.equal(codeOf(await confirm(setting.start(), setting)), 'LOG_INCONSISTENT');
    });

    it('is refused when the larger tree that is shown does not continue that of the entry', async () => {
      await using setting = await openLog(version);
      const entry = setting.entry();
      setting.split(30);
      assert.equal(codeOf(await confirm(setting.start(), setting, entry)), 'LOG_INCONSISTENT');
    });

    it('is refused when the tree that is shown does not continue the one that was seen before', async () => {
      for (const longer of [0, 1, 30]) {
        await using setting = await openLog(version);
        const logs = setting.start();
        assert.equal((await confirm(logs, setting)).confirmed, true);
        // The entry that is asked about is in the other history, and would be confirmed by itself.
        setting.split(longer);
        setting.clock += 60_000;
        assert.equal(codeOf(await confirm(logs, setting)), 'LOG_INCONSISTENT', `${longer}`);
      }
    });

    it('is refused for an entry of another tree than the log showed, however the log shows itself now', async () => {
      await using setting = await openLog(version);
      const logs = setting.start();
      assert.equal((await confirm(logs, setting)).confirmed, true);
      const { inclusion } = setting.entry();
      assert.ok(inclusion !== undefined);
      setting.asked();
      const forked = { ...setting.entry(), inclusion: { ...inclusion, rootHash: Buffer.alloc(32, 7) } };
      assert.equal(codeOf(await confirm(logs, setting, forked)), 'LOG_INCONSISTENT');
      assert.deepEqual(setting.asked(), []);
    });

    it('stays refused, with one alarm, and without a further request', async () => {
      await using setting = await openLog(version);
      const logs = setting.start();
      const entry = setting.entry();
      setting.split(30);
      const first = await Promise.all([confirm(logs, setting, entry), confirm(logs, setting, entry)]);
      setting.mend();
      setting.clock += 3_600_000;
      setting.asked();
      for (const answer of [...first, await confirm(logs, setting, entry), await confirm(logs, setting)]) {
        assert.equal(codeOf(answer), 'LOG_INCONSISTENT');
        assert.match(sentenceOf(answer), /has signed two histories: .* restart the worker/);
      }
      assert.deepEqual(setting.asked(), []);
      assert.deepEqual(
        setting.alarms.map(({ kind, log }) => ({ kind, log })),
        [{ kind: 'inconsistent', log: setting.log.baseUrl.href }],
      );
    });

    it('that is rolled back is inconclusive, with one alarm until it has caught up', async () => {
      await using setting = await openLog(version);
      setting.grow(40);
      const logs = setting.start();
      assert.equal((await confirm(logs, setting)).confirmed, true);
      const small = setting.entry(5);
      const kinds = () => setting.alarms.map(({ kind }) => kind);
      setting.rollBack(3);
      for (let again = 0; again < 3; again++) {
        setting.clock += 60_000;
        assert.equal(codeOf(await confirm(logs, setting, small)), 'LOG_ROLLED_BACK');
        assert.deepEqual(kinds(), ['rolled-back']);
      }
      setting.mend();
      assert.equal((await confirm(logs, setting, small)).confirmed, true);
      setting.rollBack(2);
      setting.clock += 60_000;
      assert.equal(codeOf(await confirm(logs, setting, small)), 'LOG_ROLLED_BACK');
      assert.deepEqual(kinds(), ['rolled-back', 'rolled-back']);
    });

    it('that is behind the entry is inconclusive', async () => {
      await using setting = await openLog(version);
      const entry = setting.entry();
      setting.rollBack(2);
      const answer = await confirm(setting.start(), setting, entry);
      assert.equal(codeOf(answer), 'LOG_ROLLED_BACK');
      assert.match(sentenceOf(answer), /shows a tree of \d entries, and the entry's checkpoint has \d/);
    });
  });

  describe(`the memory of a ${version} log`, () => {
    it('holds across a restart', async () => {
      await using folder = await temporaryFolder();
      await using setting = await openLog(version);
      const options = { directory: join(folder.path, 'logs') };
      assert.equal((await confirm(setting.start(options), setting)).confirmed, true);
      const entry = setting.entry(3);
      setting.rollBack(1);
      assert.equal(codeOf(await confirm(setting.start(options), setting, entry)), 'LOG_ROLLED_BACK');
      // One who has never seen the larger tree has nothing to hold against it.
      assert.equal((await confirm(setting.start(), setting, entry)).confirmed, true);
      setting.split(30);
      assert.equal(codeOf(await confirm(setting.start(options), setting, entry)), 'LOG_INCONSISTENT');
    });

    it('keeps a conviction across a restart, with its evidence, until the file is removed', async () => {
      await using folder = await temporaryFolder();
      await using setting = await openLog(version);
      const options = { directory: folder.path };
      const path = join(folder.path, `${setting.log.id}.json`);
      const logs = setting.start(options);
      assert.equal((await confirm(logs, setting)).confirmed, true);
      setting.split(30);
      setting.clock += 60_000;
      assert.match(sentenceOf(await confirm(logs, setting)), new RegExp(`remove ${path} to believe the log again$`));
      setting.mend();
      const restarted = setting.start(options);
      for (const one of [logs, restarted]) assert.equal(codeOf(await confirm(one, setting)), 'LOG_INCONSISTENT');
      const { conviction } = JSON.parse(await readFile(path, 'utf8'));
      assert.equal(conviction.evidence.length, 2);
      assert.notEqual(conviction.evidence[0], conviction.evidence[1]);
      for (const note of conviction.evidence) assert.match(note, /\n\n\u2014 /);
      assert.equal(setting.alarms.length, 1);
      await rm(path);
      for (const one of [logs, restarted]) assert.equal((await confirm(one, setting)).confirmed, true);
    });

    it('may be shared: a conviction by one worker reaches the others', async () => {
      await using folder = await temporaryFolder();
      await using setting = await openLog(version);
      const options = { directory: folder.path };
      const [first, second] = [setting.start(options), setting.start(options)];
      for (const logs of [first, second]) assert.equal((await confirm(logs, setting)).confirmed, true);
      const { inclusion } = setting.entry();
      assert.ok(inclusion !== undefined);
      const forked = { ...setting.entry(), inclusion: { ...inclusion, rootHash: Buffer.alloc(32, 7) } };
      assert.equal(codeOf(await confirm(first, setting, forked)), 'LOG_INCONSISTENT');
      // The second one learns of it when it next writes.
      setting.grow(1);
      await confirm(second, setting);
      assert.equal(codeOf(await confirm(second, setting)), 'LOG_INCONSISTENT');
      assert.equal(codeOf(await confirm(setting.start(options), setting)), 'LOG_INCONSISTENT');
    });

    it('that is torn accepts nothing, and says so, until it is restored or removed', async () => {
      await using folder = await temporaryFolder();
      await using setting = await openLog(version);
      const options = { directory: folder.path };
      const path = join(folder.path, `${setting.log.id}.json`);
      await confirm(setting.start(options), setting);
      const whole = await readFile(path, 'utf8');
      const torn = [whole.slice(0, whole.length / 2), '', 'null', '{"checkpoints":[1]}', ' '.repeat(3 * 1024 * 1024)];
      const tampered = whole.replace(/\\n([0-9]+)\\n/, '\\n9$1\\n');
      assert.notEqual(tampered, whole);
      for (const text of [...torn, tampered]) {
        await writeFile(path, text);
        const before = setting.alarms.length;
        const logs = setting.start(options);
        for (let again = 0; again < 2; again++) {
          assert.equal(codeOf(await confirm(logs, setting)), 'LOG_MEMORY_UNREADABLE');
        }
        assert.equal(await readFile(path, 'utf8'), text, 'what is there stays for a person to look at');
        assert.deepEqual(
          setting.alarms.slice(before).map(({ kind }) => kind),
          ['memory-lost'],
          text.slice(0, 99),
        );
      }
      const logs = setting.start(options);
      assert.equal(codeOf(await confirm(logs, setting)), 'LOG_MEMORY_UNREADABLE');
      await writeFile(path, whole);
      assert.equal((await confirm(logs, setting)).confirmed, true);
      await writeFile(path, 'torn');
      const others = setting.start(options);
      assert.equal(codeOf(await confirm(others, setting)), 'LOG_MEMORY_UNREADABLE');
      await rm(path);
      assert.equal((await confirm(others, setting)).confirmed, true);
      const names = [`${setting.log.id}.json`, `${setting.log.id}.json.reserve`];
      assert.deepEqual((await readdir(folder.path)).toSorted(), names);
    });

    it('keeps a conviction on a full disk, until both files are removed', async () => {
      await using folder = await temporaryFolder();
      await using setting = await openLog(version);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m,mode=700', 'none', folder.path]);
      using _ = { [Symbol.dispose]: () => execFileSync('umount', ['-l', folder.path]) };
      const options = { directory: folder.path };
      const logs = setting.start(options);
      assert.equal((await confirm(logs, setting)).confirmed, true);
      execFileSync('sh', ['-c', 'cat /dev/zero > "$1/filler" 2>/dev/null || true', 'sh', folder.path]);
      setting.split(30);
      setting.clock += 60_000;
      assert.equal(codeOf(await confirm(logs, setting)), 'LOG_INCONSISTENT');
      setting.mend();
      const restarted = setting.start(options);
      const refused = sentenceOf(await confirm(restarted, setting));
      assert.match(refused, /then remove \S+\.json and \S+\.json\.reserve to believe the log again$/);
      await rm(join(folder.path, 'filler'));
      for (const name of await readdir(folder.path)) await rm(join(folder.path, name));
      assert.equal((await confirm(restarted, setting)).confirmed, true);
    });

    it('that can not be written holds until a restart, and says so once', async () => {
      await using folder = await temporaryFolder();
      await using setting = await openLog(version);
      const directory = join(folder.path, 'file');
      await writeFile(directory, 'a file where a folder should be');
      const logs = setting.start({ directory });
      assert.equal((await confirm(logs, setting)).confirmed, true);
      setting.grow(1);
      assert.equal((await confirm(logs, setting)).confirmed, true);
      const kinds = setting.alarms.map(({ kind }) => kind);
      assert.deepEqual(kinds, ['memory-unsaved']);
      setting.split(30);
      setting.clock += 60_000;
      for (let again = 0; again < 2; again++) {
        assert.equal(codeOf(await confirm(logs, setting)), 'LOG_INCONSISTENT');
      }
    });
  });
}

it('a log id that is no hex can not lead out of the directory', async () => {
  await using folder = await temporaryFolder();
  await using setting = await openLog('v1');
  const logs: LiveLogs = setting.start({ directory: folder.path });
  const log = { ...setting.log, id: '../../../etc/passwd' };
  assert.equal((await logs.confirm(log, setting.entry(), AbortSignal.timeout(9_000))).confirmed, true);
  assert.match((await readdir(folder.path)).join(), /^([0-9a-f]{64}\.json),\1\.reserve$/);
});

function codeOf(answer: Confirmation): string {
  return answer.confirmed ? 'confirmed' : answer.code;
}

function sentenceOf(answer: Confirmation): string {
  return answer.confirmed ? 'confirmed' : answer.sentence;
}
