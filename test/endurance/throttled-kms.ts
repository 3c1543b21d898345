import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startRegistry } from '../../infra/stack/registry.ts';
import { inParallel, inTurn } from '../bench/rounds.ts';
import { pushImage } from '../support/image.ts';
import { useManagedCosign } from '../support/kms/cosign.ts';
import { KmsOwner, kmsEnvironment } from '../support/kms/owner.ts';
import { managedPolicy } from '../support/kms/policy.ts';
import { startKms } from '../support/kms/server.ts';
import { ninetyPercentThrottled } from '../support/kms/throttling.ts';
import { startTestHouse } from '../support/pull.ts';

export const KEYS = 5;
const IMAGES = 20;
const AT_ONCE = 16;
const MAX_AGE_MS = 30_000;

/** Codes of pulls that found nothing out, or not yet: none of them says that an image is bad. */
const INCONCLUSIVE = /^(KMS_THROTTLED|KMS_TIMEOUT|STILL_VERIFYING|WORKER_UNAVAILABLE)$/;

/** What many verifications came to while the KMS throttled nine of ten calls. */
export interface Throttled {
  readonly seconds: number;
  /** For how many times the state of a key is fresh enough. */
  readonly windows: number;
  readonly calls: number;
  readonly throttled: number;
  readonly statesRead: number;
  /** How often each code was the reason of a pull that had to come again. */
  readonly delayed: Readonly<Record<string, number>>;
  /** Codes that say something of an image: none, ever. */
  readonly denied: readonly string[];
}

/** Verifies so many names of twenty images by five keys, each until it is let in. */
export async function verifyThrottled(verifications: number): Promise<Throttled> {
  await using running = new AsyncDisposableStack();
  const { kms, images, house } = await setUp(running);
  const begun = performance.now();
  const delayed: Record<string, number> = {};
  await inParallel(verifications, AT_ONCE, async (round) => {
    const image = images[round % IMAGES];
    if (image === undefined) throw new Error('expected an image');
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
  const made = [...kms.calls];
  return {
    ...{ seconds, delayed, calls: made.length, windows: Math.ceil((seconds * 1_000) / MAX_AGE_MS) },
    throttled: made.filter(({ outcome }) => outcome === 'ThrottlingException').length,
    statesRead: made.filter(({ operation, outcome }) => operation === 'DescribeKey' && outcome === 'ok').length,
    denied: Object.keys(delayed).filter((code) => !INCONCLUSIVE.test(code)),
  };
}

/** Signed before the KMS throttles and before there is a worker, so that it knows no key yet. */
async function setUp(running: AsyncDisposableStack) {
  const dir = await mkdtemp(join(tmpdir(), 'portcullis-kms-'));
  running.defer(() => rm(dir, { recursive: true }));
  const kms = await startKms();
  running.defer(() => kms.stop());
  const owner = new KmsOwner(kms.url);
  running.defer(() => owner.close());
  const uris = await inTurn(KEYS, async () => `awskms:///${(await owner.create('ECC_NIST_P256')).arn}`);
  const env = kmsEnvironment(kms.url);
  const cosign = await useManagedCosign(dir, env);
  const registry = await startRegistry({ dir, kind: 'referrers' });
  const { address } = registry;
  const images = await inTurn(IMAGES, async (at) => {
    const path = `key-${at % KEYS}/app`;
    const { digest } = await pushImage({ registry: address, repository: path, tag: `v${at}` });
    await cosign.sign('cosign', `${address}/${path}@${digest}`, String(uris[at % KEYS]));
    return { repository: `${address}/${path}`, digest };
  });
  kms.fault = ninetyPercentThrottled();
  kms.calls.length = 0;
  const house = await startTestHouse({
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
  return { kms, images, house };
}

if (import.meta.main) {
  const found = await verifyThrottled(Number(process.argv[2] ?? 1_000));
  console.log(found);
  if (found.denied.length > 0 || found.statesRead > KEYS * (found.windows + 1)) process.exitCode = 1;
}
