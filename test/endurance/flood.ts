import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startRegistry } from '../../infra/stack/registry.ts';
import { type Latency, summarize } from '../bench/latency.ts';
import { residentOf } from '../bench/resident-memory.ts';
import { type PushedImage, pushImage } from '../support/image.ts';
import { pullThrough, startTestHouse, type TestHouse } from '../support/pull.ts';
import { type Flooded, faultsOf, tableOf } from './flood-report.ts';
import { HOSTILE_PUSHES } from './hostile-pushes.ts';
import { randomFrom } from './random.ts';

export interface FloodSize {
  /** Hostile pushes: an hour of them at one each ten seconds are 360. */
  readonly pushes: number;
  readonly seed: number;
  /** Pulls of flooded images at once, all the time. */
  readonly hostilePulls: number;
}

/** A kubelet tries an image again after 10, 20, 40 s: a signed one is let in by then. */
const PATIENCE_MS = 70_000;
const RETRY_MS = 2_000;
const QUIET_PULLS = 40;
/** How long there are as many pulls as in the flood, and no junk yet. */
const BUSY_MS = 15_000;
const PIECES = 5;
const IMAGES = 4;

/**
 * Pushes junk of every kind beside signed and unsigned images while both are pulled by the launcher, on a real registry, a real Temporal
 * and a real worker; ends with SIGTERM to the worker in the middle of it.
 */
export async function endureFlood(size: FloodSize, said: (line: string) => void = () => {}): Promise<Flooded> {
  const house = await startTestHouse();
  try {
    // A registry that lists thousands of artefacts is slow for all its images: that is its own doing, and not measured.
    const flooded = await startRegistry({ dir: house.dir, kind: 'referrers' });
    try {
      return await flood(house, flooded.address, size, said);
    } finally {
      await flooded.stop();
    }
  } finally {
    await house.stop();
  }
}

interface Scene {
  readonly house: TestHouse;
  /** Signed, and nothing beside the signature. */
  readonly calm: readonly PushedImage[];
  /** Signed, with junk beside the signature. */
  readonly beset: readonly PushedImage[];
  /** Not signed, with junk that says to be signatures. */
  readonly bad: readonly PushedImage[];
}

async function flood(
  house: TestHouse,
  flooded: string,
  size: FloodSize,
  said: (line: string) => void,
): Promise<Flooded> {
  const random = randomFrom(size.seed);
  const scene = await setUp(house, flooded);
  const before = await residentOf(house.worker.pid);
  const quiet = await quietPulls(scene);
  let peak = before;
  const look = setInterval(() => {
    void residentOf(house.worker.pid).then(
      (now) => (peak = Math.max(peak, now)),
      () => {},
    );
  }, 200);
  const load = startLoad(scene, size, randomFrom(size.seed + 1));
  await delay(BUSY_MS);
  const busy = load.firstPulls();
  const pushes = new Map<string, number>();
  let artefacts = 0;
  try {
    for (let i = 0; i < size.pushes; i++) {
      const kind = HOSTILE_PUSHES[Math.floor(random() * HOSTILE_PUSHES.length)];
      const images = random() < 0.3 ? scene.beset : scene.bad;
      const image = images[Math.floor(random() * images.length)];
      if (kind === undefined || image === undefined) continue;
      const pieces = images === scene.beset ? 1 : 1 + Math.floor(random() * PIECES);
      if (images === scene.beset && (pushes.get(image.name) ?? 0) >= MAX_BESIDE) continue;
      await kind.push(targetOf(image), image.digest, pieces);
      artefacts += pieces;
      pushes.set(kind.kind, (pushes.get(kind.kind) ?? 0) + 1);
      if (images === scene.beset) pushes.set(image.name, (pushes.get(image.name) ?? 0) + pieces);
      if ((i + 1) % 20 === 0) said(`${i + 1} pushes, ${load.count()} pulls, worker ${Math.round(peak)} MB`);
      await delay(random() * 200);
    }
    await load.settle();
    const stoppedMs = await stopWorker(house);
    clearInterval(look);
    await load.stop();
    return {
      ...{ pushes: new Map([...pushes].filter(([name]) => !name.includes('/'))), artefacts, quiet, busy, stoppedMs },
      ...load.result(),
      memory: { before, peak, after: load.lastMemory() },
    };
  } finally {
    clearInterval(look);
    await load.stop();
  }
}

/** Beside a signature there are no more than the artefacts that are looked at at once. */
const MAX_BESIDE = 40;

async function setUp(house: TestHouse, flooded: string): Promise<Scene> {
  const tags = Array.from({ length: IMAGES }, (_, i) => `v${i}`);
  const push = (registry: string, repository: string) =>
    Promise.all(tags.map((tag) => pushImage({ registry, repository, tag, files: { tag: `${repository}:${tag}` } })));
  const calm = await push(house.registry.address, 'demo/calm');
  const beset = await push(flooded, 'demo/beset');
  const bad = await push(flooded, 'demo/bad');
  for (const { name, digest } of [...calm, ...beset]) {
    await house.cosign.sign(`${name.slice(0, name.lastIndexOf(':'))}@${digest}`, 'release');
  }
  await coverToo(house, flooded);
  for (const image of [...calm, ...beset]) {
    if (!(await isLetIn(house, image))) throw new Error(`expected ${image.name} to be let in before the flood`);
  }
  return { house, calm, beset, bad };
}

/** The policy of the house, for another registry as well. */
async function coverToo({ policyDirectory, registry }: TestHouse, address: string): Promise<void> {
  const text = await readFile(join(policyDirectory, 'demo.yaml'), 'utf8');
  const other = text.replaceAll(registry.address, address).replace('name: demo', 'name: flooded');
  await writeFile(join(policyDirectory, '.flooded.yaml.new'), other);
  await rename(join(policyDirectory, '.flooded.yaml.new'), join(policyDirectory, 'flooded.yaml'));
}

/** Waits until nodes know the policy. */
async function isLetIn({ launcherSocket }: TestHouse, image: PushedImage): Promise<boolean> {
  for (const begun = performance.now(); performance.now() - begun < PATIENCE_MS; await delay(500)) {
    const run = await pullThrough(launcherSocket, fresh(image, Math.round(begun)), image.digest);
    if (run.exitCode === 0) return true;
  }
  return false;
}

function targetOf({ name }: PushedImage) {
  const slash = name.indexOf('/');
  return { address: name.slice(0, slash), repository: name.slice(slash + 1, name.lastIndexOf(':')) };
}

/** A name that was never asked for, so that each pull is a verification of its own. */
const fresh = ({ name }: PushedImage, i: number) => `${name}-${i}`;

async function quietPulls({ house, calm }: Scene): Promise<Latency> {
  const took: number[] = [];
  for (let i = 0; i < QUIET_PULLS; i++) {
    const image = calm[i % calm.length];
    if (image === undefined) continue;
    const run = await pullThrough(house.launcherSocket, fresh(image, 1_000_000 + i), image.digest);
    if (run.exitCode === 0 && i >= QUIET_PULLS / 4) took.push(run.milliseconds);
  }
  return summarize(took);
}

function startLoad({ house, calm, beset, bad }: Scene, size: FloodSize, random: () => number) {
  let stopped = false;
  let ended = false;
  let [pulls, hostilePulls, number, memory] = [0, 0, 0, 0];
  const took: number[] = [];
  const falseAllows: string[] = [];
  const putOff = new Map<string, number>();
  const lasting: string[] = [];
  const pull = (name: string, digest: string) => pullThrough(house.launcherSocket, name, digest);

  async function goodPulls(images: readonly PushedImage[], isTimed: boolean): Promise<void> {
    while (!stopped) {
      const image = images[Math.floor(random() * images.length)];
      if (image === undefined) return;
      const name = fresh(image, number++);
      const begun = performance.now();
      const first = await pull(name, image.digest);
      if (ended) return;
      pulls++;
      if (isTimed) took.push(first.milliseconds);
      if (first.exitCode !== 0) await retry(name, image.digest, begun, first.stdout);
      await delay(50 + random() * 150);
    }
  }

  async function retry(name: string, digest: string, begun: number, said: string): Promise<void> {
    const code = /^[A-Z_]+/.exec(said)?.[0] ?? 'no reason';
    putOff.set(code, (putOff.get(code) ?? 0) + 1);
    for (let last = said; performance.now() - begun < PATIENCE_MS; ) {
      await delay(RETRY_MS);
      const run = await pull(name, digest);
      if (run.exitCode === 0 || ended) return;
      last = run.stdout;
      if (performance.now() - begun >= PATIENCE_MS) lasting.push(`${name}: ${last.trim()}`);
    }
  }

  async function badPulls(): Promise<void> {
    while (!ended) {
      const image = bad[Math.floor(random() * bad.length)];
      if (image === undefined) return;
      const name = fresh(image, number++);
      const run = await pull(name, image.digest);
      hostilePulls++;
      if (run.exitCode === 0) falseAllows.push(name);
      await delay(random() * 100);
    }
  }

  const good = Promise.all([goodPulls(calm, true), goodPulls(calm, true), goodPulls(beset, false)]);
  const hostile = Promise.all(Array.from({ length: size.hostilePulls }, badPulls));
  return {
    count: () => pulls + hostilePulls,
    /** How long first pulls took since this was last asked. */
    firstPulls: () => summarize(took.splice(0)),
    /** No more good pulls; those under way end. */
    async settle() {
      stopped = true;
      await good;
      memory = await residentOf(house.worker.pid);
    },
    async stop() {
      [stopped, ended] = [true, true];
      await Promise.all([good, hostile]);
    },
    lastMemory: () => memory,
    result: () => ({ pulls, hostilePulls, falseAllows, putOff, lasting, flooded: summarize(took) }),
  };
}

async function stopWorker({ worker }: TestHouse): Promise<number> {
  const begun = performance.now();
  process.kill(worker.pid, 'SIGTERM');
  while (isThere(worker.pid)) await delay(50);
  return Math.round(performance.now() - begun);
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

if (import.meta.main) {
  const [pushes = '360', seed = '1', hostilePulls = '20'] = process.argv.slice(2);
  const size = { pushes: Number(pushes), seed: Number(seed), hostilePulls: Number(hostilePulls) };
  const flooded = await endureFlood(size, console.log);
  for (const line of tableOf(flooded)) console.log(line);
  for (const line of faultsOf(flooded)) console.log(`WRONG ${line}`);
  process.exitCode = faultsOf(flooded).length === 0 ? 0 : 1;
}
