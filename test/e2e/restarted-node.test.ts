import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startShim } from '../../infra/stack/portcullis.ts';
import { freePort } from '../../infra/stack/ports.ts';
import type { ServerProcess } from '../../infra/stack/process.ts';
import { daemonFindings } from '../../shim/doctor/daemon-findings.ts';
import { POLICY_HEAD_PAYLOAD_TYPE } from '../../workflows/verdict/policy-head.ts';
import type { Envelope } from '../../workflows/verdict/verdict.ts';
import { type DevServer, startDevServer } from '../support/dev-server.ts';
import { createTestActivities } from '../support/evidence.ts';
import { fromNow, revoking } from '../support/offline.ts';
import { assertAllowed, assertRefused, pullThrough } from '../support/pull.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { createTestVerdictKey, digestOf, TEST_FLEET } from '../support/verdicts.ts';
import { startWorkflowWorker } from '../support/workflow-worker.ts';

const key = createTestVerdictKey();
const [bad, good] = [digestOf('bd'), digestOf('9d')];
const NAME = '127.0.0.1:5000/demo/app:v1';

/** What a policy statement may take to reach a node, and the key files to be read again, in ms. */
const ARRIVAL_MS = 20_000;

let temporal: DevServer;
before(async () => {
  temporal = await startDevServer();
});
after(async () => {
  await temporal.stop();
});

function statement(changes: object): Envelope {
  const times = { statedAt: fromNow(0), expiresAt: fromNow(60_000) };
  return key.envelope(POLICY_HEAD_PAYLOAD_TYPE, {
    ...{ fleet: TEST_FLEET, policyRevision: 'c'.repeat(64), ...times, ...changes },
  });
}

/** A node whose bootstrap list names both images, and what its workers state. */
async function aNode(t: TestContext) {
  const folder = await temporaryFolder();
  const at = (name: string) => join(folder.path, name);
  for (const name of ['state', 'bootstrap', 'keys']) mkdirSync(at(name), { mode: 0o700 });
  writeFileSync(join(at('bootstrap'), 'node.list'), `${bad}\n${good}\n`);
  writeFileSync(join(at('keys'), 'one.pub'), key.publicKey.export({ type: 'spki', format: 'pem' }));
  const metrics = `127.0.0.1:${await freePort()}`;
  let shim: ServerProcess | undefined;
  let worker: Awaited<ReturnType<typeof startWorkflowWorker>> | undefined;
  const node = {
    at,
    metrics,
    isMounted: false,
    states: () => statement(revoking(bad)),
    async start(taskQueue: string, address: string) {
      shim = await startShim({
        ...{ dir: folder.path, temporal: address, taskQueue, fleet: TEST_FLEET, metrics },
        ...{ launcherSocket: at('launcher.sock'), grpcSocket: at('grpc.sock') },
        ...{ verdictKeys: at('keys'), state: at('state'), bootstrap: at('bootstrap') },
      });
    },
    async startWithWorker() {
      const describePolicy = async () => node.states();
      worker = await startWorkflowWorker(temporal.address, createTestActivities(key, { describePolicy }));
      await node.start(worker.taskQueue, temporal.address);
    },
    /** Ends everything, and starts the daemon alone. */
    async restartAlone() {
      await node.stop();
      await node.start('nobody', `127.0.0.1:${await freePort()}`);
    },
    async stop() {
      await shim?.stop();
      await worker?.stop();
      [shim, worker] = [undefined, undefined];
    },
    pull: (digest: typeof bad) => pullThrough(at('launcher.sock'), NAME, digest),
    async untilRevoked() {
      const begun = Date.now();
      while (!(await node.pull(bad)).stdout.startsWith('REVOKED: ')) {
        assert.ok(Date.now() - begun < ARRIVAL_MS, 'not revoked in time');
        await delay(200);
      }
    },
    metric: async (name: string) => {
      const text = await (await fetch(`http://${metrics}/metrics`)).text();
      return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
    },
    async findings() {
      const sockets = { launcherSocket: at('launcher.sock'), grpcSocket: at('grpc.sock') };
      const settings = { ...sockets, verdictKeys: at('keys'), bootstrap: at('bootstrap') };
      const found = await daemonFindings({
        ...settings,
        state: at('state'),
        taskQueue: 'x',
        fleet: TEST_FLEET,
        metrics,
      });
      return found.map(({ id }) => id);
    },
  };
  t.after(async () => {
    await node.stop();
    if (node.isMounted) execFileSync('umount', ['-l', at('state')]);
    await folder[Symbol.asyncDispose]();
  });
  return node;
}

type Node = Awaited<ReturnType<typeof aNode>>;

/** Puts the state on a disk of its own, of so many bytes. */
function mountState(node: Node, size: string): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=700`, 'none', node.at('state')]);
  node.isMounted = true;
}

/** Takes what is left of a disk, to the last byte. */
function fill(folder: string): void {
  execFileSync('sh', ['-c', 'cat /dev/zero > "$1/filler" 2>/dev/null || true', 'sh', folder]);
}

async function assertStillRevoked(node: Node): Promise<void> {
  await node.restartAlone();
  assertRefused(await node.pull(bad), 'REVOKED');
  assertAllowed(await node.pull(good));
}

describe('a node that restarts without a backend still refuses what was revoked', () => {
  it('when anyone has added a large signature to the statement', async (t) => {
    const node = await aNode(t);
    node.states = () => {
      const { signatures, ...genuine } = statement(revoking(bad));
      return { ...genuine, signatures: [...signatures, { keyid: 'x', sig: 'A'.repeat(600_000) }] };
    };
    await node.startWithWorker();
    await node.untilRevoked();
    await assertStillRevoked(node);
  });

  it('when its disk is full, and the metric and doctor have nothing to say', async (t) => {
    const node = await aNode(t);
    mountState(node, '16m');
    node.states = () => statement({});
    await node.startWithWorker();
    assertAllowed(await node.pull(bad));
    fill(node.at('state'));
    node.states = () => statement(revoking(bad));
    await node.untilRevoked();
    assert.equal(await node.metric('portcullis_state_unkept'), 0);
    await assertStillRevoked(node);
  });

  it('when the window of the key ends that signed it, and when the key is gone', async (t) => {
    const node = await aNode(t);
    await node.startWithWorker();
    await node.untilRevoked();
    const hourAgo = `${fromNow(-3_600_000).slice(0, 19)}Z`;
    writeFileSync(join(node.at('keys'), 'one.json'), JSON.stringify({ notAfter: hourAgo }));
    await assertStillRevoked(node);
    for (const name of readdirSync(node.at('keys'))) rmSync(join(node.at('keys'), name));
    const other = createTestVerdictKey().publicKey.export({ type: 'spki', format: 'pem' });
    writeFileSync(join(node.at('keys'), 'two.pub'), other);
    await assertStillRevoked(node);
  });

  it('when its clock is behind', async (t) => {
    const node = await aNode(t);
    await node.startWithWorker();
    await node.untilRevoked();
    writeFileSync(
      node.at('behind.mjs'),
      `const { now } = Date; const behind = () => now() - 86_400_000; const Real = Date;
       globalThis.Date = class extends Real { constructor(...a) { super(...(a.length === 0 ? [behind()] : a)); } static now() { return behind(); } };`,
    );
    process.env['NODE_OPTIONS'] = `--import ${node.at('behind.mjs')}`;
    try {
      await assertStillRevoked(node);
    } finally {
      delete process.env['NODE_OPTIONS'];
    }
  });
});

describe('a node that can not know what was revoked before its start', () => {
  const spoilers: readonly (readonly [string, (node: Node) => void, number])[] = [
    ['its state is damaged', (node) => writeFileSync(join(node.at('state'), 'policy-head.json'), 'garbage'), 0],
    ['its clock file is damaged', (node) => writeFileSync(join(node.at('state'), 'clock'), 'garbage'), 0],
    [
      'its disk was full from the beginning',
      (node) => {
        mountState(node, '1m');
        fill(node.at('state'));
      },
      1,
    ],
  ];
  for (const [what, spoil, unkept] of spoilers) {
    it(`allows nothing when ${what}, until a statement comes`, async (t) => {
      const node = await aNode(t);
      spoil(node);
      await node.start('nobody', `127.0.0.1:${await freePort()}`);
      for (const digest of [bad, good]) assertRefused(await node.pull(digest), 'STATE_UNREADABLE');
      assert.equal(await node.metric('portcullis_state_unreadable'), 1);
      assert.ok((await node.findings()).includes('state-unreadable'));
      await node.stop();
      await node.startWithWorker();
      assertAllowed(await node.pull(good));
      assertRefused(await node.pull(bad), 'REVOKED');
      assert.equal(await node.metric('portcullis_state_unreadable'), 0);
      assert.ok((await node.metric('portcullis_state_unkept')) >= unkept);
      assert.equal((await node.findings()).includes('state-unkept'), unkept > 0);
      await node.restartAlone();
      assertRefused(await node.pull(bad), unkept > 0 ? 'STATE_UNREADABLE' : 'REVOKED');
    });
  }
});
