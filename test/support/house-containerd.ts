import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from '../../infra/build.ts';
import { startContainerd } from '../../infra/stack/containerd.ts';
import type { House } from '../../infra/stack/house.ts';

/** A real containerd that asks the shim of a house by the real launcher. */
export interface HouseContainerd {
  /** Pulls by `ctr`, by tag or digest. Answers the code of the refusal, `undefined` when the image was pulled. */
  pull(image: string): Promise<string | undefined>;
  stop(): Promise<void>;
}

/** `dir` must be short: containerd's socket is in it. */
export async function startHouseContainerd(dir: string, house: House): Promise<HouseContainerd> {
  const binDir = join(dir, 'verifiers');
  await mkdir(binDir);
  await copyFile((await build()).launcher, join(binDir, 'portcullis-verifier'));
  const containerd = await startContainerd({
    ...{ dir, binDir, plainHttpRegistry: house.registry.address },
    extraEnv: { PORTCULLIS_SOCKET: house.launcherSocket },
  });
  return {
    async pull(image) {
      const { code, stderr } = await containerd.ctr(['image', 'pull', '--plain-http', image]);
      if (code === 0) return undefined;
      return /rejected image \(exit code 1\): ([A-Z_]+): [^\n]+\n/.exec(stderr)?.[1] ?? stderr;
    },
    stop: () => containerd.stop(),
  };
}
