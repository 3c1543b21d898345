import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startVault, type Vault } from '../../infra/stack/vault.ts';
import { type HouseContainerd, startHouseContainerd } from '../support/house-containerd.ts';
import { pushImage } from '../support/image.ts';
import { COSIGN_LINES, type CosignLine, type ManagedCosign, useManagedCosign } from '../support/kms/cosign.ts';
import { managedPolicy } from '../support/kms/policy.ts';
import { startTestHouse, type TestHouse } from '../support/pull.ts';

const PATIENCE_MS = 40_000;
/** What transit signs with and both cosigns ask it for. */
const TYPES = ['ecdsa-p256', 'rsa-2048'] as const;

interface Case {
  readonly line: CosignLine;
  readonly key: string;
}

let house: TestHouse;
let containerd: HouseContainerd;
let vault: Vault;
let cosign: ManagedCosign;
const cases: readonly Case[] = TYPES.flatMap((type) => COSIGN_LINES.map((line) => ({ line, key: `${line}-${type}` })));
const running = new AsyncDisposableStack();

before(async () => {
  const dir = await mkdtemp(join(tmpdir(), 'portcullis-vault-'));
  running.defer(() => rm(dir, { recursive: true }));
  vault = await startVault(dir);
  running.defer(() => vault.stop());
  for (const type of TYPES) {
    for (const line of COSIGN_LINES) await vault.call('POST', `transit/keys/${line}-${type}`, { type });
  }
  const VAULT_ADDR = vault.url;
  cosign = await useManagedCosign(dir, { VAULT_ADDR, VAULT_TOKEN: vault.rootToken });
  // a worker may look at keys, and nothing else
  const token = await vault.tokenFor('path "transit/keys/*" { capabilities = ["read"] }');
  house = await startTestHouse({
    workerEnv: { VAULT_ADDR, VAULT_TOKEN: token },
    policies: async (registry) => ({
      'vault.yaml': cases
        .map(({ key }) => managedPolicy(key, `${registry}/vault/${key}:**`, `hashivault://${key}`, { maxAge: '10s' }))
        .join('\n---\n'),
    }),
  });
  running.defer(() => house.stop());
  containerd = await startHouseContainerd(dir, house);
  running.defer(() => containerd.stop());
});
after(() => running.disposeAsync());

async function pushSigned({ line, key }: Case): Promise<string> {
  const options = { registry: house.registry.address, repository: `vault/${key}`, tag: randomUUID() };
  const { name, digest } = await pushImage({ ...options, files: { unique: options.tag } });
  await cosign.sign(line, `${options.registry}/${options.repository}@${digest}`, `hashivault://${key}`);
  return name;
}

async function pullEach(images: readonly string[]): Promise<readonly string[]> {
  const seen: string[] = [];
  for (const image of images) seen.push((await containerd.pull(image)) ?? 'pulled');
  return seen;
}

async function pullUntilOther(images: readonly string[], isOther: (outcome: string) => boolean) {
  const begun = performance.now();
  for (;;) {
    await delay(1_000);
    const seen = await pullEach(images);
    const passed = performance.now() - begun;
    if (seen.every(isOther) || passed > PATIENCE_MS) return { seen, seconds: Math.round(passed / 1_000) };
  }
}

describe('images that real cosign signs by keys in a real Vault, pulled by containerd', () => {
  const images: string[] = [];

  it('are allowed, for each kind of key and each line of cosign', async () => {
    for (const one of cases) images.push(await pushSigned(one));
    assert.deepEqual(
      await pullEach(images),
      cases.map(() => 'pulled'),
    );
  });

  it('are refused under the same name once their version of the key is revoked, and newer ones are pulled', async (t) => {
    for (const { key } of cases) {
      await vault.call('POST', `transit/keys/${key}/rotate`);
      await vault.call('POST', `transit/keys/${key}/config`, { min_decryption_version: 2 });
    }
    const { seen, seconds } = await pullUntilOther(images, (outcome) => outcome !== 'pulled');
    t.diagnostic(`all ${cases.length} within ${seconds} s, as ${[...new Set(seen)].join(' or ')}`);
    for (const outcome of seen) assert.match(outcome, /^(WRONG_KEY|SIGNATURE_INVALID|KEY_CHANGED)$/);
    for (const one of cases) assert.equal(await containerd.pull(await pushSigned(one)), undefined);
  });

  it('are pulled again once the version counts again', async (t) => {
    for (const { key } of cases) await vault.call('POST', `transit/keys/${key}/config`, { min_decryption_version: 1 });
    const { seen, seconds } = await pullUntilOther(images, (outcome) => outcome === 'pulled');
    t.diagnostic(`all ${cases.length} within ${seconds} s`);
    assert.deepEqual(
      seen,
      cases.map(() => 'pulled'),
    );
  });
});
