import assert from 'node:assert/strict';
import { mkdtemp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type Containerd, startContainerd } from '../../infra/stack/containerd.ts';
import { freePort } from '../../infra/stack/ports.ts';
import { obtain } from '../../infra/tools/obtain.ts';
import { createCanaryImage } from '../../shim/canary/artefact.ts';
import { startCanaryRegistry } from '../../shim/canary/registry.ts';
import { connectCri } from '../../shim/containerd/cri.ts';
import { connectIntrospection } from '../../shim/containerd/introspection-client.ts';
import { canary, IMAGES, leftOn, openScene, setting } from './canary-scene.ts';

let scene: Awaited<ReturnType<typeof openScene>>;
/** An image of the user's that is on the bootstrap list: the only one that a node without a backend lets in. */
const listed = createCanaryImage();

before(async () => {
  scene = await openScene(listed.digest);
});
after(() => scene.close());

/** A node whose daemon watches its containerd, which may be exchanged for one with another configuration. */
async function watchedNode() {
  const home = await mkdtemp(join(scene.dir, 'w-'));
  const binDir = await scene.verifiers(home);
  const metrics = `127.0.0.1:${await freePort()}`;
  const address = join(home, 'containerd.sock');
  let daemon = await scene.startDaemon(home, { metrics, canaryOf: address });
  let containerd: Containerd | undefined;
  return {
    address,
    async exchange(change: (toml: string) => string = (toml) => toml): Promise<Containerd> {
      await containerd?.stop();
      const extraEnv = { PORTCULLIS_SOCKET: join(home, 'run', 'l.sock') };
      containerd = await startContainerd({ dir: home, binDir, extraEnv, change });
      return containerd;
    },
    async restartDaemon() {
      await daemon.stop();
      daemon = await scene.startDaemon(home, { metrics, canaryOf: address });
    },
    /** Waits until the daemon says so of itself; its metrics come a moment after the gate. */
    async shows(line: RegExp) {
      const scrape = async () => {
        const response = await fetch(`http://${metrics}/metrics`).catch(() => undefined);
        return (await response?.text()) ?? '';
      };
      while (!line.test(await scrape())) await delay(200);
      return await scrape();
    },
    log: async () => await readFile(join(home, 'shim.log'), 'utf8'),
    canary: (...args: readonly string[]) => canary(home, '--containerd', address, ...args),
    async stop() {
      await containerd?.stop();
      await daemon.stop();
    },
  };
}

// Most of the time each waits for its containerd or its daemon.
describe('a daemon that watches its containerd', { concurrency: 2 }, () => {
  it('is green, red at once when another one comes that does not ask, and green again', async () => {
    const node = await watchedNode();
    try {
      await node.shows(/^portcullis_canary_green -1$/m);
      await node.exchange();
      await node.shows(/^portcullis_canary_green 1$/m);
      const bypassing = await node.exchange(setting(IMAGES, 'use_local_image_pull = true'));
      const text = await node.shows(/^portcullis_canary_green 0$/m);
      assert.match(text, /^portcullis_canary_runs_total\{outcome="bypassed"\} 1$/m);
      assert.match(text, /^portcullis_canary_timestamp_seconds [1-9]/m);
      assert.match(text, /^portcullis_decisions_total\{front="launcher",outcome="allow",reason="CANARY_PASSED"\} 1$/m);
      assert.match(await node.log(), /"level":"error","message":"canary is red","outcome":"bypassed"/);
      assert.deepEqual(await leftOn(bypassing), []);

      // what a canary left that was killed
      const registry = await startCanaryRegistry(new Map([['portcullis-canary/passed', createCanaryImage()]]));
      const cri = connectCri(node.address);
      await cri.pullImage(`${registry.address}/portcullis-canary/passed:old`);
      assert.equal((await leftOn(bypassing)).length, 1);
      assert.deepEqual((await node.canary('--ctr', 'off')).outcomes, ['bypassed']);
      assert.deepEqual(await leftOn(bypassing), []);
      cri.close();
      await registry.stop();

      await node.exchange();
      await node.shows(/^portcullis_canary_green 1$/m);
    } finally {
      await node.stop();
    }
  });

  it('is restarted, and asked about images of the user', async () => {
    const node = await watchedNode();
    const registry = await startCanaryRegistry(
      new Map([
        ['own/app', listed],
        ['own/other', createCanaryImage()],
      ]),
    );
    try {
      const containerd = await node.exchange();
      await node.restartDaemon();
      const pass = `--pass=${registry.address}/own/app:v1`;
      const both = await node.canary('--ctr', (await obtain(['ctr'])).ctr, pass);
      assert.deepEqual([both.code, both.outcomes], [0, ['green', 'green', 'green', 'green']]);
      const refuse = `--refuse=${registry.address}/own/other:v1`;
      const { code, outcomes, results } = await node.canary('--ctr', 'off', pass, refuse);
      assert.deepEqual([code, outcomes], [3, ['green', 'not-decided', 'green']]);
      assert.match(String(results[1]?.steps[0]?.sentence), /TEMPORAL_UNREACHABLE/);
      assert.deepEqual(await leftOn(containerd), []);

      const introspection = connectIntrospection(node.address);
      const [{ version }, { pid }, plugins] = await Promise.all([
        ...([introspection.version(), introspection.server(), introspection.plugins()] as const),
      ]);
      introspection.close();
      assert.match(version, /^2\.4\./);
      assert.equal(pid, containerd.pid);
      const bindir = plugins.find(({ id }) => id === 'io.containerd.image-verifier.v1.bindir');
      assert.equal(bindir?.initError, undefined);
      assert.notEqual(bindir, undefined);
    } finally {
      await registry.stop();
      await node.stop();
    }
  });
});
