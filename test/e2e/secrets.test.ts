import assert from 'node:assert/strict';
import { createPrivateKey, randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { RELEASE_KEY } from '../../infra/stack/house.ts';
import { freePort } from '../../infra/stack/ports.ts';
import { type PushedImage, pushImage } from '../support/image.ts';
import type { LauncherRun } from '../support/launcher.ts';
import { assertAllowed, assertRefused, startTestHouse, type TestHouse } from '../support/pull.ts';
import { type FakeRegistry, startFakeRegistry } from '../support/registry.ts';
import { type RegistryAuth, RegistryGuard } from '../support/registry-auth.ts';
import { sendAnswer } from '../support/registry-fault.ts';
import { find, inEveryCoding, readBundles, type Searched, whatOthersSee } from '../support/seen-by-others.ts';

const USERNAME = 'robot-of-the-workers';
const PASSWORDS = { right: randomUUID(), wrong: randomUUID() };

let content: FakeRegistry;
let door: GuardedDoor;
let house: TestHouse;
let dockerConfig: string;
const runs: LauncherRun[] = [];
before(async () => {
  content = await startFakeRegistry();
  door = await startGuardedDoor(content);
  dockerConfig = await mkdtemp(join(tmpdir(), 'portcullis-docker-'));
  house = await startTestHouse({ registry: door, workerEnv: { DOCKER_CONFIG: dockerConfig } });
});
after(async () => {
  await house.stop();
  await content.stop();
  await rm(dockerConfig, { recursive: true });
});

/** Pulls an image that is new and signed, or not signed, with these credentials at the worker. */
async function pullAs(password: string, auth: RegistryAuth, signed: boolean): Promise<LauncherRun> {
  door.setAuth(auth);
  const entry = { auth: Buffer.from(`${USERNAME}:${password}`).toString('base64') };
  await writeFile(join(dockerConfig, 'config.json'), JSON.stringify({ auths: { [door.address]: entry } }));
  const options = { registry: content.address, repository: 'demo/app', tag: randomUUID() };
  const image: PushedImage = await pushImage({ ...options, files: { unique: options.tag } });
  if (signed) await house.cosign.sign(`${content.address}/demo/app@${image.digest}`, RELEASE_KEY);
  pulled.push(image);
  const run = await house.pull(image.name.replace(content.address, door.address), image.digest);
  runs.push(run);
  return run;
}
const pulled: PushedImage[] = [];

const basic: RegistryAuth = { kind: 'basic', username: USERNAME, password: PASSWORDS.right };
const bearer: RegistryAuth = { ...basic, kind: 'bearer' };

describe('registry credentials', () => {
  for (const auth of [basic, bearer]) {
    it(`open a registry that wants ${auth.kind} authentication, and prove nothing by themselves`, async () => {
      assertAllowed(await pullAs(PASSWORDS.right, auth, true));
      assertRefused(await pullAs(PASSWORDS.right, auth, false), 'UNSIGNED');
    });
  }

  it('that are wrong make the pull inconclusive', async () => {
    door.setAuth({ kind: 'none' });
    for (const auth of [basic, bearer]) {
      const changed = { ...auth, password: randomUUID() };
      assertRefused(await pullAs(PASSWORDS.wrong, changed, true), 'REGISTRY_UNAUTHORIZED');
    }
  });
});

describe('what is secret, and the evidence', () => {
  it('is nowhere but where it belongs', async () => {
    const places = await whatOthersSee(house, runs);
    assert.deepEqual(find(await whatIsSecret(), places), []);

    // The same search does find what is no secret.
    const [image] = pulled;
    assert.ok(image !== undefined);
    const shows = (text: string) => places.filter(({ bytes }) => bytes.includes(text)).map(({ what }) => what);
    for (const what of ['histories', 'temporal.db', 'shim.log']) assert.ok(shows(image.digest).includes(what), what);
    assert.ok(shows('verification_summary/v1').includes('histories'), 'the search does not look into base64');
    assert.ok(shows('REGISTRY_UNAUTHORIZED').includes('launcher output'), 'the search does not see refusals');
    const commands = places.find(({ what }) => what === 'process arguments');
    assert.ok(commands?.bytes.includes(house.verdictKey), 'the search does not see the arguments of the worker');
  });
});

async function whatIsSecret(): Promise<readonly Searched[]> {
  const pem = await readFile(house.verdictKey, 'utf8');
  const scalar = Buffer.from(createPrivateKey(pem).export({ format: 'jwk' }).d ?? '', 'base64url');
  assert.equal(scalar.length, 32);
  const secrets: Searched[] = [
    ...Object.values(PASSWORDS).flatMap((password) => [
      { what: 'a password', bytes: Buffer.from(password) },
      { what: 'a Basic credential', bytes: Buffer.from(`${USERNAME}:${password}`) },
    ]),
    { what: 'a token', bytes: Buffer.from('fake-token-') },
    { what: 'the verdict key', bytes: scalar },
    ...pem
      .split('\n')
      .flatMap((line) => (line.length < 24 ? [] : [{ what: 'the verdict key', bytes: Buffer.from(line) }])),
    ...(await readEvidence()),
  ];
  return inEveryCoding(secrets);
}

/** The bundles that cosign pushed, and what they consist of. */
async function readEvidence(): Promise<readonly Searched[]> {
  const found = await Promise.all(pulled.map(({ digest }) => readBundles(content.address, 'demo/app', digest)));
  const evidence = found.flat();
  assert.equal(evidence.length, 3 * 4, 'expected four signed images');
  return evidence;
}

interface GuardedDoor {
  readonly address: string;
  setAuth(auth: RegistryAuth): void;
  stop(): Promise<void>;
}

/** The content of a registry behind a guard; whoever pushes takes the other door. */
async function startGuardedDoor(behind: FakeRegistry): Promise<GuardedDoor> {
  let guard = new RegistryGuard({ kind: 'none' });
  const address = `127.0.0.1:${await freePort()}`;
  const server = createServer(async (incoming, response) => {
    const { method = 'GET', url: path = '/', headers } = incoming;
    const url = new URL(path, `http://${address}`);
    const request = { method, url, headers, body: await buffer(incoming) };
    if (url.pathname === '/token') return sendAnswer(response, guard.issue(request), undefined);
    const refusal = guard.check(request, address);
    if (refusal !== undefined) return sendAnswer(response, refusal, undefined);
    const answer = await fetch(`http://${behind.address}${path}`, { method });
    const body = new Uint8Array(await answer.arrayBuffer());
    sendAnswer(response, { status: answer.status, headers: Object.fromEntries(answer.headers), body }, undefined);
  });
  const [host, port] = address.split(':');
  await new Promise<void>((listening) => server.listen(Number(port), host, listening));
  return {
    address,
    setAuth(auth) {
      guard = new RegistryGuard(auth);
    },
    async stop() {
      server.closeAllConnections();
      await new Promise<void>((closed) => server.close(() => closed()));
    },
  };
}
