import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EvidenceError } from '../../../activities/evidence-error.ts';
import type { Effect } from '../../support/registry-fault.ts';
import { checkpointText, signNote } from '../../support/virtual-sigstore/note.ts';
import { confirm, type LogSetting, openLog, VERSIONS, type Version } from './setting.ts';

interface Row {
  readonly fault: string;
  readonly effect: Effect;
  readonly code: string;
  readonly retryAfterMs?: number;
}

/** Short, for faults that end by it. */
const REQUEST_MS = 300;
const garbage = Buffer.from('<html>the intranet portal</html>');

const ROWS: readonly Row[] = [
  { fault: 'resets the connection', effect: { kind: 'reset' }, code: 'LOG_UNREACHABLE' },
  { fault: 'breaks off in the middle', effect: { kind: 'truncate', bytes: 10 }, code: 'LOG_UNREACHABLE' },
  { fault: 'never answers', effect: { kind: 'hang' }, code: 'LOG_TIMEOUT' },
  { fault: 'answers one byte a second', effect: { kind: 'drip' }, code: 'LOG_TIMEOUT' },
  { fault: 'answers 500', effect: { kind: 'status', status: 500 }, code: 'LOG_ERROR' },
  {
    fault: 'answers 503 and says when to come back',
    effect: { kind: 'status', status: 503, headers: { 'retry-after': '3' } },
    code: 'LOG_ERROR',
    retryAfterMs: 3000,
  },
  {
    fault: 'answers 429 and says when to come back',
    effect: { kind: 'status', status: 429, headers: { 'retry-after': '7' } },
    code: 'LOG_THROTTLED',
    retryAfterMs: 7000,
  },
  { fault: 'answers 429', effect: { kind: 'status', status: 429 }, code: 'LOG_THROTTLED' },
  { fault: 'answers 404', effect: { kind: 'status', status: 404 }, code: 'LOG_ERROR' },
  { fault: 'answers 403', effect: { kind: 'status', status: 403 }, code: 'LOG_ERROR' },
  { fault: 'answers 204', effect: { kind: 'status', status: 204 }, code: 'LOG_ERROR' },
  { fault: 'answers garbage', effect: { kind: 'replace', body: garbage }, code: 'LOG_MISBEHAVED' },
  { fault: 'answers nothing', effect: { kind: 'replace', body: Buffer.alloc(0) }, code: 'LOG_MISBEHAVED' },
  {
    fault: 'answers bytes that are no text',
    effect: { kind: 'replace', body: Buffer.alloc(99, 0xff) },
    code: 'LOG_MISBEHAVED',
  },
  { fault: 'answers without end', effect: { kind: 'oversize', bytes: 64 * 1024 * 1024 }, code: 'LOG_MISBEHAVED' },
  { fault: 'points to itself for ever', effect: { kind: 'redirect', to: '?again' }, code: 'LOG_MISBEHAVED' },
  { fault: 'points to a file', effect: { kind: 'redirect', to: 'file:///etc/passwd' }, code: 'LOG_MISBEHAVED' },
];

const WHERE = { checkpoint: /\/(?:log|checkpoint)$/, proof: /\/(?:proof$|tile\/)/ } as const;

/** A proof of whose shape nothing is wrong. */
const wrongProof: Readonly<Record<Version, Effect>> = {
  v1: { kind: 'replace', body: Buffer.from(JSON.stringify({ rootHash: '', hashes: Array(5).fill('0'.repeat(64)) })) },
  v2: { kind: 'replace', body: Buffer.alloc(36 * 32) },
};

for (const version of VERSIONS) {
  describe(`a ${version} log that`, () => {
    for (const { fault, effect, code, retryAfterMs } of ROWS) {
      for (const where of ['checkpoint', 'proof'] as const) {
        it(`${fault}, to the question for a ${where}, is ${code}`, async () => {
          await using setting = await openLog(version);
          const entry = setting.entry();
          setting.grow(30);
          setting.fault({ effect, matches: ({ path }) => WHERE[where].test(path) });
          const failure = await failureOf(setting, entry);
          assert.equal(failure.code, code, failure.message);
          assert.equal(failure.retryable, true);
          assert.equal(failure.retryAfterMs, retryAfterMs);
          assert.match(failure.message, /^transparency log 127\.0\.0\.1:\d+: [^\n]+$/);
          // It is over with the fault.
          setting.mend();
          assert.equal((await confirm(setting.start(), setting, entry)).confirmed, true);
          assert.deepEqual(setting.alarms, []);
        });
      }
    }

    it('is down is LOG_UNREACHABLE', async () => {
      await using setting = await openLog(version);
      await setting.stop();
      const failure = await failureOf(setting);
      assert.equal(failure.code, 'LOG_UNREACHABLE');
      assert.equal(failure.retryable, true);
    });

    it('is slow is given up when the caller has no more time, before the request has', async () => {
      await using setting = await openLog(version);
      setting.fault({ effect: { kind: 'drip' } });
      const asking = setting.start().confirm(setting.log, setting.entry(), AbortSignal.timeout(100));
      await assert.rejects(asking, { code: 'LOG_TIMEOUT' });
    });

    it('says when to come back is not asked before, by nobody', async () => {
      await using setting = await openLog(version);
      const logs = setting.start();
      const effect = { kind: 'status', status: 429, headers: { 'retry-after': '7' } } as const;
      setting.fault({ effect, requests: 1 });
      for (const [after, retryAfterMs] of [
        [0, 7000],
        [4000, 3000],
        [2999, 1],
      ] as const) {
        setting.clock += after;
        await assert.rejects(confirm(logs, setting), { code: 'LOG_THROTTLED', retryable: true, retryAfterMs });
      }
      assert.equal(setting.asked().length, 1);
      setting.clock += 1;
      assert.equal((await confirm(logs, setting)).confirmed, true);
    });

    it('shows a checkpoint by another key is LOG_MISBEHAVED', async () => {
      await using setting = await openLog(version);
      setting.forge();
      const failure = await failureOf(setting);
      assert.equal(failure.code, 'LOG_MISBEHAVED');
      assert.match(failure.message, /not signed by the key/);
      assert.deepEqual(setting.alarms, []);
    });

    it('gives a proof that does not hold, beside a good checkpoint, is LOG_MISBEHAVED', async () => {
      await using setting = await openLog(version);
      const entry = setting.entry();
      setting.grow(30);
      setting.fault({ effect: wrongProof[version], matches: ({ path }) => WHERE.proof.test(path) });
      const failure = await failureOf(setting, entry);
      assert.equal(failure.code, 'LOG_MISBEHAVED');
      assert.match(failure.message, /proof from \d+ to \d+ entries does not hold/);
      assert.deepEqual(setting.alarms, []);
    });
  });
}

it('a v2 log that shows the checkpoint of another log by the same key is LOG_MISBEHAVED', async () => {
  await using setting = await openLog('v2');
  const { key, id } = setting.served.sigstore.rekorV2;
  const text = checkpointText({ origin: 'other.example', size: 6, root: Buffer.alloc(32) });
  const note = signNote(text, [{ name: '127.0.0.1', key, keyId: id }]);
  setting.fault({ effect: { kind: 'replace', body: Buffer.from(note) } });
  const failure = await failureOf(setting);
  assert.equal(failure.code, 'LOG_MISBEHAVED');
  assert.match(failure.message, /"other\.example"/);
});

it('a proof of v1 that is no list of hashes is LOG_MISBEHAVED', async () => {
  for (const hashes of [undefined, 'abc', [1], ['ab'], ['G'.repeat(64)], Array(129).fill('0'.repeat(64))]) {
    await using setting = await openLog('v1');
    const entry = setting.entry();
    setting.grow(30);
    const body = Buffer.from(JSON.stringify({ hashes }));
    setting.fault({ effect: { kind: 'replace', body }, matches: ({ path }) => path.endsWith('/proof') });
    assert.equal((await failureOf(setting, entry)).code, 'LOG_MISBEHAVED', JSON.stringify(hashes));
  }
});

async function failureOf(setting: LogSetting, entry = setting.entry()): Promise<EvidenceError> {
  return await confirm(setting.start({ requestTimeoutMs: REQUEST_MS }), setting, entry).then(
    (answer) => assert.fail(`expected an error, got ${JSON.stringify(answer.confirmed)}`),
    (error: unknown) => {
      if (error instanceof EvidenceError) return error;
      throw error;
    },
  );
}
