import { copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { connectCri } from '../shim/containerd/cri.ts';
import { pushImage } from '../test/support/image.ts';
import { build } from './build.ts';
import { type Containerd, startContainerd } from './stack/containerd.ts';
import { type House, RELEASE_KEY, startHouse } from './stack/house.ts';
import { type Sigstore, startSigstore } from './stack/sigstore.ts';
import { obtain } from './tools/obtain.ts';

const HELP = `Shows portcullis at work on real parts: registry, Temporal, containerd, cosign.

Usage: infra/demo [--once] [--keyless]

  --once      end after the last scene; otherwise everything stays up, with the Temporal UI, until Ctrl-C
  --keyless   also sign without a key, by a whole Sigstore of its own (a minute more the first time, or three on a busy machine)

It signs a small image, pulls it through containerd by ctr and by the CRI, and shows what is let in, what is refused, and
what a person reads then. Needs root for containerd's mounts. Everything lives in a temporary folder that is removed at the end.`;

const began = performance.now();
const say = (line: string) => console.log(line);
const step = (line: string) => say(`\n\u2014 ${line} (${((performance.now() - began) / 1_000).toFixed(1)} s)`);

/** What is expected of a pull; a code is a refusal whose text begins with it. */
type Expectation = 'allowed' | RegExp;

interface Stage {
  readonly house: House;
  readonly containerd: Containerd;
  /** Only with --keyless. */
  readonly sigstore: Sigstore | undefined;
}

const RELEASE_EMAIL = 'release@example.com';

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { once: { type: 'boolean' }, keyless: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help === true) {
    say(HELP);
    return 0;
  }
  if (process.getuid?.() !== 0) {
    console.error('infra/demo: containerd mounts the images it unpacks, so this needs root; run it with sudo');
    return 2;
  }
  const dir = await mkdtemp(join(tmpdir(), 'portcullis-demo-'));
  const stopping: (() => Promise<void>)[] = [() => rm(dir, { recursive: true, force: true })];
  const interrupted = new Promise<void>((resolve) => {
    // not `once`: as long as somebody listens, the servers are stopped here and not killed by the signal
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => resolve());
  });
  try {
    const stage = await setUp(dir, stopping, values.keyless === true);
    const failures = await Promise.race([play(stage), interrupted.then(() => undefined)]);
    if (failures === undefined) return 130;
    say(failures === 0 ? '\nEvery scene ended as it should.' : `\n${failures} scenes did not end as they should.`);
    say(`Temporal UI: ${stage.house.temporal.uiUrl}/namespaces/default/workflows`);
    if (values.once !== true) {
      say(
        `\nStill up. On another terminal:\n  infra/portcullis verify ${stage.house.registry.address}/demo/app:signed --grpc-socket ${stage.house.grpcSocket}`,
      );
      say('Ctrl-C ends it.');
      await interrupted;
    }
    return failures === 0 ? 0 : 1;
  } finally {
    say('\nstopping ...');
    for (const stop of stopping.reverse()) await stop();
  }
}

async function setUp(dir: string, stopping: (() => Promise<void>)[], isKeyless: boolean): Promise<Stage> {
  step('obtaining the real parts (minutes the first time), building the launcher and the workflow bundle');
  const [{ launcher }] = await Promise.all([
    build(),
    obtain(['temporal', 'containerd', 'ctr', 'cosign', 'registry-referrers']),
  ]);
  let sigstore: Sigstore | undefined;
  if (isKeyless) {
    step('starting Fulcio, Rekor, a CT log, a timestamp authority and an OpenID issuer');
    const started = await startSigstore({ dir: join(dir, 'sigstore') });
    stopping.push(() => started.stop());
    sigstore = started;
  }
  step('starting registry, Temporal, worker, shim');
  const house = await startHouse({
    dir,
    ...(sigstore !== undefined && { policies: keylessPolicies.bind(undefined, sigstore) }),
  });
  stopping.push(() => house.stop());
  step('starting containerd with the launcher as its only verifier');
  const binDir = join(dir, 'verifiers');
  await mkdir(binDir);
  await copyFile(launcher, join(binDir, 'portcullis-verifier'));
  const containerd = await startContainerd({
    dir,
    binDir,
    extraEnv: { PORTCULLIS_SOCKET: house.launcherSocket },
    plainHttpRegistry: house.registry.address,
  });
  stopping.push(() => containerd.stop());
  return { house, containerd, sigstore };
}

/** Plays the scenes; answers how many did not end as they should. */
async function play({ house, containerd, sigstore }: Stage): Promise<number> {
  const address = house.registry.address;
  let failures = 0;
  let pulls = 0;
  const expect = async (who: string, name: string, expected: Expectation, pull: () => Promise<string | undefined>) => {
    const started = performance.now();
    const refusal = await pull();
    pulls++;
    const good = expected === 'allowed' ? refusal === undefined : refusal !== undefined && expected.test(refusal);
    if (!good) failures++;
    const took = `${((performance.now() - started) / 1_000).toFixed(2)} s`;
    say(
      `${good ? 'as expected' : 'NOT AS EXPECTED'}: ${who} ${name}: ${refusal === undefined ? 'pulled' : 'refused'} in ${took}`,
    );
    if (refusal !== undefined) say(`    ${refusal.trim().split('\n').at(-1)}`);
  };
  const byCtr = (name: string) => async () => {
    const { code, stdout, stderr } = await containerd.ctr(['image', 'pull', '--plain-http', name]);
    return code === 0 ? undefined : `${stdout}${stderr}`;
  };
  const byCri = (name: string) => async () => {
    const cri = connectCri(containerd.address);
    try {
      await cri.pullImage(name);
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    } finally {
      cri.close();
    }
  };
  const push = (tag: string) => pushImage({ registry: address, repository: 'demo/app', tag });

  step('a signed image');
  const signed = await push('signed');
  await house.cosign.sign(`${address}/demo/app@${signed.digest}`, RELEASE_KEY);
  await expect('ctr', signed.name, 'allowed', byCtr(signed.name));
  await expect('CRI', signed.name, 'allowed', byCri(signed.name));

  step('an unsigned image');
  const unsigned = await push('unsigned');
  await expect('ctr', unsigned.name, /UNSIGNED: /, byCtr(unsigned.name));
  await expect('CRI', unsigned.name, /UNSIGNED: /, byCri(unsigned.name));

  step('an image that another key signed');
  const otherKey = await push('other-key');
  await house.cosign.generateKeyPair('mallory');
  await house.cosign.sign(`${address}/demo/app@${otherKey.digest}`, 'mallory');
  await expect('ctr', otherKey.name, /WRONG_KEY: /, byCtr(otherKey.name));

  step('Temporal stopped: a signed image that was not judged before');
  const later = await push('later');
  await house.cosign.sign(`${address}/demo/app@${later.digest}`, RELEASE_KEY);
  await house.stopTemporal();
  await expect('ctr', later.name, /TEMPORAL_UNREACHABLE: /, byCtr(later.name));

  step('Temporal back: the same pull again');
  await house.resumeTemporal();
  await expect('ctr', later.name, 'allowed', byCtr(later.name));

  if (sigstore !== undefined) {
    step('images signed without a key, by two people');
    for (const [who, expected] of [
      [RELEASE_EMAIL, 'allowed'],
      ['mallory@example.com', /WRONG_IDENTITY: /],
    ] as const) {
      const name = who.split('@')[0] ?? '';
      const image = await pushImage({ registry: address, repository: 'keyless/app', tag: name });
      await sigstore.cosign.sign(`${address}/keyless/app@${image.digest}`, sigstore.issuer.token(who));
      await expect('ctr', image.name, expected, byCtr(image.name));
    }
  }

  step('did containerd really ask, for every pull?');
  const decisions = await readDecisions(house.shim.log);
  const asked = decisions.filter(({ name }) => name?.startsWith(`${address}/`)).length;
  const good = asked === pulls;
  if (!good) failures++;
  say(
    `${good ? 'as expected' : 'NOT AS EXPECTED'}: ${pulls} pulls, ${asked} decisions in the shim's log, by ctr and by the CRI`,
  );
  return failures;
}

/** Who may sign images under `keyless/`, and by which Sigstore. */
async function keylessPolicies(sigstore: Sigstore, registry: string): Promise<Readonly<Record<string, string>>> {
  const policy = `apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata:
  name: keyless
spec:
  images:
    - glob: "${registry}/keyless/**"
  authorities:
    - name: release
      keyless:
        trustRootRef: own
        identities:
          - issuer: ${sigstore.issuer.url}
            subject: ${RELEASE_EMAIL}
      ctlog:
        trustRootRef: own
`;
  return { 'keyless.yaml': policy, 'trust-root.yaml': await sigstore.trustRootYaml('own') };
}

interface LoggedDecision {
  readonly message: string;
  readonly name?: string;
}

async function readDecisions(log: string): Promise<readonly LoggedDecision[]> {
  const lines = (await readFile(log, 'utf8')).split('\n').filter((line) => line.startsWith('{'));
  // our own log: one JSON object a line, with the fields that shim/README.md lists
  return lines.map((line) => JSON.parse(line) as LoggedDecision).filter(({ message }) => message === 'decision');
}

process.exitCode = await main();
