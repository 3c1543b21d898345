import assert from 'node:assert/strict';
import { createPrivateKey, randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { RELEASE_KEY } from '../../infra/stack/house.ts';
import { freePort } from '../../infra/stack/ports.ts';
import { type PushedImage, pushImage } from '../support/image.ts';
import type { LauncherRun } from '../support/launcher.ts';
import { assertAllowed, assertRefused, startTestHouse, type TestHouse } from '../support/pull.ts';
import { type FakeRegistry, startFakeRegistry } from '../support/registry.ts';
import { type RegistryAuth, RegistryGuard } from '../support/registry-auth.ts';
import { sendAnswer } from '../support/registry-fault.ts';

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
    const places = await whatOthersSee();
    const secrets = await whatIsSecret();
    const found = secrets.flatMap(({ what, bytes }) =>
      places.filter((place) => place.bytes.includes(bytes)).map((place) => `${what} in ${place.what}`),
    );
    assert.deepEqual(found, []);

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

interface Searched {
  readonly what: string;
  readonly bytes: Buffer;
}

/** Everything that somebody sees who may look at Temporal, at logs or at the list of processes. */
async function whatOthersSee(): Promise<readonly Searched[]> {
  const files = (await readdir(house.dir)).filter((file) => /\.log$|^temporal\.db(-wal)?$/.test(file));
  const written = await Promise.all(
    files.map(async (file) => ({ what: file, bytes: await readFile(join(house.dir, file)) })),
  );
  const processes = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const commands = await Promise.all(
    processes.map((pid) => readFile(`/proc/${pid}/cmdline`).catch(() => Buffer.alloc(0))),
  );
  const launcher = runs.map(({ stdout, stderr }) => stdout + stderr).join('\n');
  return [
    { what: 'histories', bytes: withDecoded(await readHistories()) },
    ...written.map(({ what, bytes }) => ({ what, bytes: withDecoded(bytes) })),
    { what: 'process arguments', bytes: Buffer.concat(commands) },
    { what: 'launcher output', bytes: Buffer.from(launcher) },
  ];
}

async function readHistories(): Promise<Buffer> {
  const connection = await Connection.connect({ address: house.temporal.address });
  const client = new Client({ connection });
  const texts: Buffer[] = [];
  for await (const execution of client.workflow.list()) {
    const handle = client.workflow.getHandle(execution.workflowId, execution.runId);
    collect((await handle.fetchHistory()).events, texts);
    collect((await handle.describe()).raw, texts);
  }
  await connection.close();
  assert.ok(texts.length > 100, 'expected histories');
  return Buffer.concat(texts);
}

/** All texts and bytes in a tree. */
function collect(value: unknown, into: Buffer[]): void {
  if (typeof value === 'string') into.push(Buffer.from(`${value}\n`));
  else if (value instanceof Uint8Array) into.push(Buffer.from(value), Buffer.from('\n'));
  else if (typeof value === 'object' && value !== null) for (const part of Object.values(value)) collect(part, into);
}

/** What base64 in it says as well, two levels deep. */
function withDecoded(bytes: Buffer, levels = 2): Buffer {
  if (levels === 0) return bytes;
  const encoded = bytes.toString('latin1').match(/[A-Za-z0-9+/]{24,}={0,2}/g) ?? [];
  const decoded = Buffer.concat(encoded.map((text) => Buffer.from(text, 'base64')));
  return decoded.length === 0 ? bytes : Buffer.concat([bytes, withDecoded(decoded, levels - 1)]);
}

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
  return secrets.flatMap(({ what, bytes }) => [
    { what, bytes },
    { what: `${what} in hex`, bytes: Buffer.from(bytes.toString('hex')) },
    { what: `${what} in base64`, bytes: Buffer.from(bytes.toString('base64').replace(/=+$/, '')) },
  ]);
}

/** The bundles that cosign pushed, and what they consist of. */
async function readEvidence(): Promise<readonly Searched[]> {
  const base = `http://${content.address}/v2/demo/app`;
  const evidence: Searched[] = [];
  for (const image of pulled) {
    const { manifests } = JSON.parse(await (await fetch(`${base}/referrers/${image.digest}`)).text());
    for (const { digest } of manifests) {
      const { layers } = JSON.parse(await (await fetch(`${base}/manifests/${digest}`)).text());
      const bundle = await (await fetch(`${base}/blobs/${layers[0].digest}`)).text();
      const { payload, signatures } = JSON.parse(bundle).dsseEnvelope;
      evidence.push(
        { what: 'a bundle', bytes: Buffer.from(bundle) },
        { what: 'a payload', bytes: Buffer.from(payload, 'base64') },
        { what: 'a signature', bytes: Buffer.from(signatures[0].sig, 'base64') },
      );
    }
  }
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
