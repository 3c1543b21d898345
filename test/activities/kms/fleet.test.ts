import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { EvidenceError } from '../../../activities/evidence-error.ts';
import { createAwsKeyManager } from '../../../activities/kms/aws/manager.ts';
import { createManagedKeys } from '../../../activities/kms/checked/checked-keys.ts';
import type { KeyReference } from '../../../activities/kms/managed-key.ts';
import { KmsOwner, kmsEnvironment } from '../../support/kms/owner.ts';
import { startKms } from '../../support/kms/server.ts';
import { reference, signal } from './aws-suite.ts';

const FRESHNESS = { maxAgeMs: 5 * 60_000, staleMs: 0 };
const KEYS = 5;
const VERIFICATIONS = 1000;

async function setUp(test: TestContext) {
  const kms = await startKms();
  Object.assign(process.env, kmsEnvironment(kms.url));
  const owner = new KmsOwner(kms.url);
  test.after(async () => {
    owner.close();
    await kms.stop();
  });
  return { kms, owner };
}

describe('a thousand verifications by five keys', () => {
  it('with nine calls of ten throttled end without a denial, and read each state at most twice', async (test) => {
    const { kms, owner } = await setUp(test);
    const references: KeyReference[] = [];
    for (let at = 0; at < KEYS; at++) {
      await owner.name(`alias/key-${at}`, await owner.create('ECC_NIST_P256'));
      references.push(reference(`awskms:///alias/key-${at}`));
    }
    kms.calls.length = 0;
    // The same throw of dice in every run; a fixed pattern could meet the pattern of the calls.
    let dice = 7;
    kms.fault = () => {
      dice = (dice * 48_271) % 2_147_483_647;
      return dice % 10 === 0 ? undefined : { kind: 'error', type: 'ThrottlingException' };
    };
    let began = 0;
    const keys = createManagedKeys({
      managers: async () => {
        began++;
        return createAwsKeyManager();
      },
    });
    let attempts = 0;
    const verify = async (at: number): Promise<string> => {
      for (;;) {
        attempts++;
        try {
          const one = references[at % KEYS];
          assert.ok(one);
          return (await keys.check(one, FRESHNESS, signal)).description.state.kind;
        } catch (error) {
          // What Temporal does, only sooner.
          assert.ok(error instanceof EvidenceError && error.code === 'KMS_THROTTLED' && error.retryable, String(error));
          await delay((error.retryAfterMs ?? 0) / 10);
        }
      }
    };
    const outcomes = await Promise.all(Array.from({ length: VERIFICATIONS }, (_, at) => verify(at)));
    assert.deepEqual(new Set(outcomes), new Set(['usable']));
    const reads = kms.calls.filter(({ operation, outcome }) => operation === 'DescribeKey' && outcome === 'ok').length;
    test.diagnostic(`${attempts} attempts, ${kms.asked.length} calls, ${reads} states read, ${began} client`);
    // A state that came while its public key did not is read once more, and not before that is here.
    assert.ok(reads >= KEYS && reads <= 2 * KEYS, `${reads} states were read`);
  });

  it('with a service that works are one call of each kind for each key', async (test) => {
    const { kms, owner } = await setUp(test);
    const references: KeyReference[] = [];
    for (let at = 0; at < KEYS; at++) references.push(reference(`awskms:///${(await owner.create('RSA_2048')).arn}`));
    kms.asked.length = 0;
    const keys = createManagedKeys({ managers: async () => createAwsKeyManager() });
    const ask = (at: number) => references.map((one) => keys.check(one, FRESHNESS, signal))[at % KEYS];
    await Promise.all(Array.from({ length: VERIFICATIONS }, (_, at) => ask(at)));
    const counts = Object.entries(Object.groupBy(kms.asked, (operation) => operation));
    assert.deepEqual(Object.fromEntries(counts.map(([name, all]) => [name, all?.length])), {
      DescribeKey: KEYS,
      GetPublicKey: KEYS,
    });
  });
});
