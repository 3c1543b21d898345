import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { RELEASE_KEY } from '../../infra/stack/house.ts';
import { startWorker } from '../../infra/stack/portcullis.ts';
import { type Registry, startRegistry } from '../../infra/stack/registry.ts';
import { pushImage } from '../support/image.ts';
import { assertRefused, startTestHouse, type TestHouse } from '../support/pull.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** Another service of the worker's machine, and what it was asked. */
const asked: string[] = [];
const neighbour = createServer(({ method, url }, response) => {
  asked.push(`${method} ${url}`);
  response.end('secret');
});

let house: TestHouse;
let registry: Registry;
const parts = new AsyncDisposableStack();

before(async () => {
  const { path: dir } = parts.use(await temporaryFolder());
  neighbour.listen(0, '127.0.0.1');
  await once(neighbour, 'listening');
  parts.defer(() => {
    neighbour.closeAllConnections();
    neighbour.close();
  });
  const address = neighbour.address();
  assert.ok(address !== null && typeof address === 'object');
  registry = await startRegistry({ dir, kind: 'distribution', blobsAt: `http://127.0.0.1:${address.port}/admin` });
  parts.defer(() => registry.stop());
  house = await startTestHouse({
    registry: { address: registry.address, stop: async () => {} },
    allowInternal: [registry.address],
  });
  parts.defer(() => house.stop());
});
after(() => parts.disposeAsync());

async function pushSigned(tag: string): Promise<readonly [string, string]> {
  const { digest } = await pushImage({ registry: registry.address, repository: 'demo/app', tag, files: { tag } });
  await house.cosign.sign(`${registry.address}/demo/app@${digest}`, RELEASE_KEY);
  // The client that signs asks for blobs, too.
  asked.length = 0;
  return [`${registry.address}/demo/app:${tag}`, digest];
}

describe('a real registry that redirects to a service of the machine of the worker', () => {
  it('makes the worker ask it nothing, and the refusal names the setting', async () => {
    const run = await house.pull(...(await pushSigned('refused')));
    assertRefused(run, 'REGISTRY_INTERNAL_ADDRESS');
    assert.match(
      run.stdout,
      /refers to 127\.0\.0\.1:\d+, which is a loopback address; .*--allow-internal 127\.0\.0\.1:\d+/,
    );
    assert.deepEqual(asked, []);
  });

  it('is followed by a worker that has this machine on its list', async () => {
    const image = await pushSigned('listed');
    await house.worker.stop();
    const { dir, temporal, policyDirectory, verdictKey } = house;
    const listing = await startWorker({
      dir,
      name: 'listing',
      temporal: temporal.address,
      policyDirectory,
      verdictKey,
    });
    parts.defer(() => listing.stop());
    const run = await house.pull(...image);
    assert.equal(run.exitCode, 1);
    assert.ok(asked.length > 0 && asked.every((one) => one.startsWith('GET /admin/')), asked.join());
  });
});
