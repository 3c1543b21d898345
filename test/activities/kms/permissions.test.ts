import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, beforeEach, describe, it } from 'node:test';
import { EvidenceError } from '../../../activities/evidence-error.ts';
import { createAwsKeyManager } from '../../../activities/kms/aws/manager.ts';
import { createManagedKeys } from '../../../activities/kms/checked/checked-keys.ts';
import { createManagedVerdictKey } from '../../../activities/verdict-key/kms.ts';
import { KmsOwner, kmsEnvironment, type OwnedKey } from '../../support/kms/owner.ts';
import { type FakeKms, startKms } from '../../support/kms/server.ts';
import { reference, signal } from './aws-suite.ts';

interface Document {
  readonly Statement: readonly {
    readonly Effect: string;
    readonly Action: readonly string[];
    readonly Condition?: object;
  }[];
}

async function readDocument(name: string): Promise<Document> {
  // A document of our own; the tests below read every part of it that they name.
  return JSON.parse(await readFile(new URL(`../../../infra/aws/${name}.json`, import.meta.url), 'utf8')) as Document;
}

describe('the permissions in infra/aws', () => {
  let kms: FakeKms;
  let owner: KmsOwner;
  let key: OwnedKey;
  before(async () => {
    kms = await startKms();
    Object.assign(process.env, kmsEnvironment(kms.url));
    owner = new KmsOwner(kms.url);
    key = await owner.create('ECC_NIST_P256');
    await owner.name('alias/release', key);
  });
  after(async () => {
    owner.close();
    await kms.stop();
  });
  beforeEach(() => {
    kms.denied.clear();
    kms.calls.length = 0;
  });

  const FRESH = { maxAgeMs: 0, staleMs: 3_600_000 };
  const message = Buffer.from('what was signed');
  const managers = async () => createAwsKeyManager();
  /** What each document is for, done with a worker's own client. */
  const work: Readonly<Record<string, () => Promise<unknown>>> = {
    'policy-verify': async () => {
      for (const name of [key.arn, key.id, 'alias/release']) {
        await createManagedKeys({ managers }).check(reference(`awskms:///${name}`), FRESH, signal);
      }
    },
    'policy-verify-remote': async () => {
      const signature = await owner.sign(key, 'ECDSA_SHA_256', message);
      const keys = createManagedKeys({ managers });
      const checked = await keys.check(reference(`awskms:///${key.arn}`), FRESH, signal);
      assert.equal(await keys.verify(checked, message, signature, signal), true);
    },
    'policy-verdict': async () => {
      const verdictKey = await createManagedVerdictKey(reference(`awskms:///${key.arn}`), managers);
      await verdictKey.sign('application/json', Buffer.from('{}'));
    },
  };
  const ofWorker = () => kms.calls.filter(({ accessKey }) => accessKey === 'AKIDWORKER');

  for (const [name, run] of Object.entries(work)) {
    it(`${name}: allow exactly the calls that are made`, async () => {
      await run();
      const { Statement: statements } = await readDocument(name);
      assert.deepEqual(new Set(statements.map(({ Effect }) => Effect)), new Set(['Allow']));
      const allowed = new Set(statements.flatMap(({ Action }) => Action));
      assert.deepEqual(new Set(ofWorker().map(({ operation }) => `kms:${operation}`)), allowed);
    });

    it(`${name}: each one that is missing is named to the operator, and where to find it`, async () => {
      const { Statement: statements } = await readDocument(name);
      for (const permission of statements.flatMap(({ Action }) => Action)) {
        kms.denied.clear();
        kms.denied.add(permission);
        const error = await run().catch((reason: unknown) => reason);
        assert.ok(error instanceof EvidenceError, `${permission}: ${error}`);
        assert.deepEqual([error.code, error.retryable], ['KMS_ACCESS_DENIED', false]);
        const sentence = `AWS KMS in eu-west-1 does not let this worker do that (${permission} on "${key.arn}", found "AccessDeniedException"); give its identity this permission on this key, see infra/aws`;
        assert.equal(error.message, sentence);
      }
    });
  }

  it('for verdicts are for one algorithm and for digests, which is how they are signed', async () => {
    await work['policy-verdict']?.();
    const { Statement: statements } = await readDocument('policy-verdict');
    const statement = statements.find(({ Action }) => Action.includes('kms:Sign'));
    const signed = ofWorker().filter(({ operation }) => operation === 'Sign');
    assert.equal(signed.length, 2); // the trial and the verdict
    for (const { body } of signed) {
      const { SigningAlgorithm, MessageType } = JSON.parse(body);
      assert.deepEqual(statement?.Condition, {
        StringEquals: { 'kms:SigningAlgorithm': SigningAlgorithm, 'kms:MessageType': MessageType },
      });
    }
  });

  it('put a condition on requests alone that carry its keys: a key that is missing denies', async () => {
    // AWS KMS developer guide, "Condition keys for AWS KMS": both are of Sign and Verify requests.
    const carry = new Set(['kms:Sign', 'kms:Verify']);
    for (const name of Object.keys(work)) {
      for (const { Action, Condition } of (await readDocument(name)).Statement) {
        if (Condition !== undefined)
          assert.deepEqual(
            Action.filter((one) => !carry.has(one)),
            [],
            name,
          );
      }
    }
  });

  it('are asked for with nothing of what was signed but its digest', async () => {
    await work['policy-verify-remote']?.();
    await work['policy-verdict']?.();
    for (const { body } of ofWorker()) assert.ok(!body.includes(message.toString('base64')));
  });
});
