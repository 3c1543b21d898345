import assert from 'node:assert/strict';
import { type ExecFileException, execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { RELEASE_KEY } from '../../infra/stack/house.ts';
import { type PushedImage, pushImage } from '../support/image.ts';
import { startTestHouse, type TestHouse } from '../support/pull.ts';

const MAIN = fileURLToPath(new URL('../../infra/portcullis.ts', import.meta.url));

let house: TestHouse;
let signed: PushedImage;
let unsigned: PushedImage;
let dir: string;
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'portcullis-cli-'));
  house = await startTestHouse();
  [signed, unsigned] = await Promise.all([push('demo/signed'), push('demo/unsigned')]);
  await house.cosign.sign(`${house.registry.address}/demo/signed@${signed.digest}`, RELEASE_KEY);
});
after(async () => {
  await house.stop();
  await rm(dir, { recursive: true });
});

function push(repository: string): Promise<PushedImage> {
  return pushImage({ registry: house.registry.address, repository, tag: 'v1', files: { unique: randomUUID() } });
}

interface Run {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `portcullis` as a script does: nothing is a terminal, so nothing may be coloured. */
async function portcullis(...args: readonly string[]): Promise<Run> {
  const env = { ...process.env, TEMPORAL_ADDRESS: house.temporal.address };
  const run = await new Promise<Run>((resolve) => {
    execFile(process.execPath, [MAIN, ...args], { env }, (error: ExecFileException | null, stdout, stderr) => {
      resolve({ exitCode: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
  assert.ok(!`${run.stdout}${run.stderr}`.includes('\u001b'), 'an escape sequence reached the terminal');
  return run;
}

const verify = (...args: readonly string[]) => portcullis('verify', '--grpc-socket', house.grpcSocket, ...args);

describe('portcullis', () => {
  it('tells what there is, and each command what it takes', async () => {
    const overview = await portcullis('--help');
    assert.equal(overview.exitCode, 0);
    for (const command of ['shim', 'worker', 'verify', 'explain', 'policy check', 'keys init', 'keys list']) {
      assert.match(overview.stdout, new RegExp(`^  ${command} +[A-Z].*\\.$`, 'm'));
      const help = await portcullis(...command.split(' '), '--help');
      assert.equal(help.exitCode, 0);
      assert.match(help.stdout, new RegExp(`^Usage: portcullis ${command}`, 'm'));
      assert.equal(help.stderr, '');
    }
  });

  const WRONG: readonly (readonly string[])[] = [
    ['open'],
    ['\u001b[31m'],
    ['policy'],
    ['verify'],
    ['verify', 'NOT A NAME \u001b[31m'],
    ['verify', 'a/b', 'c/d'],
    ['verify', 'a/b', '--output', 'xml'],
    ['verify', '--colour', 'a/b'],
    ['explain'],
    ['explain', 'UNSIGNED', '--output', 'xml'],
    ['shim'],
    ['shim', '--verdict-keys', 'x', '--metrics', 'everywhere'],
    ['policy', 'check'],
    ['keys', 'init'],
  ];
  for (const args of WRONG) {
    it(`${JSON.stringify(args)} is wrong usage`, async () => {
      const run = await portcullis(...args);
      assert.equal(run.exitCode, 2, run.stderr);
      assert.equal(run.stdout, '');
      assert.match(run.stderr, /^portcullis[^\n]*\n$/);
    });
  }
});

describe('portcullis verify', () => {
  it('resolves a tag, shows each step, and exits with 0 for a signed image', async () => {
    const run = await verify(signed.name);
    assert.equal(run.exitCode, 0, run.stderr);
    const [name, digest, ...steps] = run.stdout.split('\n');
    assert.deepEqual([name, digest], [signed.name, signed.digest]);
    assert.ok(steps.filter((line) => line.startsWith('  ✓ ')).length >= 3, run.stdout);
    assert.match(run.stdout, /^allow SIGNATURE_VERIFIED: /m);
    assert.match(run.stdout, /^signed by key sha256:[0-9a-f]{64} \(demo\/release\)$/m);
    assert.match(run.stdout, /^decision [0-9a-z]{13}$/m);
  });

  it('exits with 1 for an unsigned image, and prints the verdict alone as JSON', async () => {
    const text = await verify(unsigned.name);
    assert.equal(text.exitCode, 1);
    assert.match(text.stdout, /^deny UNSIGNED: no signature found/m);
    const json = await verify(`${unsigned.name}@${unsigned.digest}`, '--output', 'json');
    assert.equal(json.exitCode, 1);
    const verdict: unknown = JSON.parse(json.stdout);
    assert.partialDeepStrictEqual(verdict, { outcome: 'DENY', name: unsigned.name, digest: unsigned.digest });
  });

  it('exits with 1 for a tag that does not exist, and says what is missing', async () => {
    const absent = signed.name.replace(/:[^:/]*$/, ':no-such-tag');
    const text = await verify(absent);
    assert.equal(text.exitCode, 1, text.stderr);
    const repository = absent.slice(0, -':no-such-tag'.length);
    const sentence = `${repository} has no tag "no-such-tag"; correct the tag, or push the image`;
    assert.equal(text.stdout, `${absent}\ndeny IMAGE_NOT_FOUND: ${sentence}\n`);
    const json = await verify(absent, '--output', 'json');
    assert.equal(json.exitCode, 1);
    const verdict: unknown = JSON.parse(json.stdout);
    const reasons = [{ code: 'IMAGE_NOT_FOUND', sentence }];
    assert.partialDeepStrictEqual(verdict, { outcome: 'DENY', name: absent, digest: '', reasons });
  });

  it('says in one sentence that no shim is there', async () => {
    const run = await portcullis('verify', '--grpc-socket', join(dir, 'nobody.sock'), signed.name);
    assert.equal(run.exitCode, 3);
    assert.equal(
      run.stderr,
      `portcullis verify: no portcullis shim answers at ${dir}/nobody.sock; is it running ("portcullis shim")?\n`,
    );
  });
});

describe('portcullis explain', () => {
  it('tells an allow and a deny again, with the signature checked', async () => {
    for (const [image, outcome] of [
      [signed, 'allow SIGNATURE_VERIFIED'],
      [unsigned, 'deny UNSIGNED'],
    ] as const) {
      const id = await decisionOf(image);
      const run = await portcullis('explain', id, '--verdict-keys', house.verdictPublicKey);
      assert.equal(run.exitCode, 0, run.stderr);
      assert.match(run.stdout, new RegExp(`^${outcome}: `, 'm'));
      assert.match(run.stdout, new RegExp(`^verify/${image.name}@${image.digest}/`, 'm'));
      assert.match(run.stdout, /signature holds under the given verdict keys/);
    }
  });

  it('shows no verdict whose signature does not hold, and exits with 1', async () => {
    const id = await decisionOf(signed);
    const wrong = join(house.dir, 'keys', `${RELEASE_KEY}.pub`);
    const run = await portcullis('explain', id, '--verdict-keys', wrong);
    assert.equal(run.exitCode, 1);
    assert.match(run.stdout, /SIGNATURE DOES NOT HOLD/);
    assert.doesNotMatch(run.stdout, /^allow/m);
    const json = await portcullis('explain', id, '--output', 'json');
    assert.equal(json.exitCode, 0);
    const runs: unknown = JSON.parse(json.stdout);
    assert.partialDeepStrictEqual(runs, [
      { status: 'COMPLETED', signature: 'not checked', verdict: { outcome: 'allow', decisionId: id } },
    ]);
  });

  it('says that it knows no such decision', async () => {
    const run = await portcullis('explain', '0000000000000');
    assert.equal(run.exitCode, 1);
    assert.match(run.stderr, /^portcullis explain: Temporal knows no verification 0000000000000; /);
  });

  /** The id of the decision about an image, once Temporal's list of workflows knows it. */
  async function decisionOf(image: PushedImage): Promise<string> {
    const asked = await verify(`${image.name}@${image.digest}`, '--output', 'json');
    const { decisionId } = JSON.parse(asked.stdout) as { decisionId: string }; // verifier.proto
    while ((await portcullis('explain', decisionId)).exitCode !== 0);
    return decisionId;
  }
});

describe('portcullis policy check', () => {
  it('prints what a good directory holds, and each problem of a bad one with its place', async () => {
    const good = await portcullis('policy', 'check', house.policyDirectory);
    assert.equal(good.exitCode, 0, good.stderr);
    assert.match(good.stdout, /^revision [0-9a-f]{64}$/m);
    await writeFile(
      join(dir, 'bad.yaml'),
      'apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nspec: 1\n',
    );
    const bad = await portcullis('policy', 'check', dir);
    assert.equal(bad.exitCode, 1);
    assert.match(bad.stderr, /bad\.yaml:3:\d+/);
    assert.equal(bad.stdout, '');
  });
});

describe('portcullis keys init', () => {
  it('writes a private file and a public one, and never over what is there', async () => {
    const keys = join(dir, 'keys');
    assert.equal((await portcullis('keys', 'init', keys)).exitCode, 0);
    assert.equal((await stat(join(keys, 'verdict.key'))).mode & 0o777, 0o600);
    assert.equal((await stat(keys)).mode & 0o777, 0o700);
    assert.match(await readFile(join(keys, 'verdict.pub'), 'utf8'), /^-----BEGIN PUBLIC KEY-----\n/);
    const first = await readFile(join(keys, 'verdict.key'));
    const again = await portcullis('keys', 'init', keys);
    assert.notEqual(again.exitCode, 0);
    assert.match(again.stderr, /^portcullis keys init: [^\n]*verdict\.(key|pub)/);
    assert.deepEqual(await readFile(join(keys, 'verdict.key')), first);
  });
});

describe('portcullis verify, without a worker', () => {
  it('exits with 3 and says what is missing', async () => {
    const image = await push('demo/late');
    await house.worker.stop();
    const run = await verify(`${image.name}@${image.digest}`);
    assert.equal(run.exitCode, 3);
    assert.match(run.stdout, /^inconclusive WORKER_UNAVAILABLE: /m);
  });
});
