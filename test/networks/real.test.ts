import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startKms } from '../../infra/stack/kms.ts';
import { startRegistry } from '../../infra/stack/registry.ts';
import { startRekor } from '../../infra/stack/sigstore/rekor.ts';
import { startRekorV1 } from '../../infra/stack/sigstore/rekor-v1.ts';
import { startVault } from '../../infra/stack/vault.ts';
import { type ConnectProxy, startConnectProxy } from '../support/connect-proxy.ts';
import { KmsOwner } from '../support/kms/owner.ts';
import { startNameServer } from '../support/name-server.ts';
import { pushImage } from '../support/registry-push.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { type Asker, startAsker } from './askers.ts';
import { createAuthority } from './authorities.ts';
import type { WorkerClient } from './cells.ts';
import { addressOf, BEHIND } from './names.ts';
import { stage, type World } from './scenes.ts';
import { type Services, startServices } from './services.ts';

/** Those of which a real server can be run here; the ways to it are those of the table. */
const CLIENTS = ['registry', 'Rekor v1', 'Rekor v2', 'AWS KMS', 'AWS STS', 'Vault'] as const satisfies WorkerClient[];
const CONDITIONS = ['plain', 'own CA', 'CONNECT proxy'] as const;

describe('the clients of a worker, and real servers', () => {
  const stack = new AsyncDisposableStack();
  let world: World;
  let proxy: ConnectProxy;
  let direct: Asker;
  let proxied: Asker;

  before(async () => {
    const folder = stack.use(await temporaryFolder());
    const [known, own, unknown] = [createAuthority('known'), createAuthority('own'), createAuthority('unknown')];
    const folderOf: World['folderOf'] = async (client, condition) => {
      const path = join(folder.path, `${client} ${condition}`.replaceAll(' ', '-'));
      await mkdir(path);
      return path;
    };
    const services = await withRealServers(stack, folder.path, await startServices(stack));
    world = { stack, services, known, own, unknown, folderOf };
    await writeFile(join(folder.path, 'ca.pem'), known.pem);
    const names = await startNameServer((name) => {
      const address = addressOf(name);
      return address === undefined ? 'absent' : [address];
    });
    stack.defer(() => names.stop());
    proxy = await startConnectProxy({ route: (target) => target.replace(/^[^:]*/, '127.0.0.1') });
    stack.defer(() => proxy.stop());
    const environment = { NODE_EXTRA_CA_CERTS: join(folder.path, 'ca.pem'), NETWORKS_NAME_SERVER: names.address };
    direct = await startAsker(environment);
    stack.defer(() => direct.stop());
    proxied = await startAsker({ ...environment, HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url });
    stack.defer(() => proxied.stop());
  });
  after(() => stack.disposeAsync());

  for (const client of CLIENTS) {
    for (const condition of CONDITIONS) {
      it(`${client}, ${condition}: succeeds`, async () => {
        const { question, answered, port } = await stage(world, client, condition);
        const { ask } = condition === 'CONNECT proxy' ? proxied : direct;
        assert.equal((await ask(question)).kind, 'success', JSON.stringify(await ask(question)));
        assert.ok(answered() > 0);
        assert.equal(proxy.targets().includes(`${BEHIND}:${port}`), condition === 'CONNECT proxy');
      });
    }
  }
});

/** The services, with real ones in the place of those that are not. */
async function withRealServers(stack: AsyncDisposableStack, dir: string, fake: Services): Promise<Services> {
  const keep = <T extends { stop(): Promise<void> }>(service: T): T => {
    stack.defer(() => service.stop());
    return service;
  };
  const [registry, vault, kms, rekor, rekorV1] = await Promise.all([
    startRegistry({ dir, kind: 'distribution' }).then(keep),
    startVault(dir).then(keep),
    startKms({ dir }).then(keep),
    startRekor(dir).then(keep),
    startRekorV1(dir).then(keep),
  ]);
  const image = await pushImage({ address: registry.address, repository: 'demo/app' }, 'v1');
  const owner = new KmsOwner(kms.url);
  const { arn } = await owner.create('ECC_NIST_P256');
  owner.close();
  await vault.call('POST', 'transit/keys/release', { type: 'ecdsa-p256' });
  const policy = await readFile(new URL('../../infra/vault/policy.hcl', import.meta.url), 'utf8');
  const token = await vault.tokenFor(policy);
  return {
    ...fake,
    registry: { ...fake.registry, upstream: `http://${registry.address}`, subject: () => image },
    'Rekor v1': { ...fake['Rekor v1'], upstream: new URL(rekorV1.url).origin },
    'Rekor v2': { ...fake['Rekor v2'], upstream: new URL(rekor.url).origin },
    'AWS KMS': { ...fake['AWS KMS'], upstream: kms.url, subject: () => `awskms:///${arn}` },
    'AWS STS': {
      ...fake['AWS STS'],
      ...{ upstream: kms.url, subject: () => `awskms:///${arn}` },
      env: (origin, folder) => ({
        ...fake['AWS STS'].env(origin, folder),
        // The account of its keys.
        ...{ AWS_ENDPOINT_URL_KMS: kms.url, AWS_ROLE_ARN: 'arn:aws:iam::000000000000:role/worker' },
      }),
    },
    Vault: {
      ...fake.Vault,
      upstream: vault.url,
      files: (origin, folder) => fake.Vault.files(origin, folder, token),
    },
  };
}
