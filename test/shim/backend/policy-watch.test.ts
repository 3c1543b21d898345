import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { type Backend, BackendProblem } from '../../../shim/backend/backend.ts';
import { watchPolicy } from '../../../shim/backend/policy-watch.ts';
import { parseEnvelope, type VerdictKeys } from '../../../shim/verdict-keys/verdict-keys.ts';
import { POLICY_HEAD_PAYLOAD_TYPE } from '../../../workflows/verdict/policy-head.ts';
import { aPolicyHead, createTestBackend } from '../../support/backend.ts';
import { createTestVerdictKey, TEST_FLEET } from '../../support/verdicts.ts';

const key = createTestVerdictKey();
const REVISION = 'a'.repeat(64);
const unreachable = (): Promise<never> => Promise.reject(new BackendProblem('TEMPORAL_UNREACHABLE', 'no answer'));

/** A watch after its first question, whose backend answers `policyHead`. */
async function watching(t: TestContext, policyHead: Backend['policyHead'], remembered?: unknown) {
  const watch = watchPolicy(
    createTestBackend({ policyHead }),
    () => key.accepted(),
    () => {},
    { fleet: TEST_FLEET, remembered: parseEnvelope(remembered) },
  );
  t.after(() => watch.stop());
  await new Promise((resolve) => setTimeout(resolve, 20));
  return watch;
}

describe('a node is cut off', () => {
  it('not while the last policy head is in its time, although the last question failed', async (t) => {
    const watch = await watching(t, unreachable, aPolicyHead(key, REVISION));
    assert.equal(watch.known()?.policyRevision, REVISION);
    assert.equal(watch.cutOffMs(), undefined);
  });

  it('when that has ended and Temporal can not be reached', async (t) => {
    const watch = await watching(t, unreachable, aPolicyHead(key, REVISION, { stated: -300_000, expires: -240_000 }));
    assert.equal(watch.known(), undefined);
    assert.equal(watch.cutOffMs(), Number.POSITIVE_INFINITY);
  });
});

describe('a policy head', () => {
  const now = Date.now();
  const head = (fields: object) =>
    key.envelope(POLICY_HEAD_PAYLOAD_TYPE, {
      fleet: TEST_FLEET,
      policyRevision: REVISION,
      statedAt: new Date(now).toISOString(),
      expiresAt: new Date(now + 60_000).toISOString(),
      ...fields,
    });
  const log = {
    log: 'ab'.repeat(32),
    checkpoint: 'log.test\n1\nq83vq83vq83vq83vq83vq83vq83vq83vq83vq83vq80=\n\n— log.test q83vAA==\n',
  };
  const aKey = {
    uri: 'awskms:///alias/a',
    resource: 'arn',
    checkedAt: new Date(now).toISOString(),
    keyIds: ['cd'.repeat(32)],
  };

  for (const [what, fields, isHandedOn] of [
    ['of keys alone', { keys: [aKey] }, true],
    ['of logs alone', { logs: [log] }, true],
    ['of neither', {}, false],
  ] as const) {
    it(`${what} is ${isHandedOn ? '' : 'not '}handed on to the workers`, async (t) => {
      const carried = head(fields);
      const watch = await watching(t, async () => carried);
      const current = await watch.current(Date.now() + 1_000);
      assert.ok(current.ok);
      assert.deepEqual(current.statement, isHandedOn ? carried : undefined);
    });
  }
});

describe('a statement whose signer means it to count for ever', () => {
  const aMinuteOld = { stated: -61_000, expires: 70 * 365 * 24 * 3_600_000 };

  it('counts no longer than a worker states one for, heard or remembered', async (t) => {
    const heard = await watching(t, async () => aPolicyHead(key, REVISION, aMinuteOld));
    const current = await heard.current(Date.now() + 400);
    assert.match(current.ok ? '' : current.reason.sentence, /^the policy statement that was carried here ended at 20/);
    const remembered = await watching(t, unreachable, aPolicyHead(key, REVISION, aMinuteOld));
    assert.deepEqual([remembered.known(), remembered.cutOffMs()], [undefined, Number.POSITIVE_INFINITY]);
  });

  const stated = () => aPolicyHead(key, REVISION, { stated: 0, expires: aMinuteOld.expires });
  const changes: readonly (readonly [string, VerdictKeys])[] = [
    ['its key is removed', new Map()],
    ['the window of its key ends', key.accepted({ notAfter: Date.now() - 3_600_000 })],
    ['its key is replaced', createTestVerdictKey().accepted()],
  ];
  for (const [what, keysThen] of changes) {
    it(`ends when ${what}`, async (t) => {
      let keys = key.accepted();
      const options = { fleet: TEST_FLEET };
      const watch = watchPolicy(
        createTestBackend({ policyHead: async () => stated() }),
        () => keys,
        () => {},
        options,
      );
      t.after(() => watch.stop());
      assert.ok((await watch.current(Date.now() + 500)).ok);
      keys = keysThen;
      assert.deepEqual([watch.known(), watch.newest(), watch.age()], [undefined, undefined, undefined]);
      const now = await watch.current(Date.now() + 600);
      assert.deepEqual([now.ok, now.ok || now.reason.code], [false, 'POLICY_UNKNOWN']);
      keys = key.accepted();
      assert.equal(watch.known()?.policyRevision, REVISION, 'it counts again with its key');
    });
  }
});
