import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createVerdictKey } from '../../activities/verdict-key/verdict-key.ts';
import { build } from '../../infra/build.ts';
import { startContainerd } from '../../infra/stack/containerd.ts';
import { useCosign } from '../../infra/stack/cosign.ts';
import { writePolicy } from '../../infra/stack/house.ts';
import { startShim, startWorker } from '../../infra/stack/portcullis.ts';
import { freePorts } from '../../infra/stack/ports.ts';
import type { ServerProcess } from '../../infra/stack/process.ts';
import { startRegistry } from '../../infra/stack/registry.ts';
import { startTemporal } from '../../infra/stack/temporal.ts';
import { obtain } from '../../infra/tools/obtain.ts';
import { type PushedImage, pushImage } from '../support/image.ts';
import { pullThrough } from '../support/pull.ts';
import { randomFrom } from './random.ts';

/** What is killed. */
const PARTS = ['shim', 'worker', 'temporal', 'containerd'] as const;
type Part = (typeof PARTS)[number];

/** What a run came to. */
export interface Endured {
  readonly moments: readonly (readonly Part[])[];
  readonly pulls: number;
  readonly allowed: number;
  /** Unsigned images that were let in: none, ever. */
  readonly falseAllows: readonly string[];
  /** Signed images that were denied, and not only put off: none, ever. */
  readonly falseDenies: readonly string[];
  /** How often each code was the reason of a refusal of a signed image. */
  readonly putOff: ReadonlyMap<string, number>;
  /** Signed images, asked for afterwards, that were not let in within a minute. */
  readonly lost: readonly string[];
}

/** Evidence against an image: such a code about a signed one is a false deny. Everything else says "pull again". */
const DENIALS =
  /^(UNSIGNED|WRONG_KEY|SIGNATURE_INVALID|NO_POLICY|NO_MATCHING_POLICY|SUBJECT_MISMATCH|EVIDENCE_\w+|REQUEST_INVALID)$/;

const WORKERS_OF_LOAD = 4;
const RECOVERY_MS = 60_000;

/**
 * Kills parts of a node and its backend with SIGKILL, one or two at a seeded random moment each, while signed and unsigned
 * images are pulled by the launcher and by a real containerd; brings each back as a service manager would.
 */
export async function endure(moments: number, seed: number, say: (line: string) => void = () => {}): Promise<Endured> {
  const random = randomFrom(seed);
  const dir = await mkdtemp(join(tmpdir(), 'portcullis-kills-'));
  const scene = await setUp(dir);
  const killed: Part[][] = [];
  const load = startLoad(scene, randomFrom(seed + 1));
  try {
    while (killed.length < moments) {
      await delay(100 + random() * 1_400);
      const [first, second] = shuffled(PARTS, random);
      const parts = [first, random() < 0.5 ? second : undefined].filter((part) => part !== undefined);
      killed.push(parts);
      await Promise.all(parts.map((part) => scene.kill(part)));
      if (killed.length % 10 === 0) say(`${killed.length} moments, ${load.count()} pulls`);
    }
    await load.stop();
    const lost: string[] = [];
    for (const image of scene.good) {
      const name = `${image.name}-after`;
      if (!(await isLetIn(() => pullThrough(scene.launcherSocket, name, image.digest)))) lost.push(name);
    }
    return { moments: killed, ...load.result(), lost };
  } finally {
    await load.stop();
    await scene.stop();
    await rm(dir, { recursive: true, force: true });
  }
}

async function isLetIn(pull: () => ReturnType<typeof pullThrough>): Promise<boolean> {
  for (const begun = Date.now(); Date.now() - begun < RECOVERY_MS; await delay(500)) {
    if ((await pull()).exitCode === 0) return true;
  }
  return false;
}

function shuffled<T>(items: readonly T[], random: () => number): readonly T[] {
  return items
    .map((item) => ({ item, key: random() }))
    .toSorted((a, b) => a.key - b.key)
    .map(({ item }) => item);
}

interface Scene {
  readonly good: readonly PushedImage[];
  readonly bad: readonly PushedImage[];
  readonly launcherSocket: string;
  /** Kills a part and settles when it is there again. */
  kill(part: Part): Promise<void>;
  /** Pulls by `ctr`: its exit code and what it said. */
  ctr(image: string): Promise<{ readonly code: number; readonly stderr: string }>;
  stop(): Promise<void>;
}

async function setUp(dir: string): Promise<Scene> {
  const { launcher } = await build();
  const folders = {
    policy: join(dir, 'policy'),
    run: join(dir, 'run'),
    binDir: join(dir, 'bin'),
    keys: join(dir, 'keys'),
  };
  for (const folder of Object.values(folders)) await mkdir(folder, { mode: 0o700 });
  await copyFile(launcher, join(folders.binDir, 'portcullis-verifier'));
  const [verdictKey, verdictKeys] = [join(folders.keys, 'v.key'), join(folders.keys, 'v.pub')];
  await createVerdictKey(verdictKey, verdictKeys);
  const registry = await startRegistry({ dir, kind: 'referrers' });
  const cosign = await useCosign((await obtain(['cosign'])).cosign, folders.keys);
  await writePolicy(folders.policy, `${registry.address}/demo/**`, await cosign.generateKeyPair('release'));
  const push = (tag: string) => pushImage({ registry: registry.address, repository: 'demo/app', tag, files: { tag } });
  const good = await Promise.all(['good-1', 'good-2', 'good-3'].map(push));
  const bad = await Promise.all(['bad-1', 'bad-2', 'bad-3'].map(push));
  for (const { digest } of good) await cosign.sign(`${registry.address}/demo/app@${digest}`, 'release');

  const [port = 0, uiPort = 0] = await freePorts(2);
  const launcherSocket = join(folders.run, 'l.sock');
  const start = {
    temporal: () => startTemporal({ dir, dbFile: join(dir, 't.db'), port, uiPort, headless: true }),
    worker: () => startWorker({ dir, temporal: `127.0.0.1:${port}`, policyDirectory: folders.policy, verdictKey }),
    shim: () =>
      startShim({
        ...{ dir, temporal: `127.0.0.1:${port}`, verdictKeys, state: join(dir, 'state') },
        ...{ launcherSocket, grpcSocket: join(folders.run, 'g.sock') },
      }),
    containerd: () =>
      startContainerd({
        ...{ dir, binDir: folders.binDir, plainHttpRegistry: registry.address },
        extraEnv: { PORTCULLIS_SOCKET: launcherSocket },
      }),
  } satisfies Record<Part, () => Promise<ServerProcess>>;
  const temporal = await start.temporal();
  const [worker, shim] = await Promise.all([start.worker(), start.shim()]);
  let containerd = await start.containerd();
  const running: Record<Part, ServerProcess> = { temporal, worker, shim, containerd };
  return {
    ...{ good, bad, launcherSocket },
    async kill(part) {
      process.kill(running[part].pid, 'SIGKILL');
      await running[part].stop();
      await delay(200);
      if (part === 'containerd') running.containerd = containerd = await start.containerd();
      else running[part] = await start[part]();
    },
    ctr: (image) => containerd.ctr(['image', 'pull', '--plain-http', image]),
    async stop() {
      for (const part of PARTS.toReversed()) await running[part].stop();
      await registry.stop();
    },
  };
}

/** Pulls again and again, by many at once, until it is stopped. */
function startLoad(scene: Scene, random: () => number) {
  let stopped = false;
  let [pulls, allowed] = [0, 0];
  const falseAllows: string[] = [];
  const falseDenies: string[] = [];
  const putOff = new Map<string, number>();

  function note(isGood: boolean, name: string, isAllowed: boolean, said: string): void {
    pulls++;
    if (isAllowed) allowed++;
    if (isAllowed && !isGood) falseAllows.push(name);
    if (isAllowed || !isGood) return;
    const code = /\b([A-Z]+(?:_[A-Z]+)+|UNSIGNED|INTERNAL): /.exec(said)?.[1] ?? 'containerd was away';
    putOff.set(code, (putOff.get(code) ?? 0) + 1);
    if (DENIALS.test(code)) falseDenies.push(`${name}: ${said.trim()}`);
  }

  const pick = () => {
    const isGood = random() < 0.6;
    const images = isGood ? scene.good : scene.bad;
    return { isGood, image: images[Math.floor(random() * images.length)] };
  };

  async function byLauncher(): Promise<void> {
    while (!stopped) {
      const { isGood, image } = pick();
      if (image === undefined) continue;
      // half of them under a name that was never asked for, and half warm
      const name = random() < 0.5 ? image.name : `${image.name}-${Math.floor(random() * 1e9)}`;
      const run = await pullThrough(scene.launcherSocket, name, image.digest);
      note(isGood, name, run.exitCode === 0, run.stdout);
      await delay(20 + random() * 100);
    }
  }

  async function byContainerd(): Promise<void> {
    while (!stopped) {
      const { isGood, image } = pick();
      if (image === undefined) continue;
      const { code, stderr } = await scene.ctr(image.name);
      note(isGood, `ctr ${image.name}`, code === 0, stderr);
      await delay(200);
    }
  }

  const running = Promise.all([...Array.from({ length: WORKERS_OF_LOAD }, byLauncher), byContainerd()]);
  return {
    count: () => pulls,
    async stop() {
      stopped = true;
      await running;
    },
    result: () => ({ pulls, allowed, falseAllows, falseDenies, putOff }),
  };
}

if (import.meta.main) {
  const [moments = '200', seed = '1'] = process.argv.slice(2);
  const begun = performance.now();
  const endured = await endure(Number(moments), Number(seed), console.log);
  const { pulls, allowed, falseAllows, falseDenies, putOff, lost } = endured;
  const seconds = ((performance.now() - begun) / 1_000).toFixed(0);
  console.log(`${endured.moments.length} moments (seed ${seed}), ${pulls} pulls, ${allowed} allowed, ${seconds} s`);
  console.log(`false allows ${falseAllows.length}, false denies ${falseDenies.length}, lost ${lost.length}`);
  for (const [code, count] of putOff) console.log(`  ${code}: ${count} signed images put off`);
  for (const line of [...falseAllows, ...falseDenies, ...lost]) console.log(`  WRONG ${line}`);
  process.exitCode = falseAllows.length + falseDenies.length + lost.length === 0 ? 0 : 1;
}
