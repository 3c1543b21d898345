import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { EvidenceError } from '../../../activities/evidence-error.ts';
import { createAwsKeyManager } from '../../../activities/kms/aws/manager.ts';
import type { KeyDescription } from '../../../activities/kms/managed-key.ts';
import { KmsOwner, kmsEnvironment, type OwnedKey } from '../../support/kms/owner.ts';
import { type FakeKms, type KmsFault, startKms } from '../../support/kms/server.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { reference, signal } from './aws-suite.ts';

const THROTTLED: KmsFault = { kind: 'error', type: 'ThrottlingException' };

describe('a KMS in trouble', () => {
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
    kms.fault = undefined;
    kms.denied.clear();
    kms.expired.clear();
    kms.skewMs = 0;
    kms.asked.length = 0;
  });

  const ask = (manager = createAwsKeyManager()) => manager.describe(reference('awskms:///alias/release'), signal);
  const count = (operation: string) => kms.asked.filter((one) => one === operation).length;
  /** What it comes to, and how often the state was asked for. */
  const outcome = async (work: Promise<KeyDescription>) => {
    const before = count('DescribeKey');
    const found = await work.then(
      ({ state }) => (state.kind === 'usable' ? 'usable' : `answer ${state.code}`),
      (error: unknown) => {
        assert.ok(error instanceof EvidenceError, String(error));
        assert.doesNotMatch(error.message, /AKID|not-a-secret|\n/);
        return `${error.code}${error.retryable ? ' retryable' : ''}`;
      },
    );
    return [found, count('DescribeKey') - before] as const;
  };
  const fault = (one: KmsFault, only?: string) => {
    kms.fault = (operation) => (only === undefined || operation === only ? one : undefined);
  };

  for (const [what, type, status, expected] of [
    ['throttles', 'ThrottlingException', 400, 'KMS_THROTTLED retryable'],
    ['is asked too much at once', 'LimitExceededException', 400, 'KMS_THROTTLED retryable'],
    ['has an error of its own', 'KMSInternalException', 500, 'KMS_ERROR retryable'],
    ['waits for another service', 'DependencyTimeoutException', 503, 'KMS_ERROR retryable'],
    ["can't use the key for the moment", 'KeyUnavailableException', 500, 'KEY_UNAVAILABLE retryable'],
    ['does not let the worker look', 'AccessDeniedException', 400, 'KMS_ACCESS_DENIED'],
    ['finds the credentials expired', 'ExpiredTokenException', 400, 'KMS_CREDENTIALS retryable'],
    ['does not know the credentials', 'UnrecognizedClientException', 400, 'KMS_CREDENTIALS retryable'],
    ['finds another signature', 'InvalidSignatureException', 403, 'KMS_CREDENTIALS retryable'],
    ['finds the request too old', 'RequestExpired', 400, 'KMS_CREDENTIALS retryable'],
    ['knows no such key', 'NotFoundException', 400, 'answer KEY_NOT_FOUND'],
    ['finds the ARN wrong', 'InvalidArnException', 400, 'answer KEY_NOT_FOUND'],
    ['finds the name wrong', 'ValidationException', 400, 'answer KEY_NOT_FOUND'],
    ['has an error that nobody knows', 'SomethingNewException', 400, 'KMS_MISBEHAVED retryable'],
    ['has a fault that nobody knows', 'SomethingNewException', 503, 'KMS_ERROR retryable'],
  ] as const) {
    it(`${what}: ${expected}`, async () => {
      fault({ kind: 'error', type, status });
      assert.deepEqual(await outcome(ask()), [expected, 1]);
    });
  }

  for (const [what, status, body, expected] of [
    ['the page of a proxy', 200, '<html>sign in</html>', 'KMS_MISBEHAVED retryable'],
    ['the refusal of a proxy, which is no word about the key', 403, '<html>', 'KMS_MISBEHAVED retryable'],
    ['a page that is not there, which is no word about the key', 404, '{}', 'KMS_MISBEHAVED retryable'],
    ['a gateway that waits no longer', 504, '<html>', 'KMS_ERROR retryable'],
    ['too many requests', 429, '', 'KMS_THROTTLED retryable'],
    ['a redirect', 302, '', 'KMS_MISBEHAVED retryable'],
    ['nothing', 200, '', 'KMS_MISBEHAVED retryable'],
    ['an empty object', 200, '{}', 'KMS_MISBEHAVED retryable'],
    ['a list', 200, '[1,2]', 'KMS_MISBEHAVED retryable'],
    ['other types', 200, '{"KeyMetadata":{"Arn":5,"KeyState":{},"SigningAlgorithms":"x"}}', 'KMS_MISBEHAVED retryable'],
    ['an error of another type', 400, '{"__type":{"a":1},"message":[2]}', 'KMS_MISBEHAVED retryable'],
    ['half of it', 200, '{"KeyMetadata":{"Arn":"arn:aws', 'KMS_MISBEHAVED retryable'],
    ['deep nesting', 200, '['.repeat(50_000), 'KMS_MISBEHAVED retryable'],
    ['megabytes', 200, ' '.repeat(3_000_000), 'KMS_MISBEHAVED retryable'],
  ] as const) {
    it(`answers with ${what}: ${expected}`, async () => {
      fault({ kind: 'answer', status, body });
      assert.deepEqual(await outcome(ask()), [expected, 1]);
    });
  }

  it('closes the connection: KMS_UNREACHABLE', async () => {
    fault({ kind: 'reset' });
    assert.deepEqual(await outcome(ask()), ['KMS_UNREACHABLE retryable', 1]);
  });

  it('is down: KMS_UNREACHABLE, and usable when it is back', async () => {
    const manager = createAwsKeyManager();
    await kms.stop();
    assert.deepEqual(await outcome(ask(manager)), ['KMS_UNREACHABLE retryable', 0]);
    await kms.start();
    assert.deepEqual(await outcome(ask(manager)), ['usable', 1]);
  });

  it('hangs, or sends bytes without an end: KMS_TIMEOUT', async () => {
    kms.fault = (_operation, count) => ({ kind: count % 2 === 0 ? 'hang' : 'trickle' });
    assert.deepEqual(await outcome(ask()), ['KMS_TIMEOUT retryable', 1]);
  });

  it("hangs, and whoever asked leaves: the caller's own reason, at once", async () => {
    fault({ kind: 'hang' });
    const reason = new Error('left');
    const controller = new AbortController();
    const work = createAwsKeyManager().describe(reference('awskms:///alias/release'), controller.signal);
    controller.abort(reason);
    await assert.rejects(work, reason);
  });

  it('throttles nine calls of ten: usable after some attempts, and the state is read twice at most', async () => {
    kms.fault = (operation, nth) => (nth % 10 === (operation === 'DescribeKey' ? 1 : 0) ? undefined : THROTTLED);
    const manager = createAwsKeyManager();
    const seen: unknown[] = [];
    while (seen.at(-1) !== 'usable') seen.push((await outcome(ask(manager)))[0]);
    // The first attempt asks for both and gets the state; then nine for the public key, then ten more for the state.
    assert.deepEqual(new Set(seen.slice(0, -1)), new Set(['KMS_THROTTLED retryable']));
    assert.deepEqual([seen.length, count('DescribeKey'), count('GetPublicKey')], [19, 11, 10]);
  });

  it('keeps a public key that came while the state did not', async () => {
    fault(THROTTLED, 'DescribeKey');
    const manager = createAwsKeyManager();
    assert.deepEqual(await outcome(ask(manager)), ['KMS_THROTTLED retryable', 1]);
    assert.deepEqual(await outcome(ask(manager)), ['KMS_THROTTLED retryable', 1]);
    kms.fault = undefined;
    assert.deepEqual(await outcome(ask(manager)), ['usable', 1]);
    assert.deepEqual(await outcome(ask(manager)), ['usable', 1]);
    assert.equal(count('GetPublicKey'), 1);
  });

  it('asks to wait: so long, and at most ten minutes', async () => {
    const waits: unknown[] = [];
    for (const seconds of ['3', '999999', 'Wed, 21 Oct 2026 07:28:00 GMT']) {
      fault({ ...THROTTLED, headers: { 'retry-after': seconds } });
      const error = await ask().catch((reason: unknown) => reason);
      assert.ok(error instanceof EvidenceError);
      waits.push(error.retryAfterMs);
    }
    assert.deepEqual(waits.slice(0, 2), [3_000, 600_000]);
    assert.ok(Number(waits[2]) >= 1000 && Number(waits[2]) < 2000);
  });

  it('gives the public key of another algorithm: KMS_MISBEHAVED, and usable when it is right again', async () => {
    const other = await owner.create('RSA_2048');
    const { PublicKey } = kms.store.run('GetPublicKey', { KeyId: other.arn }) as { PublicKey: string };
    const manager = createAwsKeyManager();
    fault({ kind: 'change', change: (answer) => ({ ...answer, PublicKey }) }, 'GetPublicKey');
    assert.deepEqual(await outcome(ask(manager)), ['KMS_MISBEHAVED retryable', 1]);
    kms.fault = undefined;
    assert.deepEqual(await outcome(ask(manager)), ['usable', 1]);
  });

  for (const [what, change] of [
    ['of no key', () => ({})],
    ['that is no key', (answer: object) => ({ ...answer, PublicKey: 'AAAA' })],
    [
      'with bytes behind it',
      (answer: { PublicKey: string }) => ({
        ...answer,
        PublicKey: Buffer.concat([Buffer.from(answer.PublicKey, 'base64'), Buffer.from('x')]).toString('base64'),
      }),
    ],
    ['under no ARN', (answer: object) => ({ ...answer, KeyId: 5 })],
    ['of another account', (answer: object) => ({ ...answer, KeyId: 'arn:aws:kms:eu-west-1:999999999999:alias/x' })],
  ] as const) {
    it(`gives a public key ${what}: KMS_MISBEHAVED`, async () => {
      // Each change takes the answer that the store makes.
      fault({ kind: 'change', change: change as (answer: Record<string, unknown>) => unknown }, 'GetPublicKey');
      const [found] = await outcome(createAwsKeyManager().describe(reference(`awskms:///${key.arn}`), signal));
      assert.equal(found, 'KMS_MISBEHAVED retryable');
    });
  }

  it('answers about another key than was asked for: KMS_MISBEHAVED', async () => {
    const other = await owner.create('ECC_NIST_P256');
    fault({ kind: 'change', change: () => kms.store.run('DescribeKey', { KeyId: other.arn }) }, 'DescribeKey');
    const manager = createAwsKeyManager();
    for (const name of [key.id, key.arn]) {
      const [found] = await outcome(manager.describe(reference(`awskms:///${name}`), signal));
      assert.equal(found, 'KMS_MISBEHAVED retryable', name);
    }
  });

  for (const [state, expected] of [
    ['PendingReplicaDeletion', 'answer KEY_PENDING_DELETION'],
    ['Creating', 'answer KEY_UNAVAILABLE'],
    ['PendingImport', 'answer KEY_UNAVAILABLE'],
    ['Unavailable', 'answer KEY_UNAVAILABLE'],
    ['Updating', 'answer KEY_UNAVAILABLE'],
    ['SomethingNew', 'answer KEY_UNAVAILABLE'],
  ] as const) {
    it(`has the key in the state ${state}: ${expected}`, async () => {
      const change = ({ KeyMetadata }: Record<string, unknown>) => ({
        KeyMetadata: { ...(KeyMetadata as object), KeyState: state },
      });
      fault({ kind: 'change', change }, 'DescribeKey');
      assert.equal((await outcome(ask()))[0], expected);
    });
  }

  for (const [what, change] of [
    ['for encryption', { KeyUsage: 'ENCRYPT_DECRYPT' }],
    ['for agreement', { KeyUsage: 'KEY_AGREEMENT' }],
    ['symmetric', { KeySpec: 'SYMMETRIC_DEFAULT' }],
    ['of a spec that nobody knows', { KeySpec: 'ECC_NEW' }],
    ['without an algorithm', { SigningAlgorithms: [] }],
    ['for Ed25519ph only', { KeySpec: 'ECC_NIST_EDWARDS25519', SigningAlgorithms: ['ED25519_PH_SHA_512'] }],
  ] as const) {
    it(`has a key ${what}: KEY_UNSUITABLE`, async () => {
      const changed = ({ KeyMetadata }: Record<string, unknown>) => ({
        KeyMetadata: { ...(KeyMetadata as object), ...change },
      });
      fault({ kind: 'change', change: changed }, 'DescribeKey');
      assert.equal((await outcome(ask()))[0], 'answer KEY_UNSUITABLE');
    });
  }

  it('finds the clock an hour wrong: told so, and the next attempt is signed by its clock', async () => {
    for (const hours of [1, -1]) {
      kms.skewMs = hours * 3_600_000;
      const manager = createAwsKeyManager();
      const error = await ask(manager).catch((reason: unknown) => reason);
      assert.ok(error instanceof EvidenceError && error.code === 'KMS_CREDENTIALS' && error.retryable);
      assert.match(error.message, /this worker's clock is wrong .*set the clock/);
      assert.deepEqual(await outcome(ask(manager)), ['usable', 1]);
    }
  });

  it('finds the credentials expired: told so, apart from the clock', async () => {
    kms.expired.add('AKIDWORKER');
    const error = await ask().catch((reason: unknown) => reason);
    assert.ok(error instanceof EvidenceError && error.code === 'KMS_CREDENTIALS');
    assert.match(error.message, /credentials of this worker have expired .*renew them/);
  });

  it('does not believe a signature: false, and no failure', async () => {
    const manager = createAwsKeyManager();
    const ref = reference(`awskms:///${key.arn}`);
    const [known] = (await manager.describe(ref, signal)).keys;
    assert.ok(known);
    const message = Buffer.from('what was signed');
    const signature = await owner.sign(key, 'ECDSA_SHA_256', message);
    assert.equal(await manager.verify(ref, known, Buffer.from('another'), signature, signal), false);
    kms.fault = () => ({ kind: 'error', type: 'KMSInvalidSignatureException' });
    assert.equal(await manager.verify(ref, known, message, signature, signal), false);
    kms.fault = () => ({ kind: 'change', change: (answer) => ({ ...answer, SignatureValid: 'true' }) });
    const found = await manager.verify(ref, known, message, signature, signal).catch(() => 'refused');
    assert.notEqual(found, true);
    kms.fault = undefined;
  });

  it('finds the credentials of a shared file expired, and takes the new ones when they are there', async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, 'credentials');
    const write = (id: string) => writeFile(file, `[default]\naws_access_key_id=${id}\naws_secret_access_key=x\n`);
    await write('AKIDOLD');
    const before = { ...process.env };
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) delete process.env[name];
    Object.assign(process.env, { AWS_SHARED_CREDENTIALS_FILE: file, AWS_CONFIG_FILE: join(folder.path, 'none') });
    try {
      const manager = createAwsKeyManager();
      assert.deepEqual(await outcome(ask(manager)), ['usable', 1]);
      kms.expired.add('AKIDOLD');
      assert.deepEqual(await outcome(ask(manager)), ['KMS_CREDENTIALS retryable', 1]);
      await write('AKIDNEW');
      assert.deepEqual(await outcome(ask(manager)), ['usable', 1]);
      await rm(file);
      kms.expired.add('AKIDNEW');
      await ask(manager).catch(() => {});
      const error = await ask(manager).catch((reason: unknown) => reason);
      assert.match(String(error), /this worker has no credentials for it .*found "CredentialsProviderError"/);
    } finally {
      for (const name of ['AWS_SHARED_CREDENTIALS_FILE', 'AWS_CONFIG_FILE']) delete process.env[name];
      Object.assign(process.env, before);
    }
  });
});
