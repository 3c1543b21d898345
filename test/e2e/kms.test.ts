import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startKms } from '../../infra/stack/kms.ts';
import { type HouseContainerd, startHouseContainerd } from '../support/house-containerd.ts';
import { pushImage } from '../support/image.ts';
import { COSIGN_LINES, type CosignLine, type ManagedCosign, useManagedCosign } from '../support/kms/cosign.ts';
import { KmsOwner, kmsEnvironment, type OwnedKey } from '../support/kms/owner.ts';
import { managedPolicy } from '../support/kms/policy.ts';
import { startTestHouse, type TestHouse } from '../support/pull.ts';

/** What both cosigns and the server know; cosign signs by one algorithm of each. */
const SPECS = ['RSA_2048', 'RSA_3072', 'RSA_4096', 'ECC_NIST_P256', 'ECC_NIST_P384', 'ECC_NIST_P521'] as const;
/** The shortest that a policy may want. */
const MAX_AGE = '10s';
/** How long a changed state may take: `maxAge`, the ten seconds that an allow or a deny lives, a busy machine. */
const PATIENCE_MS = 40_000;

interface Case {
  readonly line: CosignLine;
  readonly spec: string;
  readonly repository: string;
  readonly key: OwnedKey;
  /** As the policy and cosign name the key. */
  readonly uri: string;
}

let house: TestHouse;
let containerd: HouseContainerd;
let owner: KmsOwner;
let cosign: ManagedCosign;
const cases: Case[] = [];
const images = new Map<Case, string>();
const running = new AsyncDisposableStack();

before(async () => {
  const dir = await mkdtemp(join(tmpdir(), 'portcullis-kms-'));
  running.defer(() => rm(dir, { recursive: true }));
  const kms = await startKms({ dir });
  running.defer(() => kms.stop());
  owner = new KmsOwner(kms.url);
  running.defer(() => owner.close());
  for (const spec of SPECS) for (const line of COSIGN_LINES) cases.push(await createCase(line, spec));
  const env = kmsEnvironment(kms.url);
  cosign = await useManagedCosign(dir, env);
  house = await startTestHouse({
    workerEnv: env,
    policies: async (registry) => ({
      'kms.yaml': cases
        .map(({ repository, uri }) =>
          managedPolicy(repository.replace('/', '-'), `${registry}/${repository}:**`, uri, { maxAge: MAX_AGE }),
        )
        .join('\n---\n'),
    }),
  });
  running.defer(() => house.stop());
  containerd = await startHouseContainerd(dir, house);
  running.defer(() => containerd.stop());
});
after(() => running.disposeAsync());

/** Every other key is named by an alias, the others by ARN and by id. */
async function createCase(line: CosignLine, spec: string): Promise<Case> {
  const key = await owner.create(spec);
  const repository = `kms/${line}-${spec.toLowerCase().replaceAll('_', '-')}`;
  const alias = `alias/${line}/${spec}`;
  await owner.name(alias, key);
  const names = [alias, key.arn, alias, key.id];
  return { line, spec, repository, key, uri: `awskms:///${names[cases.length % names.length]}` };
}

async function push({ repository }: Case) {
  const options = { registry: house.registry.address, repository, tag: randomUUID() };
  return await pushImage({ ...options, files: { unique: options.tag } });
}

/** By tag, as people pull: the same name each time, so that what was allowed before has to be forgotten. */
async function pullEach(): Promise<Readonly<Record<string, string>>> {
  const seen: Record<string, string> = {};
  for (const [one, image] of images) seen[one.repository] = (await containerd.pull(image)) ?? 'pulled';
  return seen;
}

/** Pulls all until none of them ends as it did before. Answers how they ended, and after how long, in s. */
async function pullEachUntilOther(than: string) {
  const begun = performance.now();
  for (;;) {
    await delay(1_000);
    const seen = await pullEach();
    const passed = performance.now() - begun;
    if (!Object.values(seen).includes(than) || passed > PATIENCE_MS)
      return { seen, seconds: Math.round(passed / 1_000) };
  }
}

const all = (outcome: string) => Object.fromEntries(cases.map(({ repository }) => [repository, outcome]));

describe('images that real cosign signs by keys in a real KMS server, pulled by containerd', () => {
  it('are allowed, for each key spec and each line of cosign', async () => {
    for (const one of cases) {
      const image = await push(one);
      images.set(one, image.name);
      await cosign.sign(one.line, `${house.registry.address}/${one.repository}@${image.digest}`, one.uri);
    }
    assert.deepEqual(await pullEach(), all('pulled'));
  });

  it('are refused without a signature, and by the signature of another key', async () => {
    const [one, other] = cases;
    assert.ok(one && other);
    const unsigned = await push(one);
    assert.equal(await containerd.pull(unsigned.name), 'UNSIGNED');
    const wrong = await push(one);
    await cosign.sign('cosign', `${house.registry.address}/${one.repository}@${wrong.digest}`, other.uri);
    assert.match(String(await containerd.pull(wrong.name)), /^(WRONG_KEY|SIGNATURE_INVALID)$/);
  });

  for (const [what, change, before, outcome] of [
    ['are refused under the same name within the window after DisableKey', 'disable', 'pulled', 'KEY_DISABLED'],
    ['are pulled again after EnableKey', 'enable', 'KEY_DISABLED', 'pulled'],
    ['are refused after ScheduleKeyDeletion', 'scheduleDeletion', 'pulled', 'KEY_PENDING_DELETION'],
  ] as const) {
    it(what, async (t) => {
      for (const { key } of cases) await owner[change](key);
      const { seen, seconds } = await pullEachUntilOther(before);
      t.diagnostic(`all ${cases.length} within ${seconds} s of ${change}`);
      assert.deepEqual(seen, all(outcome));
    });
  }

  it('are pulled again after CancelKeyDeletion and EnableKey', async (t) => {
    for (const { key } of cases) await owner.cancelDeletion(key);
    for (const { key } of cases) await owner.enable(key);
    const { seen, seconds } = await pullEachUntilOther('KEY_PENDING_DELETION');
    t.diagnostic(`all ${cases.length} within ${seconds} s`);
    assert.deepEqual(seen, all('pulled'));
  });
});
