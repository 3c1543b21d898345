import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startRegistry } from '../../infra/stack/registry.ts';
import { inParallel, inTurn } from '../bench/rounds.ts';
import { pushImage } from '../support/image.ts';
import { useManagedCosign } from '../support/kms/cosign.ts';
import { KmsOwner, kmsEnvironment } from '../support/kms/owner.ts';
import { managedPolicy } from '../support/kms/policy.ts';
import { type FakeKms, startKms } from '../support/kms/server.ts';
import { ninetyPercentThrottled } from '../support/kms/throttling.ts';
import { startTestHouse, type TestHouse } from '../support/pull.ts';

const KEYS = 5;
const IMAGES = 20;
const VERIFICATIONS = 1_000;
const AT_ONCE = 16;
const MAX_AGE_MS = 30_000;
/** Codes of pulls that found nothing out, or not yet: none of them says that an image is bad. */
const INCONCLUSIVE = /^(KMS_THROTTLED|KMS_TIMEOUT|STILL_VERIFYING|WORKER_UNAVAILABLE)$/;

interface SignedImage {
  readonly repository: string;
  readonly digest: string;
}

let kms: FakeKms;
let house: TestHouse;
let images: readonly SignedImage[];
const running = new AsyncDisposableStack();

/** Signed before the KMS throttles and before there is a worker, so that it knows no key yet. */
before(async () => {
  const dir = await mkdtemp(join(tmpdir(), 'portcullis-kms-'));
  running.defer(() => rm(dir, { recursive: true }));
  kms = await startKms();
  running.defer(() => kms.stop());
  const owner = new KmsOwner(kms.url);
  running.defer(() => owner.close());
  const uris = await inTurn(KEYS, async () => `awskms:///${(await owner.create('ECC_NIST_P256')).arn}`);
  const env = kmsEnvironment(kms.url);
  const cosign = await useManagedCosign(dir, env);
  const registry = await startRegistry({ dir, kind: 'referrers' });
  const { address } = registry;
  images = await inTurn(IMAGES, async (at) => {
    const path = `key-${at % KEYS}/app`;
    const { digest } = await pushImage({ registry: address, repository: path, tag: `v${at}` });
    await cosign.sign('cosign', `${address}/${path}@${digest}`, String(uris[at % KEYS]));
    return { repository: `${address}/${path}`, digest };
  });
  kms.fault = ninetyPercentThrottled();
  kms.calls.length = 0;
  house = await startTestHouse({
    ...{ registry, workerEnv: env },
    policies: async () => ({
      'kms.yaml': uris
        .map((uri, at) =>
          managedPolicy(`key-${at}`, `${address}/key-${at}/**`, uri, { maxAge: `${MAX_AGE_MS / 1_000}s` }),
        )
        .join('\n---\n'),
    }),
  });
  running.defer(() => house.stop());
});
after(() => running.disposeAsync());

describe('a thousand verifications of twenty images by five keys, nine of ten calls to the KMS throttled', () => {
  it('end without a denial, and read each state about once for each window', async (t) => {
    const begun = performance.now();
    const delayed: Record<string, number> = {};
    await inParallel(VERIFICATIONS, AT_ONCE, async (round) => {
      const image = images[round % IMAGES];
      assert.ok(image);
      // A verdict is for a name and a digest: each name is a verification of its own.
      for (;;) {
        const run = await house.pull(`${image.repository}:pulled-${round}`, image.digest);
        if (run.exitCode === 0) return;
        const code = /^([A-Z_]+): /.exec(run.stdout)?.[1] ?? run.stdout;
        delayed[code] = (delayed[code] ?? 0) + 1;
        await delay(250);
      }
    });
    const seconds = (performance.now() - begun) / 1_000;
    const made = kms.calls;
    const reads = made.filter(({ operation, outcome }) => operation === 'DescribeKey' && outcome === 'ok').length;
    const windows = Math.ceil((seconds * 1_000) / MAX_AGE_MS);
    t.diagnostic(
      `${seconds.toFixed(1)} s, ${windows} windows, ${made.length} calls, ${reads} states read; pulls that waited: ${JSON.stringify(delayed)}`,
    );
    for (const code of Object.keys(delayed)) assert.match(code, INCONCLUSIVE);
    assert.ok(reads <= KEYS * (windows + 1), `${reads} states were read in ${windows} windows`);
    assert.ok(made.some(({ outcome }) => outcome === 'ThrottlingException'));
  });
});
