import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { createVaultKeyManager } from '../../../activities/kms/vault/manager.ts';
import { holds } from '../../../activities/sigstore/evidence/raw-signature.ts';
import { startVault, type Vault } from '../../../infra/stack/vault.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const MESSAGE = Buffer.from('a payload that is signed');
const KINDS = ['ecdsa-p256', 'ecdsa-p384', 'ecdsa-p521', 'ed25519', 'rsa-2048', 'rsa-3072', 'rsa-4096'] as const;
const SIGNAL = AbortSignal.timeout(120_000);

describe('keys in a real Vault', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let vault: Vault;
  before(async () => {
    folder = await temporaryFolder();
    vault = await startVault(folder.path);
  });
  after(async () => {
    await vault?.stop();
    await folder?.[Symbol.asyncDispose]();
  });

  const managerWith = (token: string) => createVaultKeyManager({ VAULT_ADDR: vault.url, VAULT_TOKEN: token });
  const manager = () => managerWith(vault.rootToken);
  const named = (name: string) => ({ provider: 'hashivault', uri: `hashivault://${name}` }) as const;
  const look = (name: string, token = vault.rootToken) => managerWith(token).describe(named(name), SIGNAL);
  const signByVault = async (name: string, options: Readonly<Record<string, unknown>>) => {
    const body = { input: MESSAGE.toString('base64'), ...options };
    const { signature } = await vault.call('POST', `transit/sign/${name}`, body);
    return Buffer.from(String(signature).replace(/^vault:v\d+:/, ''), 'base64');
  };

  for (const type of KINDS) {
    it(`sign with ${type} in every way that is taken, and verify here and there`, async () => {
      await vault.call('POST', `transit/keys/${type}`, { type });
      const { state, keys, resource } = await look(type);
      assert.deepEqual(state, { kind: 'usable' });
      assert.equal(resource, `${new URL(vault.url).host}/transit/keys/${type} version 1`);
      const [key] = keys;
      assert.ok(key !== undefined && keys.length === 1);
      for (const options of optionsFor(type)) {
        const signature = await signByVault(type, options);
        assert.ok(holds(signature, MESSAGE, key), JSON.stringify(options));
        assert.equal(
          await manager().verify(named(type), key, MESSAGE, signature, SIGNAL),
          true,
          JSON.stringify(options),
        );
        assert.equal(await manager().verify(named(type), key, Buffer.from('another'), signature, SIGNAL), false);
      }
      const made = await manager().sign(named(type), MESSAGE, SIGNAL);
      assert.equal(made.key.keyId, key.keyId);
      assert.ok(holds(made.signature, MESSAGE, key));
    });
  }

  it('take every version that is still good, and none below min_decryption_version', async () => {
    await vault.call('POST', 'transit/keys/rotated', { type: 'ecdsa-p256' });
    const byFirst = await signByVault('rotated', {});
    await vault.call('POST', 'transit/keys/rotated/rotate');
    const byNewest = await manager().sign(named('rotated'), MESSAGE, SIGNAL);
    const both = await look('rotated');
    assert.deepEqual([both.keys.length, /version 2, 1$/.test(both.resource)], [2, true]);
    assert.equal(both.keys[0]?.keyId, byNewest.key.keyId);
    const first = both.keys.find((key) => holds(byFirst, MESSAGE, key));
    assert.ok(first !== undefined);
    assert.equal(await manager().verify(named('rotated'), first, MESSAGE, byFirst, SIGNAL), true);

    await vault.call('POST', 'transit/keys/rotated/config', { min_decryption_version: 2 });
    const left = await look('rotated');
    assert.deepEqual(
      left.keys.map(({ keyId }) => keyId),
      [byNewest.key.keyId],
    );
    assert.equal(await manager().verify(named('rotated'), first, MESSAGE, byFirst, SIGNAL), false);

    await vault.call('POST', 'transit/keys/rotated/config', { min_decryption_version: 1 });
    assert.equal((await look('rotated')).keys.length, 2);
  });

  it('say of a key that is not there, or of no use, what it is', async () => {
    await vault.call('POST', 'transit/keys/secret', { type: 'aes256-gcm96' });
    await vault.call('POST', 'transit/keys/derived', { type: 'ed25519', derived: true });
    await vault.call('POST', 'transit/keys/gone', { type: 'ed25519' });
    await vault.call('POST', 'transit/keys/gone/config', { deletion_allowed: true });
    assert.deepEqual((await look('gone')).state, { kind: 'usable' });
    await vault.call('DELETE', 'transit/keys/gone');
    const host = new URL(vault.url).host;
    assert.deepEqual(await refused('secret'), [
      'KEY_UNSUITABLE',
      `the key ${host}/transit/keys/secret is of type "aes256-gcm96", expected ecdsa, rsa or ed25519`,
    ]);
    assert.deepEqual(await refused('derived'), [
      'KEY_UNSUITABLE',
      `the key ${host}/transit/keys/derived is derived anew for each context, expected one of its own`,
    ]);
    assert.deepEqual(await refused('gone'), ['KEY_NOT_FOUND', `there is no key ${host}/transit/keys/gone`]);
    const elsewhere = createVaultKeyManager({
      ...{ VAULT_ADDR: vault.url, VAULT_TOKEN: vault.rootToken, TRANSIT_SECRET_ENGINE_PATH: 'elsewhere' },
    });
    const { state } = await elsewhere.describe(named('gone'), SIGNAL);
    assert.deepEqual(state, {
      kind: 'unusable',
      code: 'KEY_NOT_FOUND',
      sentence: `there is no transit engine for ${host}/elsewhere/keys/gone: correct TRANSIT_SECRET_ENGINE_PATH`,
    });
  });

  async function refused(name: string) {
    const { state, keys } = await look(name);
    assert.deepEqual(keys, []);
    return state.kind === 'unusable' ? [state.code, state.sentence] : [];
  }

  it('need no more than the policy of infra/vault, each part of it', async () => {
    const policy = await readFile(new URL('../../../infra/vault/policy.hcl', import.meta.url), 'utf8');
    await vault.call('POST', 'transit/keys/release', { type: 'ecdsa-p256' });
    await vault.call('POST', 'transit/keys/verdicts', { type: 'ecdsa-p256' });
    const signature = await signByVault('release', {});
    const reads = await vault.tokenFor(policy);
    const all = await vault.tokenFor(policy.replaceAll(/^# (?=path| {2}capabilities|})/gm, ''));
    const nothing = await vault.tokenFor('path "transit/keys/another" { capabilities = ["read"] }');

    const { keys } = await look('release', reads);
    const [key] = keys;
    assert.ok(key !== undefined);
    const verify = (token: string) => managerWith(token).verify(named('release'), key, MESSAGE, signature, SIGNAL);
    const sign = (token: string, name: string) => managerWith(token).sign(named(name), MESSAGE, SIGNAL);
    assert.equal(await verify(all), true);
    assert.ok((await sign(all, 'verdicts')).signature.length > 0);

    const denied = (permission: string, path: string) => ({
      code: 'KMS_ACCESS_DENIED',
      retryable: false,
      message: `Vault at ${new URL(vault.url).host} does not let this worker do that (${permission} on "transit/${path}", found "status 403"); give its token the policy in infra/vault`,
    });
    await assert.rejects(look('release', nothing), denied('read', 'keys/release'));
    await assert.rejects(verify(reads), denied('update', 'verify/release'));
    await assert.rejects(sign(reads, 'verdicts'), denied('read', 'keys/verdicts'));
    await assert.rejects(sign(all, 'release'), denied('update', 'sign/release'));
  });

  it('tell a token that is unknown from one that may not', async () => {
    await assert.rejects(look('release', 'hvs.unknown'), {
      code: 'KMS_CREDENTIALS',
      message: /; renew its token, which is unknown, expired or revoked$/,
    });
  });

  it('are out of reach while the server is sealed, frozen or gone, and back after it', async () => {
    await vault.call('POST', 'transit/keys/sealed', { type: 'ecdsa-p256' });
    await vault.call('PUT', 'sys/seal');
    await assert.rejects(look('sealed'), { code: 'KMS_ERROR', retryable: true, message: /; unseal it$/ });
    await vault.unseal();
    assert.equal((await look('sealed')).keys.length, 1);

    vault.suspend();
    await assert.rejects(look('sealed'), { code: 'KMS_TIMEOUT', retryable: true });
    vault.resume();
    assert.equal((await look('sealed')).keys.length, 1);
    await vault.stop();
    await assert.rejects(look('sealed'), { code: 'KMS_UNREACHABLE', retryable: true, message: /ECONNREFUSED/ });
  });
});

/** The ways to sign by Vault's API, its defaults among them. */
function optionsFor(type: (typeof KINDS)[number]): readonly Readonly<Record<string, unknown>>[] {
  switch (type) {
    case 'ed25519':
    case 'ecdsa-p256':
      return [{}];
    case 'ecdsa-p384':
      return [{}, { hash_algorithm: 'sha2-384' }];
    case 'ecdsa-p521':
      return [{}, { hash_algorithm: 'sha2-512' }];
    default:
      return ['sha2-256', 'sha2-384', 'sha2-512'].flatMap((hash_algorithm) => [
        { hash_algorithm, signature_algorithm: 'pkcs1v15' },
        { hash_algorithm, signature_algorithm: 'pss', salt_length: 'hash' },
        { hash_algorithm, signature_algorithm: 'pss' },
      ]);
  }
}
