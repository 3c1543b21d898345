import assert from 'node:assert/strict';
import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type Containerd, type ContainerdVersion, startContainerd } from '../../../infra/stack/containerd.ts';
import { mountsUnder } from '../../../infra/stack/mounts.ts';
import { startRegistry } from '../../../infra/stack/registry.ts';
import { type Cri, connectCri } from '../../../shim/containerd/cri.ts';
import { type PushedImage, pushImage, pushIndex } from '../../support/image.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const LINES: Readonly<Record<ContainerdVersion, RegExp>> = {
  current: /^v?2\.4\./,
  previous: /^v?2\.3\./,
  older: /^v?2\.2\./,
};

for (const version of ['current', 'previous', 'older'] as const) {
  describe(`the ${version} containerd`, () => {
    it('asks the verifier about every pull by ctr and by CRI, obeys it, and leaves nothing behind', async () => {
      await using folder = await temporaryFolder();
      const { path: dir } = folder;
      const binDir = await writeVerifier(dir);
      await using registry = disposable(await startRegistry({ dir, kind: 'referrers' }));
      const containerd = await startContainerd({
        ...{ dir, binDir, version, plainHttpRegistry: registry.value.address, debug: true },
        extraEnv: { VERIFIER_WORD: 'word' },
      });
      const cri = connectCri(containerd.address);
      try {
        assert.match((await cri.version()).runtimeVersion, LINES[version]);
        const push = (tag: string) => ({ registry: registry.value.address, repository: 'app', tag });
        const images = {
          good: await pushImage(push('good')),
          bad: await pushImage(push('bad')),
          index: await pushIndex(push('index')),
        };
        await pullByCtr(containerd, images);
        await pullByCri(cri, images);
        await checkArguments(dir, images);
        assert.match(await readFile(containerd.log, 'utf8'), /said on stderr/);
      } finally {
        cri.close();
        await containerd.stop();
      }
      await assert.rejects(access(containerd.address));
      await assert.rejects(access(`/proc/${containerd.pid}`));
      assert.deepEqual(await mountsUnder(dir), []);
    });
  });
}

describe('a containerd that cannot start', () => {
  it('is refused with the end of its log', async () => {
    await using folder = await temporaryFolder();
    const options = { dir: folder.path, binDir: join(folder.path, 'bin'), perVerifierTimeout: 'soon' };
    await assert.rejects(startContainerd(options), /containerd ended before it was ready \(exit code 1\).*duration/s);
  });

  it('is refused when its socket would have too long a path', async () => {
    await using folder = await temporaryFolder();
    const dir = join(folder.path, 'long'.repeat(25));
    await assert.rejects(startContainerd({ dir, binDir: dir }), /expected a socket path of less than 108 bytes/);
  });
});

interface Images {
  readonly good: PushedImage;
  readonly bad: PushedImage;
  readonly index: PushedImage;
}

async function pullByCtr(containerd: Containerd, { good, bad, index }: Images): Promise<void> {
  const pull = (name: string) => containerd.ctr(['images', 'pull', '--plain-http', name]);
  for (const { name } of [good, index]) {
    const pulled = await pull(name);
    assert.equal(pulled.code, 0, pulled.stderr);
  }
  const refused = await pull(bad.name);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /verifier example rejected image \(exit code 3\): refused by word/);
  const listed = await containerd.ctr(['images', 'ls', '--quiet']);
  assert.deepEqual(listed.stdout.trim().split('\n').sort(), [good.name, index.name].sort());
}

async function pullByCri(cri: Cri, { good, bad, index }: Images): Promise<void> {
  for (const { name, digest } of [good, index]) {
    const id = await cri.pullImage(name);
    const image = await cri.imageStatus(name);
    assert.equal(image?.id, id);
    assert.deepEqual(image?.repoTags, [name]);
    assert.deepEqual(image?.repoDigests, [`${name.slice(0, name.lastIndexOf(':'))}@${digest}`]);
  }
  await assert.rejects(cri.pullImage(bad.name), /verifier example rejected image \(exit code 3\): refused by word/);
  assert.equal(await cri.imageStatus(bad.name), undefined);
  assert.equal((await cri.listImages()).length, 2);
  await cri.removeImage(good.name);
  assert.equal(await cri.imageStatus(good.name), undefined);
  const { conditions, info } = await cri.status(true);
  assert.ok(conditions.some(({ type, status }) => type === 'RuntimeReady' && status));
  assert.ok(info['config'] !== undefined && 'containerd' in JSON.parse(info['config']));
}

/** Once for each pull, ctr's before the CRI's; the digest of an image behind an index is the index's. */
async function checkArguments(dir: string, { good, bad, index }: Images): Promise<void> {
  const mediaType = 'application/vnd.oci.descriptor.v1+json';
  const called = (image: PushedImage) => `-name ${image.name} -digest ${image.digest} -stdin-media-type ${mediaType}`;
  const logged = (await readFile(join(dir, 'arguments'), 'utf8')).trim().split('\n');
  assert.deepEqual(logged, [good, index, bad, good, index, bad].map(called));
}

async function writeVerifier(dir: string): Promise<string> {
  const binDir = join(dir, 'bin');
  await mkdir(binDir);
  const script = `#!/bin/sh
echo "$*" >> ${join(dir, 'arguments')}
echo said on stderr >&2
case "$2" in *:bad) echo "refused by $VERIFIER_WORD"; exit 3 ;; esac
`;
  await writeFile(join(binDir, 'example'), script, { mode: 0o755 });
  return binDir;
}

function disposable<T extends { stop(): Promise<void> }>(value: T): { readonly value: T } & AsyncDisposable {
  return { value, [Symbol.asyncDispose]: () => value.stop() };
}
