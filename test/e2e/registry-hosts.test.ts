import assert from 'node:assert/strict';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { build } from '../../infra/build.ts';
import { type Containerd, startContainerd } from '../../infra/stack/containerd.ts';
import { useCosign } from '../../infra/stack/cosign.ts';
import { writePolicy } from '../../infra/stack/house.ts';
import { type Registry, startRegistry } from '../../infra/stack/registry.ts';
import { obtain } from '../../infra/tools/obtain.ts';
import { connectCri } from '../../shim/containerd/cri.ts';
import { pushImage } from '../support/image.ts';
import { startTestHouse, type TestHouse } from '../support/pull.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** A name that no resolver knows: only `hosts.toml` says where it is. */
const HOST = 'images.example';

let house: TestHouse;
let origin: Registry;
let mirror: Registry;
let containerd: Containerd;
const parts = new AsyncDisposableStack();

before(async () => {
  const { path: dir } = parts.use(await temporaryFolder());
  origin = await startRegistry({ dir, kind: 'distribution' });
  mirror = await startRegistry({ dir, kind: 'distribution', mirrorOf: origin.address });
  parts.defer(async () => {
    for (const registry of [mirror, origin]) await registry.stop();
  });
  // One folder, for the node and for the worker.
  const hosts = join(dir, 'certs.d');
  await mkdir(join(hosts, HOST), { recursive: true });
  await writeFile(
    join(hosts, HOST, 'hosts.toml'),
    `server = "http://${origin.address}"\n[host."http://${mirror.address}"]\n  capabilities = ["pull", "resolve"]\n`,
  );
  const keys = join(dir, 'keys');
  await mkdir(keys);
  const cosign = await useCosign((await obtain(['cosign'])).cosign, keys);
  await writePolicy(dir, `${HOST}/**`, await cosign.generateKeyPair('hosts'));
  const policy = (await readFile(join(dir, 'demo.yaml'), 'utf8')).replace('name: demo', 'name: hosts');
  house = await startTestHouse({
    workerArgs: ['--registry-hosts', hosts],
    policies: async () => ({ 'hosts.yaml': policy }),
  });
  parts.defer(() => house.stop());
  for (const tag of ['signed', 'unsigned']) {
    const { digest } = await pushImage({ registry: origin.address, repository: 'demo/app', tag, files: { tag } });
    if (tag === 'signed') await cosign.sign(`${origin.address}/demo/app@${digest}`, 'hosts');
  }
  const binDir = join(dir, 'verifiers');
  await mkdir(binDir);
  await copyFile((await build()).launcher, join(binDir, 'portcullis-verifier'));
  containerd = await startContainerd({
    ...{ dir, binDir, extraEnv: { PORTCULLIS_SOCKET: house.launcherSocket } },
    change: (toml) => toml.replace(/config_path = .*/, `config_path = ${JSON.stringify(hosts)}`),
  });
  parts.defer(() => containerd.stop());
});
after(() => parts.disposeAsync());

async function pull(tag: string): Promise<string | undefined> {
  const cri = connectCri(containerd.address);
  try {
    return await cri.pullImage(`${HOST}/demo/app:${tag}`).then(() => undefined, String);
  } finally {
    cri.close();
  }
}

describe('a registry that only hosts.toml knows, pulled through a mirror by containerd', () => {
  it('has its signatures found where the image is, and an unsigned image refused', async () => {
    assert.match((await pull('unsigned')) ?? '', /UNSIGNED: /);
    assert.equal(await pull('signed'), undefined);
  });

  it('refuses for now, and never as unsigned, when the mirror alone is left', async () => {
    const { digest } = await pushImage({
      ...{ registry: origin.address, repository: 'demo/app', tag: 'late', files: { late: '' } },
    });
    await fetch(`http://${mirror.address}/v2/demo/app/manifests/late`, {
      headers: { accept: 'application/vnd.oci.image.manifest.v1+json' },
    });
    await origin.stop();
    const run = await house.pull(`${HOST}/demo/app:late`, digest);
    assert.match(run.stdout, /^REGISTRY_UNREACHABLE: /);
  });
});
