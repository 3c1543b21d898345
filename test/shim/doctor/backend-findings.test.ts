import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { obtain } from '../../../infra/tools/obtain.ts';
import { BackendProblem } from '../../../shim/backend/backend.ts';
import { backendFindings } from '../../../shim/doctor/backend-findings.ts';
import { examine } from '../../../shim/doctor/examine.ts';
import { runningFindings } from '../../../shim/doctor/running-findings.ts';
import { NODE_STATE_FILE } from '../../../shim/memory/node-state.ts';
import { createTestBackend } from '../../support/backend.ts';
import { aStatement, fromNow } from '../../support/offline.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { createTestVerdictKey, TEST_FLEET } from '../../support/verdicts.ts';

const key = createTestVerdictKey();
const HOUR_MS = 3_600_000;

/** What doctor says of a node whose daemon remembers one statement, and whose backend answers with another. */
async function told(answer: () => unknown, remembered?: unknown, clock?: Date) {
  await using folder = await temporaryFolder();
  const state = folder.path;
  await writeFile(join(state, 'a.pub'), key.publicKey.export({ type: 'spki', format: 'pem' }));
  if (remembered !== undefined) await writeFile(join(state, NODE_STATE_FILE), JSON.stringify(remembered));
  if (clock !== undefined) await writeFile(join(state, 'clock'), clock.toISOString());
  const backend = createTestBackend({ policyHead: async () => answer() });
  const settings = {
    launcherSocket: '',
    bootstrap: undefined,
    metrics: undefined,
    grpcSocket: '',
    taskQueue: 'q',
    fleet: TEST_FLEET,
  };
  const findings = await backendFindings(backend, { ...settings, state, verdictKeys: join(state, 'a.pub') });
  return findings.map(({ id, severity, found }) => `${severity} ${id}: ${found}`);
}

const head = (policyRevision: string, ageMs = 0, by = key) =>
  aStatement(by, { policyRevision, statedAt: fromNow(-ageMs), expiresAt: fromNow(60_000 - ageMs) });

describe('what the workers state', () => {
  it('is nothing to mention when the daemon goes by it', async () => {
    assert.deepEqual(await told(() => head('a'.repeat(64)), head('a'.repeat(64), 5_000)), []);
  });

  it('is compared with what the daemon goes by', async () => {
    const [finding] = await told(() => head('b'.repeat(64)), head('a'.repeat(64), 5_000));
    assert.match(finding ?? '', /^weak policy-behind: the workers go by policy b{12} .* the daemon by a{12} of /);
  });

  it('is missed when nobody answers, and not believed when anybody could have said it', async () => {
    const away = () => {
      throw new BackendProblem('TEMPORAL_UNREACHABLE', 'Temporal at a.example: nobody');
    };
    assert.match((await told(away)).join(), /^stuck backend-unreachable: TEMPORAL_UNREACHABLE: .*a\.example/);
    for (const garbage of [null, 'x', { payload: 1 }, {}]) {
      assert.match((await told(() => garbage)).join(), /^stuck policy-unknown: /);
    }
    const stranger = head('a'.repeat(64), 0, createTestVerdictKey());
    assert.match(
      (await told(() => stranger)).join(),
      /^stuck policy-unknown: .*not signed by a verdict key of this node/,
    );
  });

  it('tells of clocks', async () => {
    assert.match(
      (await told(() => head('a'.repeat(64), HOUR_MS))).join(),
      /^stuck clock: the workers' newest statement is of /,
    );
    assert.match((await told(() => head('a'.repeat(64), -HOUR_MS))).join(), /^stuck policy-unknown: .*from the future/);
    const moved = await told(() => head('a'.repeat(64)), undefined, new Date(Date.now() + HOUR_MS));
    assert.match(moved.join(), /^stuck clock: expected the clock of this node at /);
  });
});

describe('a backend that nobody reaches', () => {
  it('is a lock-out, and on a node whose verdicts are imported the usual state', async (t) => {
    await using folder = await temporaryFolder();
    const state = folder.path;
    await writeFile(join(state, 'a.pub'), key.publicKey.export({ type: 'spki', format: 'pem' }));
    await writeFile(join(state, 'config.toml'), 'version = 3\nimports = []\n');
    process.env['TEMPORAL_ADDRESS'] = '127.0.0.1:1';
    t.after(() => delete process.env['TEMPORAL_ADDRESS']);
    const containerd = { ...(await obtain(['containerd'])), config: join(state, 'config.toml'), startedAt: undefined };
    const settings = {
      launcherSocket: '',
      bootstrap: undefined,
      metrics: undefined,
      grpcSocket: '',
      taskQueue: 'q',
      fleet: TEST_FLEET,
    };
    const severity = async () => {
      const daemon = { ...settings, state, verdictKeys: join(state, 'a.pub') };
      const findings = await examine({ ...containerd, binary: containerd.containerd }, daemon);
      return findings.find(({ id }) => id === 'backend-unreachable')?.severity;
    };
    assert.equal(await severity(), 'stuck');
    await mkdir(join(state, 'imported'));
    await writeFile(join(state, 'imported', 'a.json'), '{}');
    assert.equal(await severity(), 'weak');
  });
});

describe('a containerd that runs', () => {
  it('is missed when it does not answer', async () => {
    await using folder = await temporaryFolder();
    const [finding] = await Promise.race([
      runningFindings(join(folder.path, 'c.sock'), [2, 4, 2]),
      delay(20_000, [], { ref: false }),
    ]);
    assert.equal(finding?.id, 'containerd-silent');
  });
});
