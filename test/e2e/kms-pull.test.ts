import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { build } from '../../infra/build.ts';
import { type Containerd, startContainerd } from '../../infra/stack/containerd.ts';
import { type Kms, startKms } from '../../infra/stack/kms.ts';
import { obtain } from '../../infra/tools/obtain.ts';
import { pushImage } from '../support/image.ts';
import { KmsOwner, kmsEnvironment, type OwnedKey } from '../support/kms/owner.ts';
import { assertAllowed, assertRefused, startTestHouse, type TestHouse } from '../support/pull.ts';

const execute = promisify(execFile);

/** What both cosigns and the KMS server know. */
const SPECS = ['ECC_NIST_P256', 'ECC_NIST_P384', 'ECC_NIST_P521', 'RSA_2048', 'RSA_3072', 'RSA_4096'] as const;
const SIGNERS = {
  cosign: ['--signing-config=signing-config.json'],
  cosign2: ['--tlog-upload=false'],
} as const;

/** A state is asked for again after ten seconds, and no verdict lives longer than that and ten more. */
const WINDOW_MS = 21_000;

interface Signed {
  readonly name: string;
  readonly digest: string;
}

let kms: Kms;
let owner: KmsOwner;
let house: TestHouse;
let containerd: Containerd;
const keys = new Map<string, OwnedKey>();
const images = new Map<string, readonly Signed[]>();
const running = new AsyncDisposableStack();

const keyOf = (spec: string): OwnedKey => keys.get(spec) ?? assert.fail(spec);
const repositoryOf = (spec: string): string => `kms/${spec.toLowerCase().replaceAll('_', '-')}`;

/** One policy for each key, and its state asked for as often as a policy may want. */
function policies(registry: string): Readonly<Record<string, string>> {
  const document = (apiVersion: string, kind: string, name: string, spec: object) =>
    JSON.stringify({ apiVersion, kind, metadata: { name }, spec });
  const documents = [...keys].flatMap(([spec, { arn }]) => {
    const name = spec.toLowerCase().replaceAll('_', '-');
    const authorities = [{ name: 'release', key: { kms: `awskms:///${arn}` } }];
    const policy = { images: [{ glob: `${registry}/${repositoryOf(spec)}:**` }], authorities };
    return [
      document('policy.sigstore.dev/v1beta1', 'ClusterImagePolicy', name, policy),
      document('portcullis.dev/v1alpha1', 'AuthorityRequirement', name, { policy: name, key: { maxAge: '10s' } }),
    ];
  });
  return { 'kms.yaml': documents.join('\n---\n') };
}

before(async () => {
  const dir = await mkdtemp(join(tmpdir(), 'portcullis-kms-'));
  running.defer(() => rm(dir, { recursive: true }));
  kms = await startKms({ dir });
  running.defer(() => kms.stop());
  owner = new KmsOwner(kms.url);
  running.defer(() => owner.close());
  for (const spec of SPECS) keys.set(spec, await owner.create(spec));
  house = await startTestHouse({
    policies: async (registry) => policies(registry),
    workerEnv: kmsEnvironment(kms.url),
  });
  running.defer(() => house.stop());
  const programs = await obtain(['cosign', 'cosign2']);
  const env = { ...process.env, ...kmsEnvironment(kms.url), TUF_ROOT: join(dir, 'tuf') };
  await execute(programs.cosign, ['signing-config', 'create', '--out', 'signing-config.json'], { cwd: dir, env });
  for (const [spec, { arn }] of keys) {
    const signed: Signed[] = [];
    for (const signer of ['cosign', 'cosign2'] as const) {
      const registry = house.registry.address;
      const files = { unique: `${spec} ${signer}` };
      const image = await pushImage({ registry, repository: repositoryOf(spec), tag: signer, files });
      const target = `${registry}/${repositoryOf(spec)}@${image.digest}`;
      const args = ['sign', '--yes', '--allow-http-registry', ...SIGNERS[signer], `--key=awskms:///${arn}`, target];
      await execute(programs[signer], args, { cwd: dir, env });
      signed.push(image);
    }
    images.set(spec, signed);
  }
  const binDir = join(dir, 'verifiers');
  await mkdir(binDir);
  await copyFile((await build()).launcher, join(binDir, 'portcullis-verifier'));
  containerd = await startContainerd({
    ...{ dir, binDir, plainHttpRegistry: house.registry.address },
    extraEnv: { PORTCULLIS_SOCKET: house.launcherSocket },
  });
  running.defer(() => containerd.stop());
});
after(() => running.disposeAsync());

/** Asks for every image by the launcher, and for the first one by containerd as well. */
async function assertAllPulled(): Promise<void> {
  for (const { name, digest } of [...images.values()].flat()) assertAllowed(await house.pull(name, digest));
  for (const { name } of images.get(SPECS[0]) ?? assert.fail()) {
    const { code, stderr } = await containerd.ctr(['image', 'pull', '--plain-http', name]);
    assert.equal(code, 0, stderr);
    await containerd.ctr(['image', 'rm', name]);
  }
}

async function assertAllRefused(code: string): Promise<void> {
  for (const [spec, signed] of images) {
    for (const { name, digest } of signed) {
      const run = await house.pull(name, digest);
      assertRefused(run, code);
      assert.ok(run.stdout.includes(keyOf(spec).arn), run.stdout);
    }
  }
  const [first] = images.get(SPECS[0]) ?? [];
  const { code: exit, stderr } = await containerd.ctr(['image', 'pull', '--plain-http', first?.name ?? '']);
  assert.notEqual(exit, 0);
  assert.match(stderr, new RegExp(`rejected image \\(exit code 1\\): ${code}: `));
}

describe('images that both cosigns signed with keys in a KMS', () => {
  it('are pulled, whatever the key', async () => {
    assert.equal([...images.values()].flat().length, 12);
    await assertAllPulled();
  });

  it('are refused within the freshness window once the owners disabled the keys, under the same tags', async () => {
    for (const key of keys.values()) await owner.disable(key);
    await delay(WINDOW_MS);
    await assertAllRefused('KEY_DISABLED');
  });

  it('are pulled again once the keys are enabled', async () => {
    for (const key of keys.values()) await owner.enable(key);
    await delay(WINDOW_MS);
    await assertAllPulled();
  });

  it('are refused once the keys are scheduled for deletion, and pulled when that is cancelled', async () => {
    for (const key of keys.values()) await owner.scheduleDeletion(key);
    await delay(WINDOW_MS);
    await assertAllRefused('KEY_PENDING_DELETION');
    for (const key of keys.values()) {
      await owner.cancelDeletion(key);
      await owner.enable(key);
    }
    await delay(WINDOW_MS);
    await assertAllPulled();
  });

  it('leave no credential and no key in the logs of worker and shim', async () => {
    const secret = String(kmsEnvironment(kms.url)['AWS_SECRET_ACCESS_KEY']);
    for (const log of [house.worker.log, house.shim.log]) {
      const text = await readFile(log, 'utf8');
      assert.ok(text.length > 0);
      assert.ok(!text.includes(secret));
      assert.doesNotMatch(text, /PUBLIC KEY|PRIVATE KEY|AKIDWORKER/);
    }
  });
});
