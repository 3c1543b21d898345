import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { build } from '../../infra/build.ts';
import { type Containerd, startContainerd } from '../../infra/stack/containerd.ts';
import { RELEASE_KEY } from '../../infra/stack/house.ts';
import { connectCri } from '../../shim/containerd/cri.ts';
import { type PushedImage, pushImage, pushIndex } from '../support/image.ts';
import { startTestHouse, type TestHouse } from '../support/pull.ts';

let house: TestHouse;
before(async () => {
  house = await startTestHouse({ registry: 'distribution' });
});
after(() => house.stop());

function repository(image: PushedImage): string {
  return image.name.slice(0, image.name.lastIndexOf(':'));
}

function fresh() {
  return {
    registry: house.registry.address,
    repository: 'demo/app',
    tag: randomUUID(),
    files: { unique: randomUUID() },
  };
}

async function sign(image: PushedImage): Promise<void> {
  await house.cosign.sign(`${repository(image)}@${image.digest}`, RELEASE_KEY);
}

/** Both lines that are supported; `undefined` means pulled, a text is the refusal as its user reads it. */
for (const version of ['current', 'previous'] as const) {
  describe(`containerd, the ${version} line`, () => {
    let containerd: Containerd;
    before(async () => {
      const dir = join(house.dir, version);
      const binDir = join(dir, 'verifiers');
      await mkdir(binDir, { recursive: true });
      await copyFile((await build()).launcher, join(binDir, 'portcullis-verifier'));
      containerd = await startContainerd({
        ...{ dir, binDir, version, plainHttpRegistry: house.registry.address },
        extraEnv: { PORTCULLIS_SOCKET: house.launcherSocket },
      });
    });
    after(() => containerd.stop());

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

    for (const [who, pull] of Object.entries(pullers)) {
      it(`pulls a signed image by ${who}, by tag and by digest`, async () => {
        const image = await pushImage(fresh());
        await sign(image);
        assert.equal(await pull(image.name), undefined);
        assert.equal(await pull(`${repository(image)}@${image.digest}`), undefined);
      });

      it(`pulls a signed index by ${who}`, async () => {
        const index = await pushIndex(fresh());
        await sign(index);
        assert.equal(await pull(index.name), undefined);
      });

      it(`is refused an index of which only a platform's manifest is signed, by ${who}`, async () => {
        const index = await pushIndex(fresh());
        await house.cosign.sign(`${repository(index)}@${index.manifest}`, RELEASE_KEY);
        assert.match(String(await pull(index.name)), /rejected image \(exit code 1\): UNSIGNED: /);
      });

      it(`is refused an unsigned image by ${who}, with the reason as its user reads it`, async () => {
        const image = await pushImage(fresh());
        const refusal = String(await pull(image.name));
        assert.match(
          refusal,
          /image verifier bindir blocked pull of .* rejected image \(exit code 1\): UNSIGNED: no signature found/,
        );
        const [, id] = /\(portcullis explain ([0-9a-z]{13})\)/.exec(refusal) ?? [];
        assert.ok(id);
        const log = await readFile(house.shim.log, 'utf8');
        assert.ok(log.includes(`"decisionId":"${id}"`), 'the shim was really asked');
      });
    }

    it('lets an image in ten seconds after it was refused, once it is signed', async () => {
      const image = await pushImage(fresh());
      assert.match(String(await pullers.CRI(image.name)), /UNSIGNED/);
      await sign(image);
      await new Promise((resolve) => setTimeout(resolve, 11_000));
      assert.equal(await pullers.CRI(image.name), undefined);
    });
  });
}
