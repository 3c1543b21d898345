import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { RELEASE_KEY } from '../../infra/stack/house.ts';
import { startShim, startWorker } from '../../infra/stack/portcullis.ts';
import { startBlackHole } from '../support/black-hole.ts';
import { type PushedImage, pushImage } from '../support/image.ts';
import { assertAllowed, assertRefused, pullThrough, startTestHouse, type TestHouse } from '../support/pull.ts';

let house: TestHouse;
before(async () => {
  house = await startTestHouse();
});
after(() => house.stop());

async function pushSigned(): Promise<PushedImage> {
  const { address } = house.registry;
  const image = await pushImage({
    registry: address,
    repository: 'demo/app',
    tag: randomUUID(),
    files: { unique: randomUUID() },
  });
  await house.cosign.sign(`${address}/demo/app@${image.digest}`, RELEASE_KEY);
  return image;
}

/** Servers end with the test that started them, also when it fails: the next test has none of them. */
async function restartWorker(test: TestContext): Promise<void> {
  const worker = await startWorker({
    dir: house.dir,
    name: 'worker-again',
    temporal: house.temporal.address,
    policyDirectory: house.policyDirectory,
    verdictKey: house.verdictKey,
  });
  test.after(() => worker.stop());
}

/** A shim beside the one of the house, with a socket of its own. */
async function startOtherShim(test: TestContext, name: string, temporal: string, verdictKeys = house.verdictPublicKey) {
  const launcherSocket = join(house.dir, 'run', `${name}.sock`);
  const options = {
    dir: house.dir,
    name,
    temporal,
    verdictKeys,
    launcherSocket,
    grpcSocket: join(house.dir, 'run', `${name}-grpc.sock`),
  };
  const shim = await startShim(options);
  test.after(() => shim.stop());
  return { ...shim, launcherSocket };
}

describe('a pull is refused, and passes once the cause is gone', () => {
  it('when the worker is stopped', async (test) => {
    const image = await pushSigned();
    await house.worker.stop();
    assertRefused(await house.pull(image.name, image.digest), 'WORKER_UNAVAILABLE');
    await restartWorker(test);
    assertAllowed(await house.pull(image.name, image.digest));
  });

  it('when Temporal is stopped', async (test) => {
    const image = await pushSigned();
    await house.stopTemporal();
    assertRefused(await house.pull(image.name, image.digest), 'TEMPORAL_UNREACHABLE');
    await house.resumeTemporal();
    await restartWorker(test);
    assertAllowed(await house.pull(image.name, image.digest));
  });

  it('when Temporal accepts and never answers', async (test) => {
    const image = await pushSigned();
    const hole = await startBlackHole();
    test.after(() => hole.stop());
    const shim = await startOtherShim(test, 'shim-hole', hole.address);
    assertRefused(await pullThrough(shim.launcherSocket, image.name, image.digest), 'TEMPORAL_UNREACHABLE');
  });

  it('when the shim is not there, or dies during a call, or hangs', async (test) => {
    const image = await pushSigned();
    const absent = join(house.dir, 'run', 'nobody.sock');
    assertRefused(await pullThrough(absent, image.name, image.digest), 'SHIM_ABSENT');

    // no worker is running: the shim waits, and is killed while it does
    const dying = await startOtherShim(test, 'shim-dying', house.temporal.address);
    const call = pullThrough(dying.launcherSocket, image.name, image.digest);
    setTimeout(() => process.kill(dying.pid, 'SIGKILL'), 1_000);
    assertRefused(await call, 'SHIM_ABSENT'); // it waited for a successor

    const hung = await startOtherShim(test, 'shim-hung', house.temporal.address);
    hung.suspend();
    const silent = await pullThrough(hung.launcherSocket, image.name, image.digest);
    hung.resume();
    assertRefused(silent, 'SHIM_SILENT');
  });

  it('when the node does not know the key of the workers', async (test) => {
    const image = await pushSigned();
    await restartWorker(test);
    const stranger = await startOtherShim(
      test,
      'shim-stranger',
      house.temporal.address,
      join(house.dir, 'keys', `${RELEASE_KEY}.pub`),
    );
    const run = await pullThrough(stranger.launcherSocket, image.name, image.digest);
    assertRefused(run, 'POLICY_UNKNOWN');
    assert.match(run.stdout, /not signed by a verdict key of this node/);
    assertAllowed(await house.pull(image.name, image.digest));
  });
});
