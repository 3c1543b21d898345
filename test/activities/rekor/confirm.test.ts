import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { EvidenceError } from '../../../activities/evidence-error.ts';
import { RekorV1 } from '../../support/virtual-sigstore/rekor-v1.ts';
import { confirm, openLog, VERSIONS } from './setting.ts';

const CHECKPOINT = { v1: '/api/v1/log', v2: '/api/v2/checkpoint' } as const;

for (const version of VERSIONS) {
  describe(`confirming an entry of a ${version} log`, () => {
    it('takes one request when its checkpoint is the current one, and then none', async () => {
      await using setting = await openLog(version);
      const logs = setting.start();
      for (const requests of [[CHECKPOINT[version]], [], []]) {
        const treeSize = setting.entry().inclusion?.treeSize;
        assert.deepEqual(await confirm(logs, setting), { confirmed: true, log: nameOf(setting), treeSize });
        assert.deepEqual(setting.asked(), requests);
      }
    });

    it('takes one more when its checkpoint is older, and no more for the others of that tree', async () => {
      await using setting = await openLog(version);
      const logs = setting.start();
      const entry = setting.entry();
      setting.grow(30);
      assert.equal((await confirm(logs, setting, entry)).confirmed, true);
      const [checkpoint, proof, ...more] = setting.asked();
      assert.equal(checkpoint, CHECKPOINT[version]);
      assert.match(proof ?? '', version === 'v1' ? /^\/api\/v1\/log\/proof\?/ : /^\/api\/v2\/tile\/0\/000\.p\/36$/);
      assert.deepEqual(more, []);
      assert.equal((await confirm(logs, setting, entry)).confirmed, true);
      assert.equal((await confirm(logs, setting)).confirmed, true);
      assert.deepEqual(setting.asked(), []);
    });

    it('asks anew when the checkpoint at hand is older than the entry', async () => {
      await using setting = await openLog(version);
      const logs = setting.start();
      await confirm(logs, setting);
      setting.asked();
      setting.grow(1);
      const answer = await confirm(logs, setting);
      assert.equal(answer.confirmed && answer.treeSize, setting.entry().inclusion?.treeSize);
      assert.equal(setting.asked()[0], CHECKPOINT[version]);
    });

    it('asks anew when the checkpoint at hand is old, and ahead of it in the second half of its life', async () => {
      await using setting = await openLog(version);
      const logs = setting.start({ maxAgeMs: 30_000 });
      for (const [after, requests] of [
        [0, 1],
        [15_000, 0],
        [16_000, 1],
        [31_000, 1],
        [31_001, 1],
      ] as const) {
        const before = setting.served.requests.length;
        setting.clock += after;
        assert.equal((await confirm(logs, setting)).confirmed, true);
        // The request ahead of time is nobody's to wait for.
        while (setting.served.requests.length < before + requests) await sleep(5);
        await sleep(50);
        assert.equal(setting.asked().length, requests, `${after}`);
      }
    });

    it('asks once for all who ask at the same time', async () => {
      await using setting = await openLog(version);
      const logs = setting.start();
      const old = setting.entry();
      setting.grow(5);
      const answers = await Promise.all([old, old, old, setting.entry()].map((entry) => confirm(logs, setting, entry)));
      assert.deepEqual(
        answers.map(({ confirmed }) => confirmed),
        [true, true, true, true],
      );
      assert.equal(setting.asked().length, 2);
    });

    it('goes on for the others when one of them leaves, and stops when the last one does', async () => {
      await using setting = await openLog(version);
      const logs = setting.start();
      setting.fault({ effect: { kind: 'hang' }, requests: 1 });
      const leaving = new AbortController();
      const left = codeOf(logs.confirm(setting.log, setting.entry(), leaving.signal));
      while (setting.served.requests.length === 0) await sleep(5);
      leaving.abort();
      assert.equal(await left, 'LOG_TIMEOUT');
      // The hanging request is gone: a new one is made.
      assert.equal((await confirm(logs, setting)).confirmed, true);

      const short = new AbortController();
      setting.clock += 60_000;
      setting.mend();
      const staying = confirm(logs, setting);
      const going = codeOf(logs.confirm(setting.log, setting.entry(), short.signal));
      short.abort();
      assert.equal(await going, 'LOG_TIMEOUT');
      assert.equal((await staying).confirmed, true);
    });

    it('is refused for a caller that has no time left', async () => {
      await using setting = await openLog(version);
      assert.equal(
        await codeOf(setting.start().confirm(setting.log, setting.entry(), AbortSignal.abort())),
        'LOG_TIMEOUT',
      );
      assert.deepEqual(setting.asked(), []);
    });

    it('holds a tree against the log once: later the newest one stands for it', async () => {
      await using setting = await openLog(version);
      const entry = setting.entry();
      setting.grow(3);
      const logs = setting.start();
      assert.equal((await confirm(logs, setting, entry)).confirmed, true);
      setting.grow(3);
      setting.clock += 60_000;
      setting.asked();
      assert.equal((await confirm(logs, setting, entry)).confirmed, true);
      assert.equal(setting.asked().length, 2);
    });
  });
}

describe('an entry that a v1 log only promised', () => {
  it('is looked up by its leaf, and proven', async () => {
    await using setting = await openLog('v1');
    const logs = setting.start();
    const [record] = setting.served.sigstore.rekorV1.records;
    assert.ok(record !== undefined);
    const entry = { ...setting.entry(), canonicalizedBody: record.body, inclusion: undefined };
    assert.equal((await confirm(logs, setting, entry)).confirmed, true);
    const [lookup, checkpoint, ...more] = setting.asked();
    assert.match(lookup ?? '', /^\/api\/v1\/log\/entries\/[0-9a-f]{64}$/);
    assert.equal(checkpoint, CHECKPOINT.v1);
    assert.deepEqual(more, []);
  });

  it('is not believed when the log does not have it, or answers with another one', async () => {
    await using setting = await openLog('v1');
    const logs = setting.start();
    const missing = { ...setting.entry(), inclusion: undefined };
    assert.equal(await codeOf(confirm(logs, setting, missing)), 'LOG_MISBEHAVED');
    const [first, second] = setting.served.sigstore.rekorV1.records;
    assert.ok(first !== undefined && second !== undefined);
    const answer = await fetch(new URL(`/api/v1/log/entries?logIndex=1001`, setting.log.baseUrl));
    const body = Buffer.from(await answer.arrayBuffer());
    assert.match(body.toString(), new RegExp(second.body.toString('base64')));
    setting.fault({ effect: { kind: 'replace', body } });
    const other = { ...setting.entry(), canonicalizedBody: first.body, inclusion: undefined };
    assert.equal(await codeOf(confirm(logs, setting, other)), 'LOG_MISBEHAVED');
  });

  it('is not asked for of a v2 log, which promises nothing', async () => {
    await using setting = await openLog('v2');
    assert.equal(
      await codeOf(confirm(setting.start(), setting, { ...setting.entry(), inclusion: undefined })),
      'LOG_MISBEHAVED',
    );
  });
});

describe('a v1 log with several trees', () => {
  it('is held to the tree that the entry is of', async () => {
    await using setting = await openLog('v1');
    const { rekorV1, now } = setting.served.sigstore;
    const full = new RekorV1({ host: 'pod-7', key: rekorV1.key, treeId: '42' });
    full.fill(11, now);
    const info = (shards: readonly RekorV1[]) => ({
      signedTreeHead: rekorV1.checkpoint(),
      treeID: rekorV1.treeId,
      inactiveShards: shards.map((shard) => ({ signedTreeHead: shard.checkpoint(), treeID: shard.treeId })),
    });
    const entry = {
      ...setting.entry(),
      inclusion: { origin: 'pod-9 - 42', index: 3n, treeSize: 11n, rootHash: full.tree.root() },
    };
    const show = (shards: readonly RekorV1[]) =>
      setting.fault({ effect: { kind: 'replace', body: Buffer.from(JSON.stringify(info(shards))) } });
    show([full]);
    const logs = setting.start();
    const answer = await confirm(logs, setting, entry);
    assert.deepEqual(answer, { confirmed: true, log: nameOf(setting), treeSize: 11n });
    assert.equal((await confirm(logs, setting)).confirmed, true);
    show([]);
    setting.clock += 60_000;
    assert.equal(await codeOf(confirm(logs, setting, entry)), 'LOG_MISBEHAVED');
  });
});

function nameOf(setting: { readonly log: { readonly baseUrl: URL } }): string {
  return `transparency log ${setting.log.baseUrl.host}`;
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return await promise.then(
    (value) => assert.fail(`expected an error, got ${JSON.stringify(value)}`),
    (error: unknown) => {
      if (error instanceof EvidenceError) return error.code;
      throw error;
    },
  );
}
