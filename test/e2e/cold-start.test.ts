import assert from 'node:assert/strict';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createVerdictKey } from '../../activities/verdict-key/verdict-key.ts';
import { makeRelease } from '../../infra/release.ts';
import { useCosign } from '../../infra/stack/cosign.ts';
import { writePolicy } from '../../infra/stack/house.ts';
import { startWorker } from '../../infra/stack/portcullis.ts';
import { freePorts } from '../../infra/stack/ports.ts';
import { startRegistry } from '../../infra/stack/registry.ts';
import { startTemporal } from '../../infra/stack/temporal.ts';
import { obtain } from '../../infra/tools/obtain.ts';
import { connectCri } from '../../shim/containerd/cri.ts';
import { pushImage } from '../support/image.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { type BareNode, MAIN_FILES, startBareNode } from './installed-node.ts';

/** A kubelet waits longer between two tries, and as a person would, in ms. */
const BACK_OFF_MS = 500;

/** What the cluster consists of: images by what they are, and what is started when one of them is on the node. */
const IMAGES = ['temporal', 'worker', 'app', 'unsigned', 'unlisted'] as const;
type Image = (typeof IMAGES)[number];

interface Server {
  stop(): Promise<void>;
}

let dir: string;
let node: BareNode;
let start: Readonly<Record<'registry' | 'temporal' | 'worker', () => Promise<Server>>>;
let names: Readonly<Record<Image, string>>;
/** All that runs beside the node, by what it is. */
const running = new Map<string, Server>();
const parts = new AsyncDisposableStack();

before(async () => {
  dir = parts.use(await temporaryFolder()).path;
  const [port = 0, temporalPort = 0, uiPort = 0] = await freePorts(3);
  const folders = { policy: join(dir, 'policy'), keys: join(dir, 'keys') };
  for (const folder of Object.values(folders)) await mkdir(folder, { mode: 0o700 });
  const [verdictKey, verdictPublicKey] = [join(folders.keys, 'v.key'), join(folders.keys, 'v.pub')];
  await createVerdictKey(verdictKey, verdictPublicKey);
  const temporal = `127.0.0.1:${temporalPort}`;
  start = {
    registry: () => startRegistry({ dir, kind: 'distribution', port }),
    temporal: () => startTemporal({ dir, dbFile: join(dir, 't.db'), port: temporalPort, uiPort, headless: true }),
    worker: () => startWorker({ dir, temporal, policyDirectory: folders.policy, verdictKey }),
  };
  parts.defer(async () => {
    for (const server of running.values()) await server.stop();
  });
  for (const part of ['registry', 'temporal', 'worker'] as const) {
    if (part === 'worker') await publish(folders, `127.0.0.1:${port}`);
    running.set(part, await start[part]());
  }
  // Before anybody guarded it the node had what it starts with: that is what the list is learnt from.
  node = await startBareNode(dir, { version: 'current', main: MAIN_FILES.current, plainHttp: [`127.0.0.1:${port}`] });
  parts.defer(() => node.cut());
  for (const image of ['temporal', 'worker'] as const) assert.equal(await pull(image), undefined);
  await makeRelease(join(dir, 'release'));
  const install = (...more: readonly string[]) =>
    node.run(
      ...[join(dir, 'release', 'portcullis'), 'install', '--verdict-keys', verdictPublicKey, '--temporal', temporal],
      ...['--bootstrap', 'learn', '--image', names.temporal, '--image', names.worker, ...more],
    );
  const [, fingerprint = ''] = /--learnt ([0-9a-f]{16})$/m.exec((await install()).stderr) ?? [];
  const installed = await install('--learnt', fingerprint);
  assert.equal(installed.code, 0, installed.stdout + installed.stderr);
});
after(() => parts.disposeAsync());

/** Pushes every image, signs one, and writes the policy that wants it signed. */
async function publish(folders: { readonly policy: string; readonly keys: string }, registry: string): Promise<void> {
  const cosign = await useCosign((await obtain(['cosign'])).cosign, folders.keys);
  await writePolicy(folders.policy, `${registry}/**`, await cosign.generateKeyPair('release'));
  const push = async (repository: Image) => await pushImage({ registry, repository, tag: 'v1' });
  const pushed = await Promise.all(IMAGES.map(async (image) => [image, await push(image)] as const));
  for (const [image, { digest }] of pushed) {
    if (image === 'app') await cosign.sign(`${registry}/app@${digest}`, 'release');
  }
  const name = (image: Image) => `${registry}/${image}:v1`;
  names = {
    ...{ temporal: name('temporal'), worker: name('worker'), app: name('app') },
    ...{ unsigned: name('unsigned'), unlisted: name('unlisted') },
  };
}

/** As a kubelet pulls. Answers why it was refused. */
async function pull(image: Image): Promise<string | undefined> {
  const cri = connectCri(node.path('/run/containerd/containerd.sock'));
  try {
    await cri.pullImage(names[image]);
    return undefined;
  } catch (error) {
    return String(error);
  } finally {
    cri.close();
  }
}

/** Everything ends at once, and nothing is left on the node but what was installed there. */
async function cutPower(): Promise<void> {
  await Promise.all([node.cut(), ...[...running.values()].map((server) => server.stop())]);
  running.clear();
  for (const folder of ['var/lib/containerd', 'var/lib/portcullis']) {
    await rm(join(node.disk, folder), { recursive: true, force: true });
  }
}

interface Seen {
  readonly image: Image;
  readonly refusals: ReadonlySet<string>;
  readonly isLetIn: boolean;
}

/** Pulls until it is let in, or nobody waits for it any more, and then starts what it is the image of. */
async function runPod(image: Image, order: Order, wanted: AbortSignal, tell: (what: string) => void): Promise<Seen> {
  const refusals = new Set<string>();
  while (!wanted.aborted) {
    const refusal = await pull(image);
    if (refusal === undefined) {
      tell(`${image} is pulled`);
      if (image === 'temporal' || image === 'worker') {
        if (image === 'temporal') await delay(order.temporalTakesMs);
        running.set(image, await start[image]());
        tell(`${image} runs`);
      }
      return { image, refusals, isLetIn: true };
    }
    const [, code] = /rejected image \(exit code 1\): ([A-Z_]+): /.exec(refusal) ?? [];
    if (code !== undefined && !refusals.has(code)) tell(`${image} is refused: ${code}`);
    if (code !== undefined) refusals.add(code);
    await delay(BACK_OFF_MS);
  }
  return { image, refusals, isLetIn: false };
}

/** When what comes, in ms. */
interface Order {
  readonly nodeAfterMs: number;
  readonly registryAfterMs: number;
  /** From its image on the node to the server that starts. */
  readonly temporalTakesMs: number;
}

/** Starts node and registry in their time, and all pods at once; ends some time after the app runs. */
async function powerOn(order: Order): Promise<ReadonlyMap<Image, Seen>> {
  const begun = performance.now();
  const tell = (what: string) =>
    console.log(`${((performance.now() - begun) / 1_000).toFixed(1).padStart(5)} s  ${what}`);
  const enough = new AbortController();
  const booted = delay(order.nodeAfterMs).then(async () => {
    node = await node.boot();
    tell('the node has booted');
  });
  const served = delay(order.registryAfterMs).then(async () => {
    running.set('registry', await start.registry());
    tell('the registry runs');
  });
  await booted;
  const pods = IMAGES.map((image) => runPod(image, order, enough.signal, tell));
  await served;
  await Promise.all(pods.slice(0, IMAGES.indexOf('unsigned')));
  await delay(1_000); // for the others to have been asked about with everybody there
  enough.abort();
  const seen = await Promise.all(pods);
  return new Map(seen.map((one) => [one.image, one]));
}

/** No answer, and nothing said of the image. */
const NOBODY_THERE = ['TEMPORAL_UNREACHABLE', 'WORKER_UNAVAILABLE', 'POLICY_UNKNOWN', 'STILL_VERIFYING'];

describe('a cluster after a power cut, all caches empty, its registry holding the image of Temporal itself', () => {
  for (const [what, order, isPutOff] of [
    [
      'the node before its registry, and a Temporal that takes its time',
      { nodeAfterMs: 0, registryAfterMs: 2_000, temporalTakesMs: 9_000 },
      true,
    ],
    ['the registry before its node', { nodeAfterMs: 1_500, registryAfterMs: 0, temporalTakesMs: 0 }, false],
  ] as const) {
    it(`comes up by itself: ${what}`, async () => {
      await cutPower();
      const seen = await powerOn(order);
      for (const image of ['temporal', 'worker'] as const) {
        assert.deepEqual([...(seen.get(image)?.refusals ?? [])], [], 'it is listed, and needs nobody');
        const why = await node.run('/opt/portcullis/current/portcullis', 'why', names[image]);
        assert.match(why.stdout, /DIGEST_LISTED: /);
      }
      const app = seen.get('app');
      const refusals = [...(app?.refusals ?? [])];
      assert.equal(app?.isLetIn, true);
      assert.deepEqual(
        refusals.filter((code) => !NOBODY_THERE.includes(code)),
        [],
      );
      if (isPutOff) assert.ok(refusals.length > 0, 'it was asked about before anybody could answer');
      for (const image of ['unsigned', 'unlisted'] as const) {
        assert.equal(seen.get(image)?.isLetIn, false);
        assert.ok(seen.get(image)?.refusals.has('UNSIGNED'));
      }
    });
  }
});
