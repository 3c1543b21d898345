import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { type Backend, BackendProblem } from '../../shim/backend.ts';
import { watchPolicy } from '../../shim/policy-watch.ts';
import { parseEnvelope } from '../../shim/verdict-keys.ts';
import { POLICY_HEAD_PAYLOAD_TYPE } from '../../workflows/policy-head.ts';
import { aPolicyHead, createTestBackend } from '../support/backend.ts';
import { createTestVerdictKey, TEST_FLEET } from '../support/verdicts.ts';

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
    assert.equal(watch.isCutOff(), false);
  });

  it('when that has ended and Temporal can not be reached', async (t) => {
    const watch = await watching(t, unreachable, aPolicyHead(key, REVISION, { stated: -300_000, expires: -240_000 }));
    assert.equal(watch.known(), undefined);
    assert.equal(watch.isCutOff(), true);
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
