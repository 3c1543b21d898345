import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { after, before, beforeEach, describe, it } from 'node:test';
import { status } from '@grpc/grpc-js';
import { parse } from 'yaml';
import { createGcpKeyManager } from '../../../../activities/kms/gcp/manager.ts';
import type { KeyManager } from '../../../../activities/kms/managed-key.ts';
import { holds } from '../../../../activities/sigstore/evidence/raw-signature.ts';
import { GCP_PERMISSIONS, type GcpDouble, type GcpFault, startGcpDouble } from '../../../support/kms-doubles/gcp.ts';

const KEY = 'projects/p/locations/global/keyRings/r/cryptoKeys/release';
const MESSAGE = Buffer.from('a payload that is signed');
const SIGNAL = new AbortController().signal;

const EC = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve }).privateKey;
const RSA = (modulusLength: number) => generateKeyPairSync('rsa', { modulusLength }).privateKey;

const p256 = EC('P-256');
const rsa2048 = RSA(2048);
const rsa4096 = RSA(4096);

const KINDS: readonly (readonly [algorithm: string, key: KeyObject, shown: string])[] = [
  ['EC_SIGN_P256_SHA256', p256, 'ECDSA P-256'],
  ['EC_SIGN_P384_SHA384', EC('P-384'), 'ECDSA P-384'],
  ['EC_SIGN_ED25519', generateKeyPairSync('ed25519').privateKey, 'Ed25519'],
  ['RSA_SIGN_PKCS1_2048_SHA256', rsa2048, 'RSA 2048'],
  ['RSA_SIGN_PSS_2048_SHA256', rsa2048, 'RSA 2048'],
  ['RSA_SIGN_PKCS1_3072_SHA256', RSA(3072), 'RSA 3072'],
  ['RSA_SIGN_PKCS1_4096_SHA512', rsa4096, 'RSA 4096'],
  ['RSA_SIGN_PSS_4096_SHA512', rsa4096, 'RSA 4096'],
];

describe('keys in Google Cloud KMS', () => {
  let kms: GcpDouble;
  let manager: KeyManager;
  before(async () => {
    kms = await startGcpDouble();
    manager = createGcpKeyManager(kms.clientOptions);
  });
  after(() => kms?.[Symbol.asyncDispose]());
  beforeEach(() => {
    kms.fault = undefined;
    kms.calls.length = 0;
    kms.keys.clear();
    hold('ENABLED');
    kms.permissions.clear();
    for (const permission of GCP_PERMISSIONS) kms.permissions.add(permission);
  });

  /** The versions 1, 2, ... of the key, in these states. */
  function hold(...states: readonly string[]) {
    holdKeys(...states.map((state) => ({ state })));
  }
  function holdKeys(...versions: readonly { state?: string; algorithm?: string; privateKey?: KeyObject }[]) {
    const usual = { state: 'ENABLED', algorithm: 'EC_SIGN_P256_SHA256', privateKey: p256 };
    kms.keys.set(KEY, new Map(versions.map((version, index) => [index + 1, { ...usual, ...version }])));
  }
  const named = (version = '') => ({ provider: 'gcpkms', uri: `gcpkms://${KEY}${version}` }) as const;
  const look = (version?: string) => manager.describe(named(version), SIGNAL);
  const refusal = async (version?: string) => {
    const { state, keys } = await look(version);
    assert.deepEqual(keys, []);
    return state.kind === 'unusable' ? [state.code, state.sentence] : ['usable'];
  };

  for (const [algorithm, privateKey, shown] of KINDS) {
    it(`sign by ${algorithm}, and only so`, async () => {
      holdKeys({ algorithm, privateKey });
      const { state, keys, resource } = await look();
      assert.deepEqual([state.kind, resource], ['usable', `${KEY}/cryptoKeyVersions/1`]);
      const [key] = keys;
      assert.ok(key !== undefined);
      assert.deepEqual([key.algorithm, key.schemes.length], [shown, 1]);
      const made = await manager.sign(named(), MESSAGE, SIGNAL);
      assert.equal(made.key.keyId, key.keyId);
      assert.ok(holds(made.signature, MESSAGE, key));
      assert.ok(!holds(made.signature, Buffer.from('another'), key));
    });
  }

  it('are the newest version that is enabled, where 10 is newer than 9', async () => {
    hold(...Array(9).fill('ENABLED'), 'ENABLED', 'DISABLED', 'DESTROY_SCHEDULED');
    assert.equal((await look()).resource, `${KEY}/cryptoKeyVersions/10`);
    assert.deepEqual(kms.calls, ['cloudkms.cryptoKeyVersions.list', 'cloudkms.cryptoKeyVersions.viewPublicKey']);
  });

  it('are the version that is named, by either word for it', async () => {
    hold('ENABLED', 'ENABLED');
    for (const version of ['/cryptoKeyVersions/1', '/versions/1']) {
      assert.equal((await look(version)).resource, `${KEY}/cryptoKeyVersions/1`);
    }
    assert.equal(kms.calls[0], 'cloudkms.cryptoKeyVersions.get');
  });

  const STATES: readonly (readonly [state: string, code: string])[] = [
    ['DISABLED', 'KEY_DISABLED'],
    ['DESTROY_SCHEDULED', 'KEY_PENDING_DELETION'],
    ['PENDING_EXTERNAL_DESTRUCTION', 'KEY_PENDING_DELETION'],
    ['EXTERNAL_DESTRUCTION_FAILED', 'KEY_PENDING_DELETION'],
    ['DESTROYED', 'KEY_NOT_FOUND'],
    ['PENDING_GENERATION', 'KEY_UNAVAILABLE'],
    ['PENDING_IMPORT', 'KEY_UNAVAILABLE'],
    ['IMPORT_FAILED', 'KEY_UNAVAILABLE'],
    ['GENERATION_FAILED', 'KEY_UNAVAILABLE'],
  ];
  for (const [state, code] of STATES) {
    it(`are ${code} when they are ${state}, named by version or not, and no public key is asked for`, async () => {
      hold(state);
      assert.equal((await refusal())[0], code);
      assert.equal((await refusal('/cryptoKeyVersions/1'))[0], code);
      assert.ok(!kms.calls.includes('cloudkms.cryptoKeyVersions.viewPublicKey'));
      await assert.rejects(manager.sign(named(), MESSAGE, SIGNAL), { code, retryable: false });
    });
  }

  it('are not found when there are none', async () => {
    const sentence = (name: string) => `there is no key ${name} in Google Cloud KMS, or no version of it`;
    const one = `${KEY}/cryptoKeyVersions/7`;
    assert.deepEqual(await refusal('/versions/7'), ['KEY_NOT_FOUND', sentence(one)]);
    kms.keys.set(KEY, new Map());
    assert.deepEqual(await refusal(), ['KEY_NOT_FOUND', sentence(KEY)]);
    kms.keys.clear();
    assert.deepEqual(await refusal(), ['KEY_NOT_FOUND', sentence(KEY)]);
  });

  for (const algorithm of [
    'RSA_SIGN_RAW_PKCS1_2048',
    'EC_SIGN_SECP256K1_SHA256',
    'RSA_DECRYPT_OAEP_2048_SHA256',
    'PQ_SIGN_ML_DSA_65',
  ]) {
    it(`are unsuitable when they are for ${algorithm}`, async () => {
      holdKeys({ algorithm });
      assert.equal((await refusal())[0], 'KEY_UNSUITABLE');
    });
  }

  it('are never verified by the service, which can not', async () => {
    const [key] = (await look()).keys;
    assert.ok(key !== undefined);
    const asked = manager.verify(named(), key, MESSAGE, Buffer.alloc(64), SIGNAL);
    await assert.rejects(asked, { code: 'KMS_ERROR', retryable: false, message: /leave that to the worker$/ });
  });

  const STATUSES: readonly (readonly [code: status, reason: string, retryable: boolean])[] = [
    [status.PERMISSION_DENIED, 'KMS_ACCESS_DENIED', false],
    [status.UNAUTHENTICATED, 'KMS_CREDENTIALS', true],
    [status.RESOURCE_EXHAUSTED, 'KMS_THROTTLED', true],
    [status.UNAVAILABLE, 'KMS_UNREACHABLE', true],
    [status.DEADLINE_EXCEEDED, 'KMS_TIMEOUT', true],
    [status.INTERNAL, 'KMS_ERROR', true],
    [status.UNKNOWN, 'KMS_ERROR', true],
    [status.ABORTED, 'KMS_ERROR', true],
    [status.FAILED_PRECONDITION, 'KMS_ERROR', true],
    [status.UNIMPLEMENTED, 'KMS_MISBEHAVED', true],
    [status.DATA_LOSS, 'KMS_MISBEHAVED', true],
  ];
  for (const [code, reason, retryable] of STATUSES) {
    it(`come to ${reason} when the service says ${status[code]}, after one attempt, without its words`, async () => {
      kms.fault = { kind: 'status', code, message: 'token ya29.secret of /root/key.json' };
      await assert.rejects(look(), (error: unknown) => {
        assert.ok(error instanceof Error && 'code' in error && 'retryable' in error);
        assert.deepEqual([error.code, error.retryable], [reason, retryable]);
        assert.doesNotMatch(error.message, /secret|key\.json/);
        return true;
      });
      assert.equal(kms.calls.length, 1);
    });
  }

  it('come to KMS_CREDENTIALS when the library can not renew its token', async () => {
    const message = 'Getting metadata from plugin failed with error: invalid_grant';
    kms.fault = { kind: 'status', code: status.UNAVAILABLE, message };
    await assert.rejects(look(), { code: 'KMS_CREDENTIALS' });
  });

  it('come to KMS_CREDENTIALS where there are none, and nothing of it ends the process', async () => {
    const { sslCreds, ...options } = kms.clientOptions ?? {};
    assert.ok(sslCreds !== undefined);
    const broken = createGcpKeyManager({ ...options, keyFilename: '/nowhere/key.json' });
    for (const _ of [1, 2]) await assert.rejects(broken.describe(named(), SIGNAL), { code: 'KMS_CREDENTIALS' });
  });

  it('come to KMS_TIMEOUT when nobody answers, and to the reason of a caller who leaves', async () => {
    kms.fault = { kind: 'hang' };
    const left = new Error('left');
    const controller = new AbortController();
    const asked = manager.describe(named(), controller.signal);
    controller.abort(left);
    await assert.rejects(asked, left);
    await assert.rejects(look(), { code: 'KMS_TIMEOUT', retryable: true });
  });

  it('come to KMS_UNREACHABLE when nobody listens', async () => {
    const gone = await startGcpDouble();
    await gone[Symbol.asyncDispose]();
    await assert.rejects(createGcpKeyManager(gone.clientOptions).describe(named(), SIGNAL), {
      code: 'KMS_UNREACHABLE',
    });
  });

  const BENT: readonly (readonly [what: string, answer: (answer: object) => object])[] = [
    ['about another key', (answer) => rename(answer, `${KEY}2/cryptoKeyVersions/1`)],
    ['about what is no version', (answer) => rename(answer, `${KEY}/cryptoKeyVersions/1\n2`)],
    ['about a key and no version', (answer) => rename(answer, KEY)],
    ['in a state that nobody knows', (answer) => alter(answer, { state: 'CRYPTO_KEY_VERSION_STATE_UNSPECIFIED' })],
    ['with a public key of another kind', (answer) => ('pem' in answer ? { ...answer, pem: pemOf(rsa2048) } : answer)],
    ['with no public key', (answer) => ('pem' in answer ? { ...answer, pem: 'no key' } : answer)],
    ['that is too large', (answer) => ('pem' in answer ? { ...answer, pem: 'x'.repeat(300_000) } : answer)],
  ];
  for (const [what, answer] of BENT) {
    it(`come to KMS_MISBEHAVED when the answer is one ${what}`, async () => {
      const fault: GcpFault = { kind: 'bend', answer };
      kms.fault = fault;
      await assert.rejects(look(), { code: 'KMS_MISBEHAVED', retryable: true });
    });
  }

  it('need the permissions of infra/gcp, each of them, and no others', async () => {
    const text = await readFile(new URL('../../../../infra/gcp/role.yaml', import.meta.url), 'utf8');
    const { includedPermissions: reading } = parse(text);
    const { includedPermissions: all } = parse(text.replace('# - cloudkms', '- cloudkms'));
    const use = async (permissions: readonly string[]) => {
      kms.permissions.clear();
      for (const permission of permissions) kms.permissions.add(permission);
      await look();
      await look('/cryptoKeyVersions/1');
    };
    await use(reading);
    assert.deepEqual(new Set(kms.calls), new Set(reading));
    await use(all);
    assert.ok((await manager.sign(named(), MESSAGE, SIGNAL)).signature.length > 0);
    assert.deepEqual(new Set(kms.calls), new Set(all));
    for (const missing of reading) {
      await assert.rejects(use(reading.filter((permission: string) => permission !== missing)), {
        code: 'KMS_ACCESS_DENIED',
        retryable: false,
        message: new RegExp(
          `^Google Cloud KMS does not let this worker do that \\(${missing} on .*; grant its identity the role in infra/gcp$`,
        ),
      });
    }
  });
});

function rename(answer: object, name: string): object {
  if ('cryptoKeyVersions' in answer && Array.isArray(answer.cryptoKeyVersions)) {
    return { cryptoKeyVersions: answer.cryptoKeyVersions.map((version) => ({ ...version, name })) };
  }
  return { ...answer, name };
}

function alter(answer: object, change: object): object {
  if ('cryptoKeyVersions' in answer && Array.isArray(answer.cryptoKeyVersions)) {
    return { cryptoKeyVersions: answer.cryptoKeyVersions.map((version) => ({ ...version, ...change })) };
  }
  return answer;
}

function pemOf(privateKey: KeyObject): string {
  return createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString();
}
