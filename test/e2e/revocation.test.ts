import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { RELEASE_KEY } from '../../infra/stack/house.ts';
import { startShim, startWorker } from '../../infra/stack/portcullis.ts';
import type { ServerProcess } from '../../infra/stack/process.ts';
import { revocationOf } from '../support/asked.ts';
import { type HouseContainerd, startHouseContainerd } from '../support/house-containerd.ts';
import { pushImage, pushIndex } from '../support/image.ts';
import { assertAllowed, assertRefused, pullThrough, startTestHouse, type TestHouse } from '../support/pull.ts';

/** What a revocation may take to reach a node, in ms. */
const REVOCATION_MS = 15_000;

/** The same for what a revoked index lists, in ms: a worker looks for the index first. */
const LISTED_MS = 25_000;

const COUNTS =
  '{apiVersion: portcullis.dev/v1alpha1, kind: AuthorityRequirement, metadata: {name: index}, spec: {policy: demo, indexAttestations: counts}}';

let house: TestHouse;
let containerd: HouseContainerd;
/** A node that keeps verdicts and has a bootstrap list. */
let shim: ServerProcess;
let worker: ServerProcess;
const socket = () => join(house.dir, 'run', 'keeping.sock');

before(async () => {
  house = await startTestHouse({ policies: async () => ({ 'index.yaml': COUNTS }) });
  worker = house.worker;
  const dir = join(house.dir, 'c');
  await mkdir(dir);
  containerd = await startHouseContainerd(dir, house);
  await mkdir(join(house.dir, 'bootstrap'), { mode: 0o700 });
  shim = await startShim({
    ...{ dir: house.dir, name: 'keeping', temporal: house.temporal.address, verdictKeys: house.verdictPublicKey },
    ...{ launcherSocket: socket(), grpcSocket: join(house.dir, 'run', 'keeping-grpc.sock') },
    ...{ state: join(house.dir, 'keeping'), bootstrap: join(house.dir, 'bootstrap') },
  });
});
after(async () => {
  await shim.stop();
  await containerd.stop();
  await worker.stop();
  await house.stop();
});

/** A new index with one image, and the names by which both are pulled. */
async function push(...signed: readonly ('index' | 'manifest')[]) {
  const { address } = house.registry;
  const unique = randomUUID();
  const repository = `demo/${unique.slice(0, 8)}`;
  const pushed = await pushIndex({ registry: address, repository, tag: 'v1', files: { unique } });
  const digests = { index: pushed.digest, manifest: pushed.manifest };
  for (const what of signed) await house.cosign.sign(`${address}/${repository}@${digests[what]}`, RELEASE_KEY);
  return { ...digests, name: pushed.name, by: (digest: string) => `${address}/${repository}@${digest}` };
}

/** Writes the list of revoked digests in one step; of each name of a file another list. */
async function revoke(name: string, digests: Parameters<typeof revocationOf>[0], revision = 1): Promise<void> {
  const text = revocationOf(digests, revision).replace('{name: bad}', `{name: ${name}}`);
  await writeFile(join(house.policyDirectory, '.new'), text);
  await rename(join(house.policyDirectory, '.new'), join(house.policyDirectory, `${name}.yaml`));
}

/** Pulls until the answer is another one, at most so many ms. */
async function until(
  answer: string | undefined,
  pull: () => Promise<string | undefined>,
  mostMs = REVOCATION_MS,
): Promise<void> {
  const begun = Date.now();
  for (let found = await pull(); found !== answer; found = await pull()) {
    assert.ok(Date.now() - begun < mostMs, `${found} is still the answer`);
    await delay(250);
  }
}

/** The code of a refusal by the node that keeps verdicts. */
async function codeOf(name: string, digest: string): Promise<string | undefined> {
  const { exitCode, stdout } = await launch(name, digest);
  return exitCode === 0 ? undefined : stdout.split(':')[0];
}

const launch = (name: string, digest: string) => pullThrough(socket(), name, digest);

describe('a revoked manifest', () => {
  it('does not come in through a signed index that lists it, by containerd and by a kept verdict', async () => {
    const image = await push('index', 'manifest');
    assert.equal(await containerd.pull(image.name), undefined);
    assertAllowed(await launch(image.name, image.index));
    await revoke('manifest', [image.manifest]);
    await until('REVOKED', () => containerd.pull(image.name));
    assert.equal(await containerd.pull(image.by(image.manifest)), 'REVOKED');
    await until('REVOKED', () => codeOf(image.name, image.index));
    const kept = await launch(image.name, image.index);
    assertRefused(kept, 'REVOKED');
    assert.match(kept.stdout, new RegExp(`${image.index} contains or is allowed by ${image.manifest}`));
  });
});

describe('a revoked index', () => {
  it('gives its signature to none of its manifests, where evidence about an index counts', async () => {
    const image = await push('index');
    assertAllowed(await launch(image.name, image.manifest));
    await revoke('index', [image.index]);
    await until('REVOKED', () => containerd.pull(image.name));
    await until('REVOKED', () => codeOf(image.name, image.manifest));
    assertRefused(await house.pull(image.name, image.manifest), 'REVOKED');
  });

  it('takes with it a manifest that has a signature of its own, by its own digest and without a tag', async () => {
    const [image, other] = [await push('index', 'manifest'), await push('manifest')];
    assert.equal(await containerd.pull(image.by(image.manifest)), undefined);
    const untagged = image.name.replace(/:v1$/, '');
    assertAllowed(await launch(untagged, image.manifest));
    await revoke('platform', [image.index]);
    await until('REVOKED', () => containerd.pull(image.by(image.index)));
    // By shared and kept verdicts, which know of no index: what a revoked index lists is stated once it was looked for.
    await until('REVOKED', () => containerd.pull(image.by(image.manifest)), LISTED_MS);
    assert.equal(await containerd.pull(other.by(other.manifest)), undefined, 'other images are not held back');
    await until('REVOKED', () => codeOf(untagged, image.manifest), LISTED_MS);
  });
});

describe('a revocation', () => {
  it('outlives a worker without a usable policy directory, and ends by a higher revision alone', async () => {
    const { address } = house.registry;
    const files = { unique: randomUUID() };
    const image = await pushImage({ registry: address, repository: 'demo/listed', tag: 'v1', files });
    await writeFile(join(house.dir, 'bootstrap', 'node.list'), `${image.digest}  ${image.name}\n`);
    const pull = () => codeOf(image.name, image.digest);
    await until(undefined, pull);
    await revoke('listed', [image.digest]);
    await until('REVOKED', pull);

    const broken = join(house.dir, 'broken');
    await mkdir(broken);
    await writeFile(join(broken, 'demo.yaml'), 'kind: ClusterImagePolicy\nspec: [');
    await mkdir(join(house.dir, 'empty'));
    for (const policyDirectory of [broken, join(house.dir, 'empty'), join(house.dir, 'not-mounted')]) {
      await restartWorker(policyDirectory);
      await delay(REVOCATION_MS);
      assertRefused(await launch(image.name, image.digest), 'REVOKED');
    }

    await revoke('listed', []);
    await restartWorker(house.policyDirectory);
    await delay(REVOCATION_MS);
    assertRefused(await launch(image.name, image.digest), 'REVOKED');
    await revoke('listed', [], 2);
    await until(undefined, pull);
  });

  async function restartWorker(policyDirectory: string): Promise<void> {
    await worker.stop();
    const { dir, temporal, verdictKey } = house;
    worker = await startWorker({ dir, name: 'again', temporal: temporal.address, policyDirectory, verdictKey });
  }
});
