import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createVerdictKey } from '../../activities/verdict-key/verdict-key.ts';
import { build } from '../../infra/build.ts';
import type { Containerd } from '../../infra/stack/containerd.ts';
import { type ShimOptions, startShim } from '../../infra/stack/portcullis.ts';
import { freePort } from '../../infra/stack/ports.ts';
import type { ServerProcess } from '../../infra/stack/process.ts';
import { connectCri } from '../../shim/containerd/cri.ts';
import type { Digest } from '../../workflows/format/digest.ts';

const PROGRAM = new URL('../../infra/portcullis', import.meta.url).pathname;

export const IMAGES = `[plugins.'io.containerd.cri.v1.images']`;

/** Puts a line into a section of a containerd's configuration, instead of the one that is there. */
export const setting = (section: string, line: string) => (toml: string) => {
  const key = line.split(' ')[0];
  return toml.replace(new RegExp(`^  ${key} = .*\n`, 'm'), '').replace(section, `${section}\n  ${line}`);
};

/** What `portcullis canary` says. */
export interface CanarySaid {
  readonly code: number;
  readonly outcomes: readonly string[];
  readonly results: readonly { readonly steps: readonly { readonly sentence: string }[] }[];
}

/** Nodes without any Temporal: neither doctor nor canary needs one. */
export async function openScene(listed?: Digest) {
  const dir = await mkdtemp(join(tmpdir(), 'portcullis-canary-'));
  const bootstrap = join(dir, 'bootstrap');
  await mkdir(bootstrap);
  if (listed !== undefined) await writeFile(join(bootstrap, 'own.list'), `${listed}  own/app\n`);
  const { launcher } = await build();
  await createVerdictKey(join(dir, 'verdict.key'), join(dir, 'verdict.pub'));
  return {
    dir,
    /** A folder of verifiers, with the launcher in it. */
    async verifiers(home: string): Promise<string> {
      const binDir = join(home, 'verifiers');
      await mkdir(binDir);
      await copyFile(launcher, join(binDir, 'portcullis-verifier'));
      return binDir;
    },
    /** Its sockets are in `run`, its settings in `shim.yaml`. */
    async startDaemon(home: string, more: Partial<ShimOptions> = {}): Promise<ServerProcess> {
      const [launcherSocket, grpcSocket] = [join(home, 'run', 'l.sock'), join(home, 'run', 'g.sock')];
      const lines = [`socket: ${launcherSocket}`, `grpc-socket: ${grpcSocket}`, 'metrics: "off"', ''];
      await writeFile(join(home, 'shim.yaml'), lines.join('\n'));
      return await startShim({
        ...{ dir: home, temporal: `127.0.0.1:${await freePort()}`, verdictKeys: join(dir, 'verdict.pub') },
        ...{ launcherSocket, grpcSocket, bootstrap, ...more },
      });
    },
    close: () => rm(dir, { recursive: true }),
  };
}

/** Runs a command with the settings of the daemon in `home`. */
export function portcullis(home: string, ...args: readonly string[]): Promise<{ code: number; json: unknown }> {
  return new Promise((resolve, reject) => {
    const all = [...args, '--config', join(home, 'shim.yaml'), '--output', 'json'];
    execFile(PROGRAM, all, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code;
      if (typeof code !== 'number' || stdout === '') reject(new Error(stderr, { cause: error }));
      else resolve({ code, json: JSON.parse(stdout) });
    });
  });
}

export async function canary(home: string, ...args: readonly string[]): Promise<CanarySaid> {
  const { code, json } = await portcullis(home, 'canary', ...args);
  // the command prints what this type says
  const results = json as readonly { outcome: string; steps: readonly { sentence: string }[] }[];
  return { code, outcomes: results.map(({ outcome }) => outcome), results };
}

/** Images, and the namespace that `ctr` made for them. */
export async function leftOn(containerd: Containerd): Promise<readonly string[]> {
  const cri = connectCri(containerd.address);
  try {
    const { stdout } = await containerd.ctr(['namespaces', 'ls', '-q']);
    const namespaces = stdout.split('\n').filter((name) => name !== '' && name !== 'k8s.io');
    return [...(await cri.listImages()).flatMap(({ repoTags }) => repoTags), ...namespaces];
  } finally {
    cri.close();
  }
}
