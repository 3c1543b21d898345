import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { after, before, beforeEach, describe, it } from 'node:test';
import { createAzureKeyManager } from '../../../../activities/kms/azure/manager.ts';
import type { KeyManager } from '../../../../activities/kms/managed-key.ts';
import { holds } from '../../../../activities/sigstore/evidence/raw-signature.ts';
import {
  AZURE_PERMISSIONS,
  type AzureDouble,
  type AzureVersion,
  send,
  startAzureDouble,
  VAULT,
} from '../../../support/kms-doubles/azure.ts';

const MESSAGE = Buffer.from('a payload that is signed');
const SIGNAL = new AbortController().signal;
const NOW = new Date('2026-11-25T12:00:00Z');
const [OLD, NEW] = ['0'.repeat(31).concat('1'), '0'.repeat(31).concat('2')] as const;

const EC = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve }).privateKey;
const RSA = (modulusLength: number) => generateKeyPairSync('rsa', { modulusLength }).privateKey;
const p256 = EC('P-256');

const KINDS: readonly (readonly [kty: string, key: KeyObject, shown: string, usual: string])[] = [
  ['EC', p256, 'ECDSA P-256', 'ecdsa sha256'],
  ['EC-HSM', EC('P-384'), 'ECDSA P-384', 'ecdsa sha384'],
  ['EC', EC('P-521'), 'ECDSA P-521', 'ecdsa sha512'],
  ['RSA', RSA(2048), 'RSA 2048', 'rsa-pkcs1 sha256'],
  ['RSA-HSM', RSA(3072), 'RSA 3072', 'rsa-pkcs1 sha384'],
  ['RSA', RSA(4096), 'RSA 4096', 'rsa-pkcs1 sha512'],
];

describe('keys in Azure Key Vault', () => {
  let vault: AzureDouble;
  let manager: KeyManager;
  before(async () => {
    vault = await startAzureDouble();
    manager = createAzureKeyManager({ ...vault.settings, now: () => NOW });
  });
  after(() => vault?.[Symbol.asyncDispose]());
  beforeEach(() => {
    vault.fault = undefined;
    vault.refuses = undefined;
    vault.calls.length = 0;
    vault.deleted.clear();
    hold({});
    allow(AZURE_PERMISSIONS);
  });

  function hold(...versions: readonly Partial<AzureVersion>[]) {
    vault.keys.set(
      'release',
      versions.map((version, index) => ({ privateKey: p256, version: index === 0 ? OLD : NEW, ...version })),
    );
  }
  function allow(permissions: readonly string[]) {
    vault.permissions.clear();
    for (const permission of permissions) vault.permissions.add(permission);
  }
  const named = (version = '', name = 'release') =>
    ({ provider: 'azurekms', uri: `azurekms://${VAULT}/${name}${version}` }) as const;
  const look = (version?: string) => manager.describe(named(version), SIGNAL);
  const refusal = async (version?: string) => {
    const { state, keys } = await look(version);
    assert.deepEqual(keys, []);
    return state.kind === 'unusable' ? [state.code, state.sentence] : ['usable'];
  };
  const resource = (version: string) => `https://${VAULT}/keys/release/${version}`;

  for (const [kty, privateKey, shown, usual] of KINDS) {
    it(`of ${shown} (${kty}) sign, and verify here and there, by ${usual}`, async () => {
      hold({ kty, privateKey });
      const { state, keys, resource: found } = await look();
      assert.deepEqual([state.kind, found], ['usable', resource(OLD)]);
      const [key] = keys;
      const scheme = key?.schemes[0];
      assert.ok(key !== undefined && scheme !== undefined && scheme.kind !== 'pure');
      assert.deepEqual([key.algorithm, `${scheme.kind} ${scheme.hash}`], [shown, usual]);
      // ECDSA numbers are shorter once in 128 times, and are padded.
      for (let time = 0; time < (kty.startsWith('EC') ? 20 : 1); time++) {
        const { signature } = await manager.sign(named(), MESSAGE, SIGNAL);
        assert.ok(holds(signature, MESSAGE, key));
        assert.equal(await manager.verify(named(), key, MESSAGE, signature, SIGNAL), true);
        assert.equal(await manager.verify(named(), key, Buffer.from('another'), signature, SIGNAL), false);
      }
    });
  }

  it('are the newest version, or the one that is named', async () => {
    hold({}, {});
    assert.equal((await look()).resource, resource(NEW));
    assert.equal((await look('/')).resource, resource(NEW));
    assert.equal((await look(`/${OLD}`)).resource, resource(OLD));
    assert.deepEqual(new Set(vault.calls), new Set(['Microsoft.KeyVault/vaults/keys/read']));
  });

  const seconds = (text: string) => Date.parse(text) / 1000;
  const REFUSED: readonly (readonly [what: string, version: Partial<AzureVersion>, code: string, said: RegExp])[] = [
    ['disabled', { attributes: { enabled: false } }, 'KEY_DISABLED', /is disabled$/],
    [
      'expired',
      { attributes: { exp: seconds('2026-11-25T12:00:00Z') } },
      'KEY_DISABLED',
      /expired at 2026-11-25T12:00:00.000Z$/,
    ],
    [
      'not good yet',
      { attributes: { nbf: seconds('2026-11-25T12:00:01Z') } },
      'KEY_DISABLED',
      /not to be used before 2026-11-25T12:00:01.000Z$/,
    ],
    ['secret', { kty: 'oct-HSM' }, 'KEY_UNSUITABLE', /is of type "oct-HSM", expected/],
    [
      'on another curve',
      { privateKey: EC('secp256k1'), bend: { crv: 'P-256K' } },
      'KEY_UNSUITABLE',
      /is of type "P-256K"/,
    ],
    ['for wrapping', { operations: ['wrapKey', 'unwrapKey'] }, 'KEY_UNSUITABLE', /is neither for sign nor for verify$/],
  ];
  for (const [what, version, code, said] of REFUSED) {
    it(`are ${code} when they are ${what}`, async () => {
      hold(version);
      const [found, sentence] = await refusal();
      assert.equal(found, code);
      assert.match(sentence ?? '', said);
      await assert.rejects(manager.sign(named(), MESSAGE, SIGNAL), { code, retryable: false });
    });
  }

  it('are good in the last second before they expire', async () => {
    hold({ attributes: { exp: seconds('2026-11-25T12:00:01Z'), nbf: seconds('2026-11-25T12:00:00Z') } });
    assert.equal((await look()).state.kind, 'usable');
  });

  it('are to be deleted when they are deleted and not purged, and not found when there are none', async () => {
    vault.deleted.add('release');
    assert.deepEqual(await refusal(), [
      'KEY_PENDING_DELETION',
      `the key https://${VAULT}/keys/release is deleted, and will be purged`,
    ]);
    vault.deleted.clear();
    assert.deepEqual(await refusal(`/${NEW}`), ['KEY_NOT_FOUND', `there is no key ${resource(NEW)}`]);
    vault.keys.clear();
    assert.deepEqual(await refusal(), ['KEY_NOT_FOUND', `there is no key https://${VAULT}/keys/release`]);
  });

  it('verify nothing for a key that the name means no more', async () => {
    const { signature, key } = await manager.sign(named(), MESSAGE, SIGNAL);
    hold({ privateKey: EC('P-256') });
    assert.equal(await manager.verify(named(), key, MESSAGE, signature, SIGNAL), false);
  });

  const STATUSES: readonly (readonly [status: number, reason: string, retryable: boolean])[] = [
    [401, 'KMS_CREDENTIALS', true],
    [403, 'KMS_ACCESS_DENIED', false],
    [408, 'KMS_TIMEOUT', true],
    [429, 'KMS_THROTTLED', true],
    [500, 'KMS_ERROR', true],
    [503, 'KMS_ERROR', true],
    [418, 'KMS_MISBEHAVED', true],
  ];
  const bodies = ['{"error":{"code":"X","message":"a secret text"}}', '<html>a secret text</html>', '', '[]', 'null'];
  for (const [status, reason, retryable] of STATUSES) {
    it(`come to ${reason} when the service says ${status}, after one attempt, without its words`, async () => {
      await look(); // the first call of all also asks which token is wanted
      for (const body of bodies) await comesTo(body, status, reason, retryable);
    });
  }
  async function comesTo(body: string, status: number, reason: string, retryable: boolean): Promise<void> {
    vault.calls.length = 0;
    vault.fault = (response) => response.writeHead(status, { 'retry-after': '3' }).end(body);
    await assert.rejects(look(), (error: unknown) => {
      assert.ok(error instanceof Error && 'code' in error && 'retryable' in error && 'retryAfterMs' in error);
      assert.deepEqual([error.code, error.retryable], [reason, retryable]);
      assert.equal(error.retryAfterMs, retryable ? 3000 : undefined);
      assert.doesNotMatch(error.message, /secret/);
      return true;
    });
    assert.equal(vault.calls.length, 1);
  }

  const GARBAGE: readonly (readonly [what: string, fault: (response: ServerResponse) => void])[] = [
    [
      'about what is no version',
      (response) =>
        send(response, 200, { key: { kid: `${resource(OLD)}\n`, kty: 'EC' }, attributes: { enabled: true } }),
    ],
    [
      'about a key and no version',
      (response) =>
        send(response, 200, {
          key: { kid: `https://${VAULT}/keys/release`, kty: 'EC' },
          attributes: { enabled: true },
        }),
    ],
    ['no JSON', (response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{')],
    [
      'about another key',
      (response) =>
        send(response, 200, {
          key: { kid: `https://${VAULT}/keys/other/1`, kty: 'EC' },
          attributes: { enabled: true },
        }),
    ],
    [
      'without a public key',
      (response) =>
        send(response, 200, { key: { kid: resource(OLD), kty: 'EC', crv: 'P-256' }, attributes: { enabled: true } }),
    ],
    [
      'with a point off its curve',
      (response) =>
        send(response, 200, {
          key: { kid: resource(OLD), kty: 'EC', crv: 'P-256', x: 'AQ', y: 'AQ' },
          attributes: { enabled: true },
        }),
    ],
    [
      'with a short RSA key',
      (response) =>
        send(response, 200, {
          key: { kid: resource(OLD), kty: 'RSA', n: 'x'.repeat(100), e: 'AQAB' },
          attributes: { enabled: true },
        }),
    ],
  ];
  for (const [what, fault] of GARBAGE) {
    it(`come to KMS_MISBEHAVED when the answer is one ${what}`, async () => {
      vault.fault = fault;
      await assert.rejects(look(), { code: 'KMS_MISBEHAVED', retryable: true });
    });
  }

  it('come to KMS_UNREACHABLE when the connection breaks', async () => {
    vault.fault = (response) => void response.destroy();
    await assert.rejects(look(), { code: 'KMS_UNREACHABLE', retryable: true, message: /ECONNRESET/ });
  });

  it('come to KMS_TIMEOUT when nobody answers, and to the reason of a caller who leaves', async () => {
    vault.fault = () => undefined;
    const left = new Error('left');
    const controller = new AbortController();
    const asked = manager.describe(named(), controller.signal);
    controller.abort(left);
    await assert.rejects(asked, left);
    await assert.rejects(look(), { code: 'KMS_TIMEOUT', retryable: true });
  });

  it('are asked for with a new credential after one was refused', async () => {
    let made = 0;
    const credential = () => {
      const token = `token-${made++}`;
      return { getToken: async () => ({ token, expiresOnTimestamp: Date.now() + 3_600_000 }) };
    };
    const asking = createAzureKeyManager({ ...vault.settings, now: () => NOW, credential });
    assert.equal((await asking.describe(named(), SIGNAL)).state.kind, 'usable');
    vault.refuses = 'token-0';
    await assert.rejects(asking.describe(named(), SIGNAL), { code: 'KMS_CREDENTIALS', retryable: true });
    assert.equal((await asking.describe(named(), SIGNAL)).state.kind, 'usable');
    assert.equal(made, 2);
  });

  it('come to KMS_CREDENTIALS when there are none', async () => {
    const { CredentialUnavailableError } = await import('@azure/identity');
    const getToken = () => Promise.reject(new CredentialUnavailableError('a secret text'));
    const asked = createAzureKeyManager({ ...vault.settings, credential: () => ({ getToken }) }).describe(
      named(),
      SIGNAL,
    );
    await assert.rejects(asked, {
      code: 'KMS_CREDENTIALS',
      message: /^Azure Key Vault portcullis.vault.azure.net was not asked/,
    });
  });

  it('never give a token to a host that is no vault of Azure', async () => {
    const elsewhere = { provider: 'azurekms', uri: 'azurekms://vault.example.com/release' } as const;
    await assert.rejects(manager.describe(elsewhere, SIGNAL), { code: 'KMS_MISBEHAVED', message: /no vault of Azure/ });
    assert.deepEqual(vault.calls, []);
  });
});
