import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { build } from '../../infra/build.ts';
import { writePolicy } from '../../infra/stack/house.ts';
import { startKms as startRealKms } from '../../infra/stack/kms.ts';
import { startShim, startWorker } from '../../infra/stack/portcullis.ts';
import { freePort } from '../../infra/stack/ports.ts';
import { startTemporal, type Temporal } from '../../infra/stack/temporal.ts';
import { KmsOwner, kmsEnvironment } from '../support/kms/owner.ts';
import { startKms } from '../support/kms/server.ts';
import { assertAllowed, assertRefused, pullThrough } from '../support/pull.ts';
import { type FakeRegistry, startFakeRegistry } from '../support/registry.ts';
import { createSigningKey } from '../support/signer.ts';
import { digestOf } from '../support/verdicts.ts';

const MAIN = fileURLToPath(new URL('../../infra/portcullis.ts', import.meta.url));
const DIGEST = digestOf('ab');
const STATIC = `apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata: {name: free}
spec:
  images: [{glob: "127.0.0.1:*/free/**"}]
  authorities: [{name: all, static: {action: pass}}]
`;

let registry: FakeRegistry;
before(async () => {
  await build();
  registry = await startFakeRegistry();
});
after(() => registry.stop());

/** A node and what workers need to serve it with keys in a KMS. */
async function prepare(t: TestContext, url: string) {
  const dir = await mkdtemp(join(tmpdir(), 'portcullis-keys-'));
  await chmod(dir, 0o700);
  t.after(() => rm(dir, { recursive: true, force: true }));
  const policyDirectory = join(dir, 'policy');
  for (const folder of ['policy', 'keys']) await mkdir(join(dir, folder));
  await writePolicy(policyDirectory, '127.0.0.1:*/wanted/**', createSigningKey('ECDSA P-256').publicPem);
  await writeFile(join(policyDirectory, 'free.yaml'), STATIC);
  const temporal = await startTemporal({ dir, headless: true });
  t.after(() => temporal.stop());
  const owner = new KmsOwner(url);
  t.after(() => owner.close());
  return { dir, policyDirectory, temporal, owner, env: kmsEnvironment(url) };
}
type Prepared = Awaited<ReturnType<typeof prepare>>;

/** Makes a key in the KMS and brings its public half to the node, as an operator does. */
async function introduce({ dir, owner, env }: Prepared, name: string) {
  const key = await owner.create('ECC_NIST_P256');
  const uri = `awskms:///${key.arn}`;
  const made = await portcullis(['keys', 'init', '--kms', uri, join(dir, name)], env);
  assert.equal(made.code, 0, made.output);
  await rename(join(dir, name, 'verdict.pub'), join(dir, 'keys', `${name}.pub`));
  return { uri, key };
}

function worker(t: TestContext, { dir, temporal, policyDirectory, env }: Prepared, name: string, verdictKey: string) {
  const started = startWorker({ dir, name, temporal: temporal.address, policyDirectory, verdictKey, env });
  t.after(async () => (await started).stop());
  return started;
}

async function shim(t: TestContext, { dir, temporal }: { dir: string; temporal: Temporal }) {
  const launcherSocket = join(dir, 'launcher.sock');
  const metrics = `127.0.0.1:${await freePort()}`;
  const sockets = { launcherSocket, grpcSocket: join(dir, 'grpc.sock') };
  const running = await startShim({
    dir,
    temporal: temporal.address,
    verdictKeys: join(dir, 'keys'),
    metrics,
    ...sockets,
  });
  t.after(() => running.stop());
  const pull = (name: string) => pullThrough(launcherSocket, `${registry.address}/${name}`, DIGEST);
  return { pull, metrics, log: running.log };
}

function portcullis(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return new Promise<{ code: number; output: string }>((resolve) => {
    execFile(process.execPath, [MAIN, ...args], { env: { ...process.env, ...env } }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), output: `${stdout}${stderr}` }),
    );
  });
}

/** Reads a log until it says something as often as that. */
async function said(log: string, text: string, count = 1): Promise<void> {
  while ((await readFile(log, 'utf8')).split(text).length <= count) await delay(50);
}

const unique = (repository: string) => `${repository}:${randomUUID()}`;

describe('verdicts signed in a KMS', () => {
  it('are believed; a real KMS whose key is disabled signs none', async (t) => {
    const kmsDir = await mkdtemp(join(tmpdir(), 'portcullis-kms-'));
    t.after(() => rm(kmsDir, { recursive: true, force: true }));
    const kms = await startRealKms({ dir: kmsDir });
    t.after(() => kms.stop());
    const house = await prepare(t, kms.url);
    const { uri, key } = await introduce(house, 'one');
    const node = await shim(t, house);
    await worker(t, house, 'worker', uri);
    assertAllowed(await node.pull(unique('free/app')));
    assertRefused(await node.pull(unique('wanted/app')), 'UNSIGNED');
    await house.owner.disable(key);
    const refused = await node.pull(unique('free/app'));
    assert.equal(refused.exitCode, 1);
    assert.match(refused.stdout, /KEY_UNREADABLE.*the verdict key did not sign/);
    await house.owner.enable(key);
    assertAllowed(await node.pull(unique('free/app')));
  });

  it('wait for a KMS that throttles, and are given then', async (t) => {
    const kms = await startKms();
    t.after(() => kms.stop());
    const house = await prepare(t, kms.url);
    const { uri } = await introduce(house, 'one');
    const node = await shim(t, house);
    await worker(t, house, 'worker', uri);
    assertAllowed(await node.pull(unique('free/app')));
    kms.fault = (operation) => (operation === 'Sign' ? { kind: 'error', type: 'ThrottlingException' } : undefined);
    const name = unique('free/app');
    assertRefused(await node.pull(name), 'KMS_THROTTLED');
    kms.fault = undefined;
    assertAllowed(await node.pull(name));
    const logs = await Promise.all(['worker.log', 'shim.log'].map((file) => readFile(join(house.dir, file), 'utf8')));
    assert.doesNotMatch(logs.join(''), /not-a-secret|PRIVATE KEY/);
    const signed = kms.calls.filter(({ operation }) => operation === 'Sign').map(({ body }) => JSON.parse(body));
    // a digest is all that leaves the worker
    assert.deepEqual(new Set(signed.map(({ MessageType }) => MessageType)), new Set(['DIGEST']));
  });
});

describe('a verdict key that is replaced while images are pulled', () => {
  it('refuses none that is allowed, allows none that is not, and counts no more once its window has ended', async (t) => {
    const kms = await startKms();
    t.after(() => kms.stop());
    const house = await prepare(t, kms.url);
    const one = await introduce(house, 'one');
    const node = await shim(t, house);
    const first = await worker(t, house, 'worker-1', one.uri);
    const shared = unique('free/shared');
    assertAllowed(await node.pull(shared));

    let isOver = false;
    let pulls = 0;
    const pulling = (async () => {
      for (; !isOver; pulls++) {
        const [free, same, wanted] = [unique('free/app'), shared, unique('wanted/app')].map((name) => node.pull(name));
        if (free === undefined || same === undefined || wanted === undefined) throw new Error('three were asked for');
        assertAllowed(await free);
        assertAllowed(await same);
        assertRefused(await wanted, 'UNSIGNED');
      }
    })();
    pulling.catch(() => {}); // told below

    const two = await introduce(house, 'two');
    await said(node.log, '"message":"reloaded","verdictKeys":2');
    const second = await worker(t, house, 'worker-2', two.uri);
    await first.stop();
    await writeFile(
      join(house.dir, 'one.new'),
      JSON.stringify({ notAfter: new Date(Date.now() - 10_000).toISOString() }),
    );
    await rename(join(house.dir, 'one.new'), join(house.dir, 'keys', 'one.json'));
    await said(node.log, '"message":"reloaded","verdictKeys":2', 2);
    const before = pulls;
    while (pulls < before + 2) await Promise.race([delay(50), pulling]);
    isOver = true;
    await pulling;

    const listed = await portcullis([
      'keys',
      'list',
      '--metrics',
      node.metrics,
      '--output',
      'json',
      join(house.dir, 'keys'),
    ]);
    assert.equal(listed.code, 0, listed.output);
    const { keys } = JSON.parse(listed.output);
    const states = keys.map(({ file, state, use }: Record<string, unknown>) => [file, state, typeof use]);
    assert.deepEqual(states, [
      ['one.pub', 'ended', 'object'],
      ['two.pub', 'good', 'object'],
    ]);
    for (const { use } of keys) assert.ok(use.verdicts > 0 && use.lastAt !== undefined, listed.output);

    await second.stop();
    await worker(t, house, 'worker-3', one.uri);
    const refused = await node.pull(unique('free/app'));
    assertRefused(refused, 'VERDICT_FORGED');
    assert.match(refused.stdout, /\(one\.pub\) is known to this node and outside its window, which ended at/);
  });
});
