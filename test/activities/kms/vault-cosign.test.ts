import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { createVaultKeyManager } from '../../../activities/kms/vault/manager.ts';
import { anonymous } from '../../../activities/registry/credentials/credential.ts';
import { findSignatures, readSignature } from '../../../activities/registry/evidence/signatures.ts';
import { createRegistry } from '../../../activities/registry/registry.ts';
import { judge } from '../../../activities/sigstore/signature.ts';
import { type Registry, startRegistry } from '../../../infra/stack/registry.ts';
import { startVault, type Vault } from '../../../infra/stack/vault.ts';
import { obtain } from '../../../infra/tools/obtain.ts';
import type { Digest } from '../../../workflows/format/digest.ts';
import { allowInternal } from '../../support/loopback.ts';
import { pushImage } from '../../support/registry-push.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { byKey } from '../sigstore/verdict-of.ts';

allowInternal('127.0.0.0/8');

const SIGNAL = new AbortController().signal;
/** What cosign 3 writes, and what cosign 2 wrote, without any service but registry and KMS. */
const FORMATS = {
  bundle: ['--signing-config=signing-config.json'],
  'simple-signing': ['--new-bundle-format=false', '--use-signing-config=false', '--tlog-upload=false'],
} as const;

describe('images that real cosign signs by a key in a real Vault', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let vault: Vault;
  let registry: Registry;
  let images = 0;
  before(async () => {
    folder = await temporaryFolder();
    vault = await startVault(folder.path);
    registry = await startRegistry({ dir: folder.path, kind: 'referrers' });
    await cosign('signing-config', 'create', '--out', 'signing-config.json');
  });
  after(async () => {
    await registry?.stop();
    await vault?.stop();
    await folder?.[Symbol.asyncDispose]();
  });

  for (const [type, key] of [
    ['ecdsa-p256', 'demo'],
    ['rsa-2048', 'demo-rsa'],
  ] as const) {
    for (const [format, options] of Object.entries(FORMATS)) {
      it(`hold in the format ${format} by ${type}, until their version is revoked`, async () => {
        const name = `${key}-${format}`;
        await vault.call('POST', `transit/keys/${name}`, { type });
        const image = await pushSigned(name, options);
        assert.deepEqual(await judgements(image, name), ['valid']);

        await vault.call('POST', `transit/keys/${name}/rotate`);
        assert.equal((await judgements(image, name)).filter((one) => one === 'valid').length, 1);
        await vault.call('POST', `transit/keys/${name}/config`, { min_decryption_version: 2 });
        const [left, ...others] = await judgements(image, name);
        assert.deepEqual(others, []);
        assert.ok(left === 'WRONG_KEY' || left === 'SIGNATURE_INVALID', left);

        assert.deepEqual(await judgements(await pushSigned(name, options), name), ['valid']);
        await vault.call('POST', `transit/keys/${name}/config`, { min_decryption_version: 1 });
        assert.ok((await judgements(image, name)).includes('valid'));
      });
    }
  }

  async function cosign(...args: readonly string[]): Promise<void> {
    const programs = await obtain(['cosign']);
    const env = { ...process.env, VAULT_ADDR: vault.url, VAULT_TOKEN: vault.rootToken };
    await promisify(execFile)(programs.cosign, args, { cwd: folder.path, env });
  }

  interface Image {
    readonly name: string;
    readonly digest: Digest;
    readonly repository: string;
  }

  async function pushSigned(key: string, options: readonly string[]): Promise<Image> {
    images += 1;
    const path = `signed/app${images}`;
    const digest = await pushImage({ address: registry.address, repository: path }, 'latest');
    const repository = `${registry.address}/${path}`;
    await cosign(
      'sign',
      '--yes',
      '--allow-http-registry',
      ...options,
      `--key=hashivault://${key}`,
      `${repository}@${digest}`,
    );
    return { name: `${repository}:latest`, digest, repository };
  }

  /** Of the one signature of an image, under each key that the reference stands for now. */
  async function judgements({ name, digest, repository }: Image, key: string): Promise<readonly string[]> {
    const manager = createVaultKeyManager({ VAULT_ADDR: vault.url, VAULT_TOKEN: vault.rootToken });
    const { keys } = await manager.describe({ provider: 'hashivault', uri: `hashivault://${key}` }, SIGNAL);
    const client = createRegistry({ credentials: anonymous });
    const { signatures } = await findSignatures(client, { name, digest, source: {} }, SIGNAL);
    const [reference, ...more] = signatures;
    assert.ok(reference !== undefined && more.length === 0);
    const content = await readSignature(client, name, reference, SIGNAL);
    return keys.map((candidate) => {
      const judgement = judge(content, byKey(candidate), { digest, repository }, { now: new Date() });
      return judgement.valid ? 'valid' : judgement.code;
    });
  }
});
