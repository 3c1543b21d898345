import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type Install, installWithMetrics } from '../../activities/worker-metrics.ts';
import { freePort } from '../../infra/stack/ports.ts';

/** A runtime that refuses these addresses, and which addresses it was given. */
function runtime(t: TestContext, refuses: (address: string | undefined) => boolean) {
  const installed: (string | undefined)[] = [];
  const install: Install = (address) => {
    if (refuses(address)) throw new Error('Address already in use (os error 98)');
    installed.push(address);
    const port = Number(address?.split(':').at(-1));
    const server = createHttpServer((_, response) => response.end('from the runtime\n'));
    if (address !== undefined) server.listen(port, '127.0.0.1');
    t.after(() => server.close());
  };
  return { installed, install };
}

async function held(t: TestContext) {
  const holder = createServer();
  holder.listen(0, '127.0.0.1');
  await once(holder, 'listening');
  t.after(() => holder.close());
  const bound = holder.address();
  if (bound === null || typeof bound === 'string') throw new Error('expected a TCP address');
  return { holder, address: `127.0.0.1:${bound.port}` };
}

describe('the metrics of a worker', () => {
  it('are those of the runtime where their port is free, or none are wanted', async (t) => {
    for (const address of [`127.0.0.1:${await freePort()}`, undefined]) {
      const { install, installed } = runtime(t, () => false);
      await installWithMetrics(address, install, () => assert.fail('there is nothing to tell'));
      assert.deepEqual(installed, [address]);
    }
  });

  it('are passed on as soon as their port is free', async (t) => {
    const { holder, address } = await held(t);
    const { install } = runtime(t, (one) => one === address);
    const told: string[] = [];
    const metrics = await installWithMetrics(address, install, (_, message) => void told.push(message), 5);
    t.after(() => metrics.stop());
    assert.deepEqual(told, ['the metrics are missing; the worker works without them']);
    holder.close();
    while (told.length < 2) await delay(5);
    assert.equal(told[1], 'the metrics are there now');
    assert.equal(await (await fetch(`http://${address}/metrics`)).text(), 'from the runtime\n');
    assert.equal((await fetch(`http://${address}/other`)).status, 404);
  });

  it('are given up, and not the worker, where no port is free at all', async (t) => {
    const { install, installed } = runtime(t, (address) => address !== undefined);
    await installWithMetrics('127.0.0.1:65000', install, () => {}, 5);
    assert.deepEqual(installed, [undefined]);
  });

  for (const address of ['everywhere', '127.0.0.1', '127.0.0.1:', '127.0.0.1:70000', 'localhost:9464']) {
    it(`are refused at ${address}, which is no address`, async (t) => {
      const { install, installed } = runtime(t, () => false);
      await assert.rejects(
        installWithMetrics(address, install, () => {}),
        /expected IP:PORT for metrics, found /,
      );
      assert.deepEqual(installed, []);
    });
  }
});
