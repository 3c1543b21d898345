import assert from 'node:assert/strict';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { build } from '../../infra/build.ts';
import { type Containerd, startContainerd } from '../../infra/stack/containerd.ts';
import { useCosign } from '../../infra/stack/cosign.ts';
import { obtain } from '../../infra/tools/obtain.ts';
import { connectCri } from '../../shim/containerd/cri.ts';
import { type PushedImage, pushImage } from '../support/image.ts';
import { startTestHouse, type TestHouse } from '../support/pull.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let house: TestHouse;
let containerd: Containerd;
let port: string;
const images = new Map<string, PushedImage>();

/** A strict policy about one repository, and one that lets everything pass. */
const WEAK = `apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata:
  name: weak
spec:
  images:
    - glob: "**"
  authorities:
    - static:
        action: pass
`;

/** One that asks for a signature by a key. */
const signedBy = (publicKey: string, name: string, glob: string) => `apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata:
  name: ${name}
spec:
  images:
    - glob: "${glob}"
  authorities:
    - name: release
      key:
        data: ${JSON.stringify(publicKey)}
`;

const parts = new AsyncDisposableStack();

before(async () => {
  const { path: dir } = parts.use(await temporaryFolder());
  const keys = join(dir, 'keys');
  await mkdir(keys);
  const cosign = await useCosign((await obtain(['cosign'])).cosign, keys);
  const publicKey = await cosign.generateKeyPair('names');
  house = await startTestHouse({
    registry: 'distribution',
    policies: async (registry) => ({
      'strict.yaml': signedBy(publicKey, 'strict', `${registry}/prod/**`),
      'tagged.yaml': signedBy(publicKey, 'tagged', `${registry}/tagged/app:v*`),
      'weak.yaml': WEAK,
    }),
  });
  parts.defer(() => house.stop());
  const { address } = house.registry;
  port = address.slice(address.lastIndexOf(':') + 1);
  for (const repository of ['prod/app', 'tagged/app']) {
    for (const tag of ['v1-unsigned', 'v1-signed']) {
      const image = await pushImage({ registry: address, repository, tag, files: { repository, tag } });
      images.set(`${repository}:${tag}`, image);
      if (tag === 'v1-signed') await cosign.sign(`${address}/${repository}@${image.digest}`, 'names');
    }
  }
  const binDir = join(dir, 'verifiers');
  await mkdir(binDir);
  await copyFile((await build()).launcher, join(binDir, 'portcullis-verifier'));
  containerd = await startContainerd({
    ...{ dir, binDir, plainHttpRegistry: address },
    extraEnv: { PORTCULLIS_SOCKET: house.launcherSocket },
  });
  parts.defer(() => containerd.stop());
  const upper = join(dir, 'hosts', `LOCALHOST:${port}`);
  await mkdir(upper);
  await writeFile(join(upper, 'hosts.toml'), `server = "http://LOCALHOST:${port}"\n`);
});
after(() => parts.disposeAsync());

function imageOf(name: string): PushedImage {
  return images.get(name) ?? assert.fail(`not pushed: ${name}`);
}

/** What each client says when it is refused; `undefined` means pulled. */
const pullers = {
  async ctr(name: string): Promise<string | undefined> {
    const { code, stderr } = await containerd.ctr(['image', 'pull', '--plain-http', name]);
    return code === 0 ? undefined : stderr;
  },
  async CRI(name: string): Promise<string | undefined> {
    const cri = connectCri(containerd.address);
    try {
      return await cri.pullImage(name).then(() => undefined, String);
    } finally {
      cri.close();
    }
  },
};

for (const [client, pull] of Object.entries(pullers)) {
  describe(`an image that ${client} pulls by another spelling of its registry`, () => {
    const spellings = (): readonly string[] => [
      ...[`127.0.0.1:${port}`, `127.0.0.1:0${port}`, `LOCALHOST:${port}`],
      // CRI takes no IPv6 address that maps IPv4.
      ...(client === 'ctr' ? [`[::ffff:127.0.0.1]:${port}`] : []),
    ];

    it('is under the strict policy of that registry, whatever a weak one says', async () => {
      for (const registry of spellings()) {
        const refusal = (await pull(`${registry}/prod/app:v1-unsigned`)) ?? 'pulled';
        assert.match(refusal, /UNSIGNED: no signature found for .*policy "strict"/, `${client} ${registry}`);
      }
    });

    it('is found signed in the same registry', async () => {
      for (const registry of spellings()) {
        assert.equal(await pull(`${registry}/prod/app:v1-signed`), undefined, `${client} ${registry}`);
      }
    });

    it('avoids no policy that names tags by its digest', async () => {
      const { digest } = imageOf('tagged/app:v1-unsigned');
      const refusal = (await pull(`127.0.0.1:${port}/tagged/app@${digest}`)) ?? 'pulled';
      assert.match(refusal, /UNSIGNED: .*policy "tagged" \(it applies because .* names tags and the name has none\)/);
      const signed = imageOf('tagged/app:v1-signed').digest;
      assert.equal(await pull(`127.0.0.1:${port}/tagged/app@${signed}`), undefined);
    });
  });
}

describe('an image that CRI pulls by a tag and a digest', () => {
  it('is judged as one without a tag, because CRI drops it', async () => {
    const { digest } = imageOf('tagged/app:v1-unsigned');
    const refusal = (await pullers.CRI(`127.0.0.1:${port}/tagged/app:dev@${digest}`)) ?? 'pulled';
    assert.match(refusal, /UNSIGNED: .*policy "tagged"/);
  });
});
