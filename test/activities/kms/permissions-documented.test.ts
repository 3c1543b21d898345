import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { parse } from 'yaml';
import { createAzureKeyManager } from '../../../activities/kms/azure/manager.ts';
import { createGcpKeyManager } from '../../../activities/kms/gcp/manager.ts';
import type { KeyManager, KeyReference } from '../../../activities/kms/managed-key.ts';
import { createManagedVerdictKey } from '../../../activities/verdict-key/kms.ts';
import { AZURE_PERMISSIONS, startAzureDouble, VAULT } from '../../support/kms-doubles/azure.ts';
import { startGcpDouble } from '../../support/kms-doubles/gcp.ts';
import { reference, signal } from './aws-suite.ts';

// No server that enforces these two can be run here. What a client calls is seen on the wire, and what each call needs is
// taken from the documentation of its provider: a call that is new, and a permission that is removed or not needed, fail.

const MESSAGE = Buffer.from('what was signed');
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

/** https://cloud.google.com/kms/docs/reference/permissions-and-roles, "Required permissions", read 2026-11. */
const GOOGLE: Readonly<Record<string, { readonly for: 'verifying' | 'verdicts'; readonly permission: string }>> = {
  ListCryptoKeyVersions: { for: 'verifying', permission: 'cloudkms.cryptoKeyVersions.list' },
  GetCryptoKeyVersion: { for: 'verifying', permission: 'cloudkms.cryptoKeyVersions.get' },
  GetPublicKey: { for: 'verifying', permission: 'cloudkms.cryptoKeyVersions.viewPublicKey' },
  AsymmetricSign: { for: 'verdicts', permission: 'cloudkms.cryptoKeyVersions.useToSign' },
};

/**
 * https://learn.microsoft.com/azure/role-based-access-control/permissions/security, "Microsoft.KeyVault": `keys/read` is to
 * read a key and to use its public half, verifying included. Managed HSM: .../azure/key-vault/managed-hsm/built-in-roles.
 */
const AZURE: Readonly<Record<string, { readonly vault: string; readonly hsm: string; readonly for: Purpose }>> = {
  'GET /keys/{key-name}': {
    ...{ vault: 'Microsoft.KeyVault/vaults/keys/read', hsm: 'Microsoft.KeyVault/managedHsm/keys/read/action' },
    for: 'verifying',
  },
  'GET /deletedkeys/{key-name}': {
    ...{ vault: 'Microsoft.KeyVault/vaults/keys/read' },
    ...{ hsm: 'Microsoft.KeyVault/managedHsm/keys/deletedKeys/read/action', for: 'verifying' },
  },
  'POST /keys/{key-name}/{key-version}/verify': {
    ...{ vault: 'Microsoft.KeyVault/vaults/keys/read', hsm: 'Microsoft.KeyVault/managedHsm/keys/verify/action' },
    for: 'verifying there',
  },
  'POST /keys/{key-name}/{key-version}/sign': {
    ...{ vault: 'Microsoft.KeyVault/vaults/keys/sign/action', hsm: 'Microsoft.KeyVault/managedHsm/keys/sign/action' },
    for: 'verdicts',
  },
};
type Purpose = 'verifying' | 'verifying there' | 'verdicts';

const readText = (name: string) => readFile(new URL(`../../../infra/${name}`, import.meta.url), 'utf8');
const set = (values: Iterable<string>) => [...new Set(values)].toSorted();

async function signVerdict(manager: KeyManager, named: KeyReference): Promise<void> {
  const key = await createManagedVerdictKey(named, async () => manager);
  assert.equal((await key.sign('application/json', Buffer.from('{}'))).signatures.length, 1);
}

describe('the permissions in infra/gcp', () => {
  it('are those that the documentation names for the calls that are made', async () => {
    await using kms = await startGcpDouble();
    const name = 'projects/p/locations/global/keyRings/r/cryptoKeys/release';
    kms.keys.set(name, new Map([[1, { state: 'ENABLED', algorithm: 'EC_SIGN_P256_SHA256', privateKey }]]));
    const manager = createGcpKeyManager(kms.clientOptions);
    for (const version of ['', '/cryptoKeyVersions/1']) {
      await manager.describe(reference(`gcpkms://${name}${version}`), signal);
    }
    const needed = (purpose: string) =>
      set(Object.values(GOOGLE).flatMap((one) => (one.for === purpose ? [one.permission] : [])));
    const verifying = new Set(kms.methods);
    assert.deepEqual(set(verifying), set(Object.keys(GOOGLE).filter((method) => GOOGLE[method]?.for === 'verifying')));
    await signVerdict(manager, reference(`gcpkms://${name}`));
    assert.deepEqual(set(kms.methods), set(Object.keys(GOOGLE)));

    const role = await readText('gcp/role.yaml');
    assert.deepEqual(set(parse(role).includedPermissions), needed('verifying'));
    const offered = [...role.matchAll(/^ {2}# - (\S+)$/gm)].flatMap(([, one]) => one ?? []);
    assert.deepEqual(set(offered), needed('verdicts'));
  });
});

describe('the permissions in infra/azure', () => {
  it('are those that the documentation names for the calls that are made', async () => {
    await using vault = await startAzureDouble();
    vault.keys.set('release', [{ version: '1'.repeat(32), privateKey }]);
    const manager = createAzureKeyManager(vault.settings);
    const named = reference(`azurekms://${VAULT}/release`);
    const asked = async (work: () => Promise<unknown>) => {
      vault.requests.length = 0;
      await work();
      return set(vault.requests);
    };
    const documented = (...purposes: readonly Purpose[]) =>
      set(Object.keys(AZURE).filter((call) => purposes.some((purpose) => purpose === AZURE[call]?.for)));
    const actions = (kind: 'vault' | 'hsm', calls: readonly string[]) =>
      set(calls.flatMap((one) => AZURE[one]?.[kind] ?? []));

    const [key] = (await manager.describe(named, signal)).keys;
    assert.ok(key !== undefined);
    const { signature } = await manager.sign(named, MESSAGE, signal);
    const looking = await asked(async () => {
      await manager.describe(named, signal);
      vault.deleted.add('release');
      await manager.describe(named, signal);
      vault.deleted.clear();
    });
    assert.deepEqual(looking, documented('verifying'));
    const verifying = await asked(() => manager.verify(named, key, MESSAGE, signature, signal));
    const signing = await asked(() => signVerdict(manager, named));
    assert.deepEqual(set([...looking, ...verifying, ...signing]), set(Object.keys(AZURE)));

    const role = JSON.parse(await readText('azure/role.json'));
    assert.deepEqual(set(role.DataActions), actions('vault', [...looking, ...verifying]));
    assert.deepEqual(set(JSON.parse(await readText('azure/role-verdict.json')).DataActions), actions('vault', signing));
    const hsm = JSON.parse(await readText('azure/role-managed-hsm.json'));
    assert.deepEqual(set(hsm.dataActions), actions('hsm', looking));
  });

  it('suffice for what each role is for, and a refusal names what is missing', async () => {
    await using vault = await startAzureDouble();
    vault.keys.set('release', [{ version: '1'.repeat(32), privateKey }]);
    const manager = createAzureKeyManager(vault.settings);
    const named = reference(`azurekms://${VAULT}/release`);
    const { signature } = await manager.sign(named, MESSAGE, signal);
    vault.calls.length = 0;
    const allow = async (name: string | undefined) => {
      const actions = name === undefined ? [] : JSON.parse(await readText(`azure/${name}.json`)).DataActions;
      vault.permissions.clear();
      for (const action of actions) vault.permissions.add(action);
    };
    const denied = (permission: string) => ({
      code: 'KMS_ACCESS_DENIED',
      message: new RegExp(
        `does not let this worker do that \\(keys/${permission} on .*; grant its identity the role in infra/azure$`,
      ),
    });
    await allow('role');
    const [key] = (await manager.describe(named, signal)).keys;
    assert.ok(key !== undefined);
    assert.equal(await manager.verify(named, key, MESSAGE, signature, signal), true);
    await assert.rejects(manager.sign(named, MESSAGE, signal), denied('sign'));
    await allow('role-verdict');
    await signVerdict(manager, named);
    assert.deepEqual(set(vault.calls), set(AZURE_PERMISSIONS));
    await allow(undefined);
    await assert.rejects(manager.describe(named, signal), denied('get'));
  });

  it('give nothing on the control plane, and no wildcard', async () => {
    for (const name of ['role', 'role-verdict', 'role-managed-hsm']) {
      const role = JSON.parse(await readText(`azure/${name}.json`));
      assert.deepEqual(role.Actions ?? role.actions, [], name);
      assert.doesNotMatch(JSON.stringify(role), /\*/, name);
    }
  });
});
