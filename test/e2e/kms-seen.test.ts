import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { startVault, type Vault } from '../../infra/stack/vault.ts';
import { type PushedImage, pushImage } from '../support/image.ts';
import { type ManagedCosign, useManagedCosign } from '../support/kms/cosign.ts';
import { KmsOwner, kmsEnvironment, type OwnedKey } from '../support/kms/owner.ts';
import { managedPolicy } from '../support/kms/policy.ts';
import { type FakeKms, startKms } from '../support/kms/server.ts';
import type { LauncherRun } from '../support/launcher.ts';
import { assertAllowed, assertRefused, startTestHouse, type TestHouse } from '../support/pull.ts';
import { type FakeRegistry, startFakeRegistry } from '../support/registry.ts';
import { find, inEveryCoding, readBundles, type Searched, whatOthersSee } from '../support/seen-by-others.ts';

/** What the worker has to tell the KMS. */
const CREDENTIALS = {
  AWS_ACCESS_KEY_ID: `AKID${randomUUID()}`,
  AWS_SECRET_ACCESS_KEY: randomUUID(),
  AWS_SESSION_TOKEN: randomUUID(),
} as const;
const VAULT_KEY = 'release';
const MAX_AGE_MS = 10_000;

let kms: FakeKms;
let vault: Vault;
let vaultToken: string;
let owner: KmsOwner;
let key: OwnedKey;
let other: OwnedKey;
let registry: FakeRegistry;
let house: TestHouse;
let cosign: ManagedCosign;
let client: Client;
const signed: { readonly repository: string; readonly digest: string }[] = [];
const runs: LauncherRun[] = [];
const running = new AsyncDisposableStack();

before(async () => {
  const dir = await mkdtemp(join(tmpdir(), 'portcullis-kms-'));
  running.defer(() => rm(dir, { recursive: true }));
  kms = await startKms();
  running.defer(() => kms.stop());
  vault = await startVault(dir);
  running.defer(() => vault.stop());
  await vault.call('POST', `transit/keys/${VAULT_KEY}`, { type: 'ecdsa-p256' });
  vaultToken = await vault.tokenFor('path "transit/*" { capabilities = ["read", "update"] }');
  owner = new KmsOwner(kms.url);
  running.defer(() => owner.close());
  key = await owner.create('ECC_NIST_P256');
  other = await owner.create('RSA_2048');
  registry = await startFakeRegistry();
  const forAll = { ...kmsEnvironment(kms.url), VAULT_ADDR: vault.url };
  cosign = await useManagedCosign(dir, { ...forAll, VAULT_TOKEN: vault.rootToken });
  house = await startTestHouse({
    ...{ registry, workerEnv: { ...forAll, ...CREDENTIALS, VAULT_TOKEN: vaultToken } },
    policies: async (address) => ({ 'kms.yaml': policies(address) }),
  });
  running.defer(() => house.stop());
  const connection = await Connection.connect({ address: house.temporal.address });
  running.defer(() => connection.close());
  client = new Client({ connection });
});
after(() => running.disposeAsync());

const uriOf = ({ arn }: OwnedKey) => `awskms:///${arn}`;

function policies(address: string): string {
  const demand = { maxAge: `${MAX_AGE_MS / 1_000}s` };
  return [
    managedPolicy('local', `${address}/local/**`, uriOf(key), demand),
    managedPolicy('remote', `${address}/remote/**`, uriOf(other), { ...demand, verification: 'remote' }),
    managedPolicy('vault', `${address}/vault/**`, `hashivault://${VAULT_KEY}`, { ...demand, verification: 'remote' }),
  ].join('\n---\n');
}

async function pushSigned(policy: string, by: string): Promise<PushedImage> {
  const [repository, tag] = [`${policy}/app`, randomUUID()];
  const image = await pushImage({ registry: registry.address, repository, tag, files: { unique: tag } });
  await cosign.sign('cosign', `${registry.address}/${repository}@${image.digest}`, by);
  signed.push({ repository, digest: image.digest });
  return image;
}

async function pull({ name, digest }: PushedImage): Promise<LauncherRun> {
  const run = await house.pull(name, digest);
  runs.push(run);
  return run;
}

/** The run about an image, as the UI finds it. */
async function runOf({ digest }: PushedImage) {
  for await (const { workflowId } of client.workflow.list({ query: 'WorkflowType = "verifyImage"' })) {
    if (workflowId.includes(digest)) return client.workflow.getHandle(workflowId);
  }
  return assert.fail(`expected a run about ${digest}`);
}

async function detailsOf(handle: Awaited<ReturnType<typeof runOf>>): Promise<string> {
  return (await handle.query<{ currentDetails: string }>('__temporal_workflow_metadata')).currentDetails;
}

/** Neither of them tells a key by its bytes. */
function assertNoBytes(shown: string): void {
  for (const { what, bytes } of keyMaterial()) assert.ok(!Buffer.from(shown).includes(bytes), what);
}

describe('whoever looks at a run in the Temporal UI', () => {
  it('sees which key it was, in which state, and when that was checked', async () => {
    const image = await pushSigned('local', uriOf(key));
    assertAllowed(await pull(image));
    const handle = await runOf(image);
    const details = await detailsOf(handle);
    const line = details.split('\n').find((one) => one.includes(key.arn));
    assert.match(String(line), /`key of local\/release`/);
    assert.match(
      String(line),
      /ECDSA P-256, arn:aws:kms:[^ ]+, enabled, checked at 2\d{3}-\d\d-\d\dT[\d:.]+Z, sha256:/,
    );
    assertNoBytes(details);
  });

  it('sees why a key was no use', async () => {
    await owner.disable(key);
    await delay(MAX_AGE_MS + 500);
    const image = await pushSigned('local', uriOf(other));
    assertRefused(await pull(image), 'KEY_DISABLED');
    const details = await detailsOf(await runOf(image));
    assert.ok(
      details.split('\n').some((line) => line.includes('KEY_DISABLED') && line.includes(key.arn)),
      details,
    );
    await owner.enable(key);
    await delay(MAX_AGE_MS + 500);
  });

  it('sees while it runs that the key is asked for again, how often, and the last error', async () => {
    const image = await pushSigned('remote', uriOf(other));
    // The service repeats in its errors what it was sent; and what it knows.
    const told = [...Object.values(CREDENTIALS), ...keyMaterial().map(({ bytes }) => bytes.toString('base64'))];
    const body = JSON.stringify({ __type: 'ThrottlingException', message: told.join(' ') });
    kms.fault = () => ({ kind: 'answer', status: 400, body });
    await delay(MAX_AGE_MS + 500);
    assertRefused(await pull(image), 'KMS_THROTTLED');
    const handle = await runOf(image);
    const details = await detailsOf(handle);
    assert.match(details, /🔁 `key of remote\/release`: \*\*KMS_THROTTLED\*\*/);
    const { raw } = await handle.describe();
    const pending = raw.pendingActivities?.find(({ activityType }) => activityType?.name === 'checkKey');
    assert.ok(pending, 'expected an activity that is tried again');
    assert.ok(Number(pending.attempt) > 1, `attempt ${pending.attempt}`);
    assert.equal(pending.lastFailure?.applicationFailureInfo?.type, 'KMS_THROTTLED');
    assert.ok(pending.lastFailure?.message?.includes(other.arn), String(pending.lastFailure?.message));
    const { events } = await handle.fetchHistory();
    const scheduled = events?.find(
      (event) => event.activityTaskScheduledEventAttributes?.activityType?.name === 'checkKey',
    );
    const summary = Buffer.from(scheduled?.userMetadata?.summary?.data ?? []).toString();
    assert.equal(JSON.parse(summary), `${uriOf(other)}, key of remote/release`);
    kms.fault = undefined;
    await allowedAtLast(image);
    assertNoBytes(details + summary);
  });
});

async function allowedAtLast(image: PushedImage): Promise<void> {
  for (let pulls = 0; pulls < 5; pulls++) {
    if ((await pull(image)).exitCode === 0) return;
    await delay(1_000);
  }
  assert.fail('expected it to be let in when the KMS works again');
}

describe('credentials for a KMS, key material and what was signed', () => {
  it('are in no history, log, argument or error', async () => {
    assertAllowed(await pull(await pushSigned('vault', `hashivault://${VAULT_KEY}`)));
    assertAllowed(await pull(await pushSigned('remote', uriOf(other))));
    const wrong = await pull(await pushSigned('local', uriOf(other)));
    assert.match(wrong.stdout, /^(WRONG_KEY|SIGNATURE_INVALID): /);
    // What KMS says about credentials quotes them; the state that is known gets too old in the meantime.
    let type = 'AccessDeniedException';
    const message = Object.values(CREDENTIALS).join(' ');
    kms.fault = () => ({ kind: 'answer', status: 400, body: JSON.stringify({ __type: type, message }) });
    await delay(MAX_AGE_MS + 500);
    for (const [error, code] of [
      ['AccessDeniedException', 'KMS_ACCESS_DENIED'],
      ['ExpiredTokenException', 'KMS_CREDENTIALS'],
      [message, 'KMS_MISBEHAVED'],
    ] as const) {
      type = error;
      assertRefused(await pull(await pushUnsigned()), code);
    }
    kms.fault = undefined;

    const places = await whatOthersSee(house, runs);
    const evidence = await Promise.all(
      signed.map(({ repository, digest }) => readBundles(registry.address, repository, digest)),
    );
    assert.ok(evidence.every((one) => one.length === 3));
    const secrets = inEveryCoding([...credentials(), ...keyMaterial(), ...(await privateKeys()), ...evidence.flat()]);
    assert.deepEqual(find(secrets, places), []);

    // The same search does find what is no secret.
    const shows = (text: string) => places.filter(({ bytes }) => bytes.includes(text)).map(({ what }) => what);
    for (const what of ['histories', 'temporal.db']) assert.ok(shows(key.arn).includes(what), what);
    assert.ok(shows('KEY_DISABLED').includes('launcher output'));
    assert.ok(shows('KMS_THROTTLED').includes('histories'));
  });
});

async function pushUnsigned(): Promise<PushedImage> {
  const [repository, tag] = ['local/app', randomUUID()];
  return await pushImage({ registry: registry.address, repository, tag, files: { unique: tag } });
}

function credentials(): readonly Searched[] {
  const all = { ...CREDENTIALS, VAULT_TOKEN: vaultToken, 'the root token': vault.rootToken };
  return Object.entries(all).map(([what, text]) => ({ what, bytes: Buffer.from(text) }));
}

/** Public keys as the KMS gives them, and what is at their core. */
function keyMaterial(): readonly Searched[] {
  return [key, other].flatMap(({ arn }) => {
    const { privateKey } = kms.store.find(arn);
    const publicKey = createPublicKey(privateKey);
    const spki = publicKey.export({ type: 'spki', format: 'der' });
    const { x, n } = publicKey.export({ format: 'jwk' });
    return [
      { what: 'a public key', bytes: spki },
      { what: 'the number in a public key', bytes: Buffer.from(x ?? n ?? '', 'base64url') },
    ];
  });
}

async function privateKeys(): Promise<readonly Searched[]> {
  const verdictKey = createPrivateKey(await readFile(house.verdictKey, 'utf8'));
  const all = [verdictKey, ...[key, other].map(({ arn }) => kms.store.find(arn).privateKey)];
  return all.map((one) => ({
    what: 'a private key',
    bytes: Buffer.from(one.export({ format: 'jwk' }).d ?? '', 'base64url'),
  }));
}
