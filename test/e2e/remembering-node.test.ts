import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { RELEASE_KEY } from '../../infra/stack/house.ts';
import { startShim } from '../../infra/stack/portcullis.ts';
import { freePort } from '../../infra/stack/ports.ts';
import type { ServerProcess } from '../../infra/stack/process.ts';
import { POLICY_HEAD_TTL_MS } from '../../workflows/verdict/deadlines.ts';
import { type PushedImage, pushImage } from '../support/image.ts';
import { assertAllowed, assertRefused, pullThrough, startTestHouse, type TestHouse } from '../support/pull.ts';

const PROGRAM = fileURLToPath(new URL('../../infra/portcullis', import.meta.url));

/** What a policy change, and therefore a revocation, may take to reach a node, in ms. */
const REVOCATION_MS = 15_000;

let house: TestHouse;
let shim: ServerProcess;
let metricsPort: number;
/** Verified through a shim that left then, and comes back when no statement is good any more. */
let offline: PushedImage;
let left: number;
const socket = (name: string) => join(house.dir, 'run', `${name}.sock`);
const state = (name = 'remembering') => join(house.dir, 'state', name);
const bootstrap = () => join(house.dir, 'bootstrap');

before(async () => {
  house = await startTestHouse({
    policies: async (registry) => ({
      'offline.yaml': `apiVersion: portcullis.dev/v1alpha1
kind: OfflineUse
metadata: {name: an-hour}
spec: {images: [{glob: "${registry}/demo/offline:**"}], for: 1h}
`,
    }),
  });
  metricsPort = await freePort();
  await mkdir(bootstrap(), { mode: 0o700 });
  const leaving = await start('leaving');
  offline = await push('offline');
  assertAllowed(await pull(offline, 'leaving'));
  assert.ok(existsSync(join(state('leaving'), 'policy-head.json')));
  await leaving.stop();
  left = Date.now();
  shim = await start();
});
after(async () => {
  await shim.stop();
  await house.stop();
});

async function start(name = 'remembering', temporal = house.temporal.address): Promise<ServerProcess> {
  return await startShim({
    ...{ dir: house.dir, name, temporal, verdictKeys: house.verdictPublicKey },
    ...{ launcherSocket: socket(name), grpcSocket: socket(`${name}-grpc`) },
    ...{ state: state(name), bootstrap: bootstrap() },
    metrics: name === 'remembering' ? `127.0.0.1:${metricsPort}` : 'off',
  });
}

async function push(repository: 'app' | 'offline', signed = true): Promise<PushedImage> {
  const { address } = house.registry;
  const files = { unique: randomUUID() };
  const image = await pushImage({ registry: address, repository: `demo/${repository}`, tag: randomUUID(), files });
  if (signed) await house.cosign.sign(`${address}/demo/${repository}@${image.digest}`, RELEASE_KEY);
  return image;
}

const pull = (image: PushedImage, shimName = 'remembering') => pullThrough(socket(shimName), image.name, image.digest);

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
}

/** Writes a document into the policy in one step. */
async function writeDocument(name: string, text: string): Promise<void> {
  await writeFile(join(house.policyDirectory, `.${name}.new`), text);
  await rename(join(house.policyDirectory, `.${name}.new`), join(house.policyDirectory, name));
}

/** Runs a command that is told the verdict key; answers its exit code and what it said. */
function portcullis(...args: readonly string[]): Promise<{ readonly code: number; readonly text: string }> {
  const env = { ...process.env, TEMPORAL_ADDRESS: house.temporal.address };
  return new Promise((resolve) => {
    execFile(PROGRAM, [...args, '--verdict-keys', house.verdictPublicKey], { env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), text: stdout + stderr });
    });
  });
}

describe('a node that remembers', () => {
  it('answers a second pull by itself, also after it was killed, and keeps only what allows', async () => {
    const [good, unsigned] = [await push('app'), await push('app', false)];
    assertAllowed(await pull(good));
    assertRefused(await pull(unsigned), 'UNSIGNED');
    assert.equal(await metric('portcullis_kept_verdicts'), 1);
    await house.stopTemporal();
    for (const end of [() => killed(), () => shim.stop()]) {
      await end();
      shim = await start();
      assertAllowed(await pull(good));
    }
    await shim.stop();
    await rm(join(state(), 'verdicts'), { recursive: true });
    shim = await start();
    assertRefused(await pull(good), 'TEMPORAL_UNREACHABLE');
    await house.resumeTemporal();
    assertAllowed(await pull(good));
  });

  it('lets in what is on its list, without anybody, and not what is not', async () => {
    const [listed, other] = [await push('app', false), await push('app', false)];
    await writeFile(join(bootstrap(), 'node.list'), `${listed.digest}  ${listed.name}\n`);
    await shim.stop();
    shim = await start();
    assertAllowed(await pull(listed));
    assertRefused(await pull(other), 'UNSIGNED');
    await rm(join(bootstrap(), 'node.list'));
    await delay(2_500);
    assertRefused(await pull(listed), 'UNSIGNED');
  });

  it('refuses a revoked digest within 15 s, though it is signed, kept and listed, and asks for nothing else again', async () => {
    const [bad, good] = [await push('app'), await push('app')];
    for (const image of [bad, good]) assertAllowed(await pull(image));
    await writeFile(join(bootstrap(), 'node.list'), `${bad.digest}  ${bad.name}\n`);
    await delay(2_500);
    const kept = await metric('portcullis_kept_verdicts');
    const begun = Date.now();
    await writeDocument(
      'revoked.yaml',
      `{apiVersion: portcullis.dev/v1alpha1, kind: Revocation, metadata: {name: bad}, spec: {digests: ["${bad.digest}"]}}`,
    );
    for (;;) {
      const run = await pull(bad);
      if (run.exitCode !== 0) {
        assertRefused(run, 'REVOKED');
        break;
      }
      assert.ok(Date.now() - begun < REVOCATION_MS, 'not revoked in time');
      await delay(250);
    }
    console.log(`revoked after ${((Date.now() - begun) / 1_000).toFixed(1)} s`);
    await house.stopTemporal();
    assertAllowed(await pull(good));
    assertRefused(await pull(bad), 'REVOKED');
    await shim.stop();
    shim = await start();
    assertRefused(await pull(bad), 'REVOKED');
    await house.resumeTemporal();
    assert.equal(await metric('portcullis_kept_verdicts'), kept);
    await rm(join(bootstrap(), 'node.list'));
  });

  it('starts without Temporal and uses what the policy permits for that, and nothing else', async () => {
    await house.stopTemporal();
    await delay(Math.max(0, left + POLICY_HEAD_TTL_MS - Date.now()));
    const other = await start('leaving');
    await delay(3_500); // until the first question about the policy has found nobody
    const run = await pull(offline, 'leaving');
    assertAllowed(run);
    console.log(`without a backend: ${run.milliseconds.toFixed(0)} ms`);
    assertRefused(await pull({ ...offline, name: `${offline.name}-other` }, 'leaving'), 'TEMPORAL_UNREACHABLE');
    await other.stop();
    await house.resumeTemporal();
  });
});

describe('a node that never reaches the backend', () => {
  const file = () => join(house.dir, 'offline-verdicts.json');
  const exportTo = (...images: readonly string[]) => portcullis('export', ...images, '--out', file());

  async function importFile(): Promise<void> {
    const { code, text } = await portcullis('import', file(), '--state', state('air'));
    assert.equal(code, 0, text);
    await delay(2_500); // until the daemon has looked
  }

  const revokedIn = ({ text }: { readonly text: string }) => / images, (\d+) revoked digests/.exec(text)?.[1];

  it('lets in exactly what was exported and imported, also after a restart, until a statement revokes it', async () => {
    const [image, signed] = [await push('offline'), await push('app')];
    const refused = await exportTo(image.name, signed.name);
    assert.equal(refused.code, 1);
    assert.match(
      refused.text,
      /demo\/app:[^\n]+: OFFLINE_USE_MISSING: [\s\S]+nothing was written: 1 of 2 do not pass; --partial/,
    );
    assert.ok(!existsSync(file()));
    await writeFile(`${file()}.txt`, `# the node\n${image.name}  # by its tag\n`);
    const exported = await exportTo('--file', `${file()}.txt`);
    assert.equal(exported.code, 0, exported.text);

    let air = await start('air', `127.0.0.1:${await freePort()}`);
    const before = await pull(image, 'air');
    assertRefused(before, 'TEMPORAL_UNREACHABLE');
    assert.match(before.stdout, /; pull again when it is there, or bring a verdict \("portcullis import"\)/);
    await importFile();
    assertAllowed(await pull(image, 'air'));
    assertRefused(await pull({ ...signed, name: image.name }, 'air'), 'TEMPORAL_UNREACHABLE');
    await air.stop();
    air = await start('air', `127.0.0.1:${await freePort()}`);
    const again = await pull(image, 'air');
    assertAllowed(again);
    console.log(`by an imported verdict: ${again.milliseconds.toFixed(0)} ms`);

    await writeDocument(
      'revoked-offline.yaml',
      `{apiVersion: portcullis.dev/v1alpha1, kind: Revocation, metadata: {name: carried}, spec: {digests: ["${image.digest}"]}}`,
    );
    const begun = Date.now();
    while (revokedIn(await exportTo()) === revokedIn(exported)) {
      assert.ok(Date.now() - begun < REVOCATION_MS, 'not stated in time');
    }
    await importFile();
    assertRefused(await pull(image, 'air'), 'REVOKED');
    await air.stop();
  });
});

/** Killed, and gone: `stop` finds nothing left to do. */
async function killed(): Promise<void> {
  process.kill(shim.pid, 'SIGKILL');
  await shim.stop();
}
