import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { EvidenceError } from '../../../activities/evidence-error.ts';
import { createVaultKeyManager } from '../../../activities/kms/vault/manager.ts';
import { createManagedVerdictKey } from '../../../activities/verdict-key/kms.ts';
import { startVault, type Vault } from '../../../infra/stack/vault.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { reference, signal } from './aws-suite.ts';

const MESSAGE = Buffer.from('what was signed');

/** Every path of the file, those that it offers in comments too: its text, by path. */
function grantsOf(policy: string): ReadonlyMap<string, string> {
  const all = policy.replaceAll(/^# (?=path| {2}capabilities|})/gm, '');
  return new Map([...all.matchAll(/^path "([^"]+)" \{\n[^}]*\}/gm)].map(([text, path = '']) => [path, text]));
}

describe('the policy of infra/vault, on the server that enforces it', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let vault: Vault;
  let file: string;
  let grants: ReadonlyMap<string, string>;
  before(async () => {
    folder = await temporaryFolder();
    vault = await startVault(folder.path);
    file = await readFile(new URL('../../../infra/vault/policy.hcl', import.meta.url), 'utf8');
    grants = grantsOf(file);
    for (const name of ['release', 'verdicts', 'another']) {
      await vault.call('POST', `transit/keys/${name}`, { type: 'ecdsa-p256', exportable: true });
    }
  });
  after(async () => {
    await vault?.stop();
    await folder?.[Symbol.asyncDispose]();
  });

  const workerWith = (token: string) => createVaultKeyManager({ VAULT_ADDR: vault.url, VAULT_TOKEN: token });
  type Worker = ReturnType<typeof workerWith>;
  const named = (name: string) => reference(`hashivault://${name}`);
  const signed = async () => (await workerWith(vault.rootToken).sign(named('release'), MESSAGE, signal)).signature;
  /** What a worker does with a Vault. */
  const WORK = {
    async look(worker: Worker) {
      assert.equal((await worker.describe(named('release'), signal)).keys.length, 1);
    },
    async 'verify there'(worker: Worker) {
      const [key] = (await workerWith(vault.rootToken).describe(named('release'), signal)).keys;
      assert.ok(key !== undefined);
      assert.equal(await worker.verify(named('release'), key, MESSAGE, await signed(), signal), true);
    },
    async 'sign verdicts'(worker: Worker) {
      const key = await createManagedVerdictKey(named('verdicts'), async () => worker);
      assert.equal((await key.sign('application/json', Buffer.from('{}'))).signatures.length, 1);
    },
  } as const;
  /** Whether each is possible: yes, or the path that Vault does not allow. */
  const possible = async (token: string) => {
    const worker = workerWith(token);
    const found: Record<string, string> = {};
    for (const [what, run] of Object.entries(WORK)) {
      found[what] = await run(worker).then(
        () => 'yes',
        (error: unknown) => {
          assert.ok(error instanceof EvidenceError, String(error));
          assert.deepEqual([error.code, error.retryable], ['KMS_ACCESS_DENIED', false]);
          return /on "([^"]+)"/.exec(error.message)?.[1] ?? error.message;
        },
      );
    }
    return found;
  };
  const without = (path: string) =>
    [...grants]
      .filter(([one]) => one !== path)
      .map(([, text]) => text)
      .join('\n');
  const every = { look: 'yes', 'verify there': 'yes', 'sign verdicts': 'yes' };

  it('as it is lets a worker look at keys, and neither verify there nor sign', async () => {
    assert.deepEqual(await possible(await vault.tokenFor(file)), {
      ...{ look: 'yes', 'verify there': 'transit/verify/release', 'sign verdicts': 'transit/keys/verdicts' },
    });
  });

  it('with the lines that it offers lets a worker do all of its work', async () => {
    assert.deepEqual(await possible(await vault.tokenFor([...grants.values()].join('\n'))), every);
  });

  const NEEDED: Readonly<Record<string, Readonly<Partial<Record<keyof typeof WORK, string>>>>> = {
    'transit/keys/release': { look: 'transit/keys/release', 'verify there': 'transit/keys/release' },
    'transit/verify/release': { 'verify there': 'transit/verify/release' },
    'transit/keys/verdicts': { 'sign verdicts': 'transit/keys/verdicts' },
    'transit/sign/verdicts': { 'sign verdicts': 'transit/sign/verdicts' },
  };
  it('has no path that is not needed', () => {
    assert.deepEqual([...grants.keys()].toSorted(), Object.keys(NEEDED).toSorted());
  });
  for (const [path, broken] of Object.entries(NEEDED)) {
    it(`without ${path} stops exactly what needs it, and the refusal names it`, async () => {
      assert.deepEqual(await possible(await vault.tokenFor(without(path))), { ...every, ...broken });
    });
  }

  const BEYOND: readonly (readonly [method: string, path: string, body?: object])[] = [
    ['GET', 'transit/keys/another'],
    ['LIST', 'transit/keys'],
    ['POST', 'transit/keys/new', { type: 'ecdsa-p256' }],
    ['POST', 'transit/keys/release/rotate'],
    ['POST', 'transit/keys/release/config', { min_decryption_version: 1, deletion_allowed: true }],
    ['DELETE', 'transit/keys/release'],
    ['DELETE', 'transit/keys/verdicts'],
    ['POST', 'transit/keys/release/trim', { min_available_version: 1 }],
    ['GET', 'transit/export/signing-key/release'],
    ['GET', 'transit/export/signing-key/verdicts'],
    ['GET', 'transit/export/public-key/release'],
    ['GET', 'transit/backup/verdicts'],
    ['POST', 'transit/sign/release', { input: '' }],
    ['POST', 'transit/sign/another', { input: '' }],
    ['POST', 'transit/sign/verdicts/sha2-512', { input: '' }],
    ['POST', 'transit/verify/another', { input: '', signature: 'vault:v1:' }],
    ['POST', 'transit/verify/verdicts', { input: '', signature: 'vault:v1:' }],
    ['POST', 'transit/hmac/release', { input: '' }],
    ['POST', 'transit/encrypt/release', { plaintext: '' }],
    ['POST', 'transit/random/8'],
    ['GET', 'sys/policies/acl'],
    ['GET', 'sys/mounts'],
    ['POST', 'auth/token/create'],
  ];
  for (const [method, path, body] of BEYOND) {
    it(`in full does not allow ${method} ${path}`, async () => {
      const token = await vault.tokenFor([...grants.values()].join('\n'));
      await assert.rejects(vault.call(method, path, body, token), /: 403 .*permission denied/s);
    });
  }

  it('in full shows no private key to a worker, exportable or not', async () => {
    const token = await vault.tokenFor([...grants.values()].join('\n'));
    for (const name of ['release', 'verdicts']) {
      const seen = JSON.stringify(await vault.call('GET', `transit/keys/${name}`, undefined, token));
      assert.match(seen, /BEGIN PUBLIC KEY/);
      assert.doesNotMatch(seen, /PRIVATE KEY/);
    }
  });
});
