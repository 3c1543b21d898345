import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { RELEASE_KEY, writePolicy } from '../../infra/stack/house.ts';
import { startWorker } from '../../infra/stack/portcullis.ts';
import { type PushedImage, pushImage } from '../support/image.ts';
import { assertAllowed, assertRefused, startTestHouse, type TestHouse } from '../support/pull.ts';

/** A changed policy has reached every node after this, in ms (design: 15 s), on a machine that is busy. */
const PROPAGATION_MS = 15_000;

let house: TestHouse;
let image: PushedImage;
before(async () => {
  house = await startTestHouse();
  const { address } = house.registry;
  image = await pushImage({ registry: address, repository: 'demo/app', tag: 'v1', files: { unique: randomUUID() } });
  await house.cosign.sign(`${address}/demo/app@${image.digest}`, RELEASE_KEY);
});
after(() => house.stop());

describe('a policy change', () => {
  it('invalidates a verdict that was an allow a moment ago', async () => {
    assertAllowed(await house.pull(image.name, image.digest));
    await writePolicy(
      house.policyDirectory,
      `${house.registry.address}/demo/**`,
      await house.cosign.generateKeyPair('next'),
    );
    await delay(PROPAGATION_MS);
    assertRefused(await house.pull(image.name, image.digest), 'WRONG_KEY');
  });

  it('to something invalid changes nothing while the last good policy is there', async () => {
    await writeFile(join(house.policyDirectory, 'broken.yaml'), 'kind: ClusterImagePolicy\nspec: [');
    await delay(PROPAGATION_MS);
    assertRefused(await house.pull(image.name, image.digest), 'WRONG_KEY');
  });

  it('to something invalid refuses every pull when the worker has never seen a good one', async () => {
    await house.worker.stop();
    const { dir, temporal, policyDirectory, verdictKey } = house;
    const worker = await startWorker({
      dir,
      name: 'worker-invalid',
      temporal: temporal.address,
      policyDirectory,
      verdictKey,
    });
    await delay(PROPAGATION_MS);
    const run = await house.pull(image.name, image.digest);
    assertRefused(run, 'POLICY_INVALID');
    assert.match(run.stdout, /broken\.yaml:\d+:\d+/);
    await rm(join(policyDirectory, 'broken.yaml'));
    await rm(join(policyDirectory, 'demo.yaml'));
    await delay(PROPAGATION_MS);
    assertRefused(await house.pull(image.name, image.digest), 'NO_POLICY');
    await worker.stop();
  });
});
