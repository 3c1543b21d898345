import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { renderTable } from '../bench/table.ts';
import { type PushedImage, pushImage } from '../support/image.ts';
import { useManagedCosign } from '../support/kms/cosign.ts';
import { KmsOwner, kmsEnvironment, type OwnedKey } from '../support/kms/owner.ts';
import { managedPolicy } from '../support/kms/policy.ts';
import { type FakeKms, type KmsFault, startKms } from '../support/kms/server.ts';
import { ninetyPercentThrottled } from '../support/kms/throttling.ts';
import { assertAllowed, assertRefused, startTestHouse, type TestHouse } from '../support/pull.ts';
import { type FakeRegistry, startFakeRegistry } from '../support/registry.ts';

const MAX_AGE_MS = 10_000;
const PATIENCE_MS = 60_000;

/** One trouble for each key. */
const NAMES = ['down', 'throttling', 'hanging', 'garbage', 'other', 'moved', 'expired', 'skewed'] as const;
type Name = (typeof NAMES)[number];

interface Case {
  readonly image: PushedImage;
  readonly key: OwnedKey;
  readonly alias: string;
}

let kms: FakeKms;
let owner: KmsOwner;
let house: TestHouse;
let registry: FakeRegistry;
const cases = new Map<Name, Case>();
/** What goes wrong with the calls about each alias. */
const faults = new Map<string, (operation: string) => KmsFault | undefined>();
const running = new AsyncDisposableStack();
const rows: string[][] = [['', 'first pull', 'ms', 'calls', 'then', 'after s', 'calls']];

/** Everything is signed before the KMS gets into trouble and goes down, and before there is a worker that knows a key. */
before(async () => {
  const dir = await mkdtemp(join(tmpdir(), 'portcullis-kms-'));
  running.defer(() => rm(dir, { recursive: true }));
  kms = await startKms();
  running.defer(() => kms.stop());
  owner = new KmsOwner(kms.url);
  running.defer(() => owner.close());
  registry = await startFakeRegistry();
  const env = kmsEnvironment(kms.url);
  const cosign = await useManagedCosign(dir, env);
  for (const name of NAMES) {
    const alias = `alias/${name}`;
    const key = await owner.create('ECC_NIST_P256');
    await owner.name(alias, key);
    const image = await pushImage({ registry: registry.address, repository: `trouble/${name}`, tag: randomUUID() });
    await cosign.sign('cosign', `${registry.address}/trouble/${name}@${image.digest}`, `awskms:///${alias}`);
    cases.set(name, { image, key, alias });
  }
  const other = await owner.create('RSA_2048');
  // The store answers with an object.
  const { PublicKey } = kms.store.run('GetPublicKey', { KeyId: other.arn }) as { PublicKey: string };
  faults.set('alias/throttling', ninetyPercentThrottled());
  faults.set('alias/hanging', () => ({ kind: 'hang' }));
  faults.set('alias/garbage', () => ({ kind: 'answer', status: 200, body: '<html>sign in</html>' }));
  faults.set('alias/other', (operation) =>
    operation === 'GetPublicKey' ? { kind: 'change', change: (answer) => ({ ...answer, PublicKey }) } : undefined,
  );
  kms.fault = (operation, _count, keyId) => faults.get(keyId)?.(operation);
  await kms.stop();
  house = await startTestHouse({
    ...{ registry, workerEnv: env },
    policies: async () => ({ 'kms.yaml': NAMES.map(policyOf).join('\n---\n') }),
  });
  running.defer(() => house.stop());
});
after(async () => {
  await running.disposeAsync();
  console.log(renderTable(rows));
});

function policyOf(name: Name): string {
  const glob = `${registry.address}/trouble/${name}:**`;
  return managedPolicy(name, glob, `awskms:///alias/${name}`, { maxAge: `${MAX_AGE_MS / 1_000}s` });
}

function caseOf(name: Name): Case {
  const found = cases.get(name);
  assert.ok(found);
  return found;
}

function pull(name: Name) {
  const { image } = caseOf(name);
  return house.pull(image.name, image.digest);
}

/** What is known of the keys is too old after this. */
const forget = () => delay(MAX_AGE_MS + 500);

/** Pulls in trouble: refused by this code, and allowed once the trouble is over, with only that or one of `meanwhile` in between. */
async function pullInTrouble(
  name: Name,
  what: string,
  expected: string,
  end: () => unknown,
  meanwhile = 'KMS_[A-Z]+',
): Promise<void> {
  const { alias, key } = caseOf(name);
  const count = () => kms.askedAbout.filter((keyId) => keyId === alias || keyId === key.arn).length;
  const before = count();
  const first = await pull(name);
  const callsOfFirst = count() - before;
  if (expected === 'allowed') assertAllowed(first);
  else assertRefused(first, expected);
  await end();
  const begun = performance.now();
  let pulls = 0;
  for (let exitCode: number | null = 1; exitCode !== 0; ) {
    assert.ok(performance.now() - begun < PATIENCE_MS, `expected ${name} to be let in`);
    const run = await pull(name);
    pulls++;
    exitCode = run.exitCode;
    if (exitCode !== 0) assert.match(run.stdout, new RegExp(`^(${meanwhile}|${expected}): `));
    if (exitCode !== 0) await delay(500);
  }
  const seconds = ((performance.now() - begun) / 1_000).toFixed(1);
  const then = `allowed by pull ${pulls + 1}`;
  rows.push([
    what,
    expected,
    first.milliseconds.toFixed(0),
    String(callsOfFirst),
    then,
    seconds,
    `${count() - before}`,
  ]);
}

describe('a pull is decided before containerd waits no longer, and let in when the trouble is over, while the KMS', () => {
  it('is down', async () => {
    await pullInTrouble('down', 'down', 'KMS_UNREACHABLE', () => kms.start());
  });

  // Each of these has a key of its own, and nothing else is in trouble.
  describe('for some keys', { concurrency: true }, () => {
    it('throttles nine calls of ten, without an end', async () => {
      await pullInTrouble('throttling', 'throttles 90 %', 'KMS_THROTTLED', () => {});
    });

    it('hangs', async () => {
      await pullInTrouble('hanging', 'hangs', 'KMS_TIMEOUT', () => faults.delete('alias/hanging'));
    });

    it('answers with garbage', async () => {
      await pullInTrouble('garbage', 'garbage', 'KMS_MISBEHAVED', () => faults.delete('alias/garbage'));
    });

    it('gives the public key of another algorithm', async () => {
      await pullInTrouble('other', 'key of another algorithm', 'KMS_MISBEHAVED', () => faults.delete('alias/other'));
    });
  });

  it('has the alias at another key than before', async () => {
    const { alias, key } = caseOf('moved');
    assertAllowed(await pull('moved'));
    await owner.rename(alias, await owner.create('ECC_NIST_P256'));
    await forget();
    const moveBack = () => owner.rename(alias, key);
    // The worker may learn of the move between the check of the key and that of the signature.
    await pullInTrouble('moved', 'alias moved', 'KEY_CHANGED', moveBack, 'POLICY_CHANGED');
  });

  it('finds the credentials expired', async () => {
    kms.expired.add('AKIDWORKER');
    await forget();
    await pullInTrouble('expired', 'credentials expired', 'KMS_CREDENTIALS', () => kms.expired.clear());
  });

  it('has a clock that is an hour away from that of the worker, which learns it from the first refusal', async () => {
    const before = kms.calls.length;
    kms.skewMs = 3_600_000;
    await forget();
    await pullInTrouble('skewed', 'clock 1 h wrong', 'allowed', () => {
      kms.skewMs = 0;
    });
    // Whoever asked first: the worker keeps states fresh by itself, so that a pull need not be what learns it.
    const refused = kms.calls.slice(before).filter(({ outcome }) => outcome === 'InvalidSignatureException');
    assert.ok(refused.length > 0, 'the clock made no difference');
  });
});
