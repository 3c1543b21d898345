import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Containerd, type ContainerdOptions, startContainerd } from '../../infra/stack/containerd.ts';
import { startRegistry } from '../../infra/stack/registry.ts';
import { obtain } from '../../infra/tools/obtain.ts';
import { connectCri } from '../../shim/containerd/cri.ts';
import { type PushedImage, pushImage } from '../support/image.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const POLL_MS = 20;
const PATIENCE_MS = 30_000;

/** A node whose containerd asks the verifiers that a test puts into its `bin_dir`, and a registry with an image for it. */
export interface GuardedNode {
  /** Scratch space, and containerd's working directory. */
  readonly dir: string;
  readonly binDir: string;
  readonly containerd: Containerd;
  /** `host:port`, plain HTTP. */
  readonly registry: string;
  readonly image: PushedImage;
  /** Makes these shell scripts, by file name, everything that is in `bin_dir`; `$DIR` in them is the node's folder. */
  guardBy(scripts: Readonly<Record<string, string>>): Promise<void>;
  /** Pulls by `ctr`, by default the node's image. Answers why it was refused, undefined when it was pulled. */
  pull(name?: string): Promise<string | undefined>;
  /** The same by the CRI, as a kubelet pulls. */
  pullByCri(name?: string): Promise<string | undefined>;
  /** Begins to pull the node's image by a `ctr` that a test may end. */
  beginPull(): Promise<ChildProcess>;
  stop(): Promise<void>;
}

export type GuardedNodeOptions = Omit<ContainerdOptions, 'dir' | 'binDir' | 'plainHttpRegistry'>;

/** Starts registry and containerd in a new folder that is removed again by `stop`. */
export async function startGuardedNode(options: GuardedNodeOptions = {}): Promise<GuardedNode> {
  await using parts = new AsyncDisposableStack();
  const { path: dir } = parts.use(await temporaryFolder());
  const binDir = join(dir, 'bin');
  const registry = await startRegistry({ dir, kind: 'referrers' });
  parts.defer(() => registry.stop());
  const { address } = registry;
  const image = await pushImage({ registry: address, repository: 'app', tag: 'v1' });
  const extraEnv = { ...options.extraEnv, DIR: dir };
  const containerd = await startContainerd({ ...options, dir, binDir, plainHttpRegistry: address, extraEnv });
  parts.defer(() => containerd.stop());
  const cri = connectCri(containerd.address);
  parts.defer(() => cri.close());
  const running = parts.move();
  return {
    ...{ dir, binDir, containerd, registry: address, image },
    guardBy: (scripts) => replaceContent(binDir, scripts),
    pull: async (name = image.name) => {
      const { code, stderr } = await containerd.ctr(['images', 'pull', '--plain-http', name]);
      return code === 0 ? undefined : stderr.slice(stderr.indexOf('ctr: ')).replace(/\n$/, '');
    },
    pullByCri: (name = image.name) =>
      cri.pullImage(name).then(
        () => undefined,
        (error: unknown) => String(error),
      ),
    beginPull: async () => {
      const { ctr } = await obtain(['ctr']);
      const args = ['--address', containerd.address, 'images', 'pull', '--plain-http', image.name];
      return spawn(ctr, args, { stdio: 'ignore' });
    },
    stop: () => running.disposeAsync(),
  };
}

/** Waits until the answer is another than undefined, and rejects when it is undefined still after half a minute. */
export async function eventually<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  for (const begun = performance.now(); performance.now() - begun < PATIENCE_MS; await delay(POLL_MS)) {
    const answer = await ask();
    if (answer !== undefined) return answer;
  }
  throw new Error(`expected ${what} within ${PATIENCE_MS} ms`);
}

async function replaceContent(binDir: string, scripts: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(binDir, { recursive: true });
  for (const entry of await readdir(binDir)) await rm(join(binDir, entry), { recursive: true });
  for (const [name, script] of Object.entries(scripts)) {
    const file = join(binDir, name);
    await writeFile(file, `#!/bin/sh\n${script}\n`);
    await chmod(file, 0o755);
  }
}
