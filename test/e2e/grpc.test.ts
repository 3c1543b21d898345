import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { status } from '@grpc/grpc-js';
import { startShim } from '../../infra/stack/portcullis.ts';
import { RESOLVE_METHOD, VERIFY_METHOD } from '../../shim/proto/schema.ts';
import { checkHealth, followHealth } from '../shim/standard-services.ts';
import { callVerifier, type VerifierCaller } from '../shim/verifier-caller.ts';
import { type DevServer, startDevServer } from '../support/dev-server.ts';
import { createTestActivities, lasting, passing } from '../support/evidence.ts';
import { createTestVerdictKey, digestOf, TEST_FLEET } from '../support/verdicts.ts';
import { startWorkflowWorker, type WorkflowWorker } from '../support/workflow-worker.ts';

const DIGEST = digestOf('ab');
const key = createTestVerdictKey();
const honest = createTestActivities(key);
const policyQuestions: string[] = [];

/** Longer than the fast path tries, and shorter than the shim waits, in ms. */
const RECOVERY_MS = 4_500;
let recovery: number | undefined;

/** Repositories that say what happens to their images. */
/** The names that were looked up. */
const resolved: string[] = [];

const activities = createTestActivities(key, {
  async resolvePolicy(input) {
    policyQuestions.push(input.name);
    return await honest.resolvePolicy(input);
  },
  async resolveDescriptor(input) {
    resolved.push(input.name);
    if (input.name.endsWith(':absent')) {
      const sentence = '127.0.0.1:5000/signed has no tag "absent"; correct the tag, or push the image';
      throw lasting('IMAGE_NOT_FOUND', sentence);
    }
    if (input.name.endsWith(':unsaid')) throw passing('REGISTRY_ERROR', 'the registry answered 503');
    return await honest.resolveDescriptor(input);
  },
  async fetchSignatures(input) {
    if (input.name.includes('/unsigned')) return { signatures: [], unreadable: [] };
    if (input.name.includes('/weather')) throw passing('REGISTRY_ERROR', 'the registry answered 503');
    if (input.name.includes('/recovering')) {
      recovery ??= Date.now() + RECOVERY_MS;
      if (Date.now() < recovery) throw passing('REGISTRY_ERROR', 'the registry answered 503');
    }
    if (input.name.includes('/slow')) await new Promise((resolve) => setTimeout(resolve, 1_500));
    return await honest.fetchSignatures(input);
  },
});

let server: DevServer;
let worker: WorkflowWorker;
let dir: string;
let shim: Awaited<ReturnType<typeof startShim>>;
let caller: VerifierCaller;
before(async () => {
  server = await startDevServer();
  dir = await mkdtemp(join(tmpdir(), 'portcullis-grpc-'));
  await writeFile(join(dir, 'verdict.pub'), key.publicKey.export({ type: 'spki', format: 'pem' }));
  worker = await startWorkflowWorker(server.address, activities);
  shim = await startShim({
    ...{ dir, name: 'shim', temporal: server.address, taskQueue: worker.taskQueue, fleet: TEST_FLEET },
    ...{ launcherSocket: join(dir, 'launcher.sock'), grpcSocket: join(dir, 'grpc.sock') },
    verdictKeys: join(dir, 'verdict.pub'),
  });
  caller = callVerifier(join(dir, 'grpc.sock'));
  await caller.verify(asking('warm'));
});
after(async () => {
  caller.close();
  await shim.stop();
  await worker.stop();
  await server.stop();
  await rm(dir, { recursive: true });
});

function asking(repository: string) {
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  return { name: `127.0.0.1:5000/${repository}:v1`, descriptor: { mediaType, digest: DIGEST, size: 500 } };
}

describe('Verify', () => {
  it('answers OK and the verdict for an allow, with and without a deadline', async () => {
    for (const deadline of [undefined, Date.now() + 60_000]) {
      const end = await caller.verify(asking('signed'), deadline);
      assert.equal(end.code, status.OK, end.details);
      assert.equal(end.verdict?.outcome, 'ALLOW');
      assert.equal(end.verdict?.digest, DIGEST);
      assert.match(end.verdict?.workflowId ?? '', /^verify\/127\.0\.0\.1:5000\/signed:v1@sha256:/);
    }
  });

  it('answers PERMISSION_DENIED with the verdict for a deny', async () => {
    const end = await caller.verify(asking('unsigned'));
    assert.equal(end.code, status.PERMISSION_DENIED);
    assert.match(end.details, /^UNSIGNED: .* \(portcullis explain [0-9a-z]{13}\)$/);
    assert.equal(end.verdict?.outcome, 'DENY');
    assert.equal(end.verdict?.reasons[0]?.code, 'UNSIGNED');
  });

  it('answers UNAVAILABLE with the verdict when it cannot be found out in our own time', async () => {
    const end = await caller.verify(asking('weather'));
    assert.equal(end.code, status.UNAVAILABLE);
    assert.equal(end.verdict?.outcome, 'INCONCLUSIVE');
    assert.deepEqual(
      end.verdict?.reasons.map((reason) => reason.code),
      ['REGISTRY_ERROR', 'STILL_VERIFYING'],
    );
  });

  it("answers DEADLINE_EXCEEDED with what it waits for before the caller's own short deadline", async () => {
    const end = await caller.verify(asking('weather-short'), Date.now() + 1_000);
    assert.equal(end.code, status.DEADLINE_EXCEEDED);
    // gRPC's own DEADLINE_EXCEEDED has no verdict: this one came from the shim, in time
    assert.equal(end.verdict?.outcome, 'INCONCLUSIVE');
    assert.equal(end.verdict?.reasons.at(-1)?.code, 'STILL_VERIFYING');
    assert.ok(end.milliseconds < 1_000, `took ${end.milliseconds} ms`);
  });

  it('goes on for the next caller when one has given up or cancelled', async () => {
    const impatient = await caller.verify(asking('slow'), Date.now() + 500);
    assert.equal(impatient.code, status.DEADLINE_EXCEEDED);
    await new Promise<void>((cancelled) => {
      const question = asking('slow-too');
      const { path, requestSerialize, responseDeserialize } = VERIFY_METHOD;
      const call = caller.client.makeUnaryRequest(path, requestSerialize, responseDeserialize, question, (error) => {
        assert.equal(error?.code, status.CANCELLED);
        cancelled();
      });
      setTimeout(() => call.cancel(), 300);
    });
    for (const repository of ['slow', 'slow-too']) {
      assert.equal((await caller.verify(asking(repository))).code, status.OK);
      assert.equal(countQuestions(repository), 1);
    }
  });

  it('makes one workflow execution of a hundred simultaneous calls', async () => {
    const ends = await Promise.all(Array.from({ length: 100 }, () => caller.verify(asking('crowd'))));
    assert.deepEqual(new Set(ends.map((end) => end.details)), new Set(['']));
    assert.deepEqual(new Set(ends.map((end) => end.code)), new Set([status.OK]));
    assert.equal(new Set(ends.map((end) => end.verdict?.workflowId)).size, 1);
    assert.equal(countQuestions('crowd'), 1);
    const runs = await worker.backend.find(ends[0]?.verdict?.decisionId ?? '', Date.now() + 10_000);
    assert.equal(runs.length, 1);
  });
});

function countQuestions(repository: string): number {
  return policyQuestions.filter((name) => name.endsWith(`/${repository}:v1`)).length;
}

describe('a request that is not well formed', () => {
  const good = asking('signed');
  const CASES: readonly [string, Parameters<VerifierCaller['verify']>[0], RegExp][] = [
    ['is empty', {}, /name: expected an image name .*, found ""/],
    ['has no descriptor', { name: good.name }, /descriptor: expected .* found none/],
    ['has a sha512 digest', with512(), /descriptor\.digest: expected sha256: .*found "sha512:/],
    ['has a digest of another case', withDigest(DIGEST.toUpperCase()), /descriptor\.digest: expected sha256:/],
    ['has control characters in its name', { ...good, name: 'a\u001b[31m/b' }, /found "a\\u001b\[31m\/b"/],
    ['names another digest', { ...good, name: `${good.name}@${digestOf('cd')}` }, /expected the digest in the name/],
    [
      'has a name without end',
      { ...good, name: `127.0.0.1:5000/${'a'.repeat(9_000)}` },
      /found "127\.0\.0\.1.{0,100}"/,
    ],
  ];
  for (const [what, question, sentence] of CASES) {
    it(`because it ${what} is INVALID_ARGUMENT, with a verdict`, async () => {
      const end = await caller.verify(question);
      assert.equal(end.code, status.INVALID_ARGUMENT);
      assert.match(end.details, sentence);
      assert.match(end.details, /^REQUEST_INVALID: /);
      assert.equal(end.verdict?.outcome, 'DENY');
    });
  }

  it('because its bytes are none, or too many, is an error', async () => {
    const garbage = await caller.verify(Buffer.from('ff'.repeat(20), 'hex'));
    assert.equal(garbage.code, status.INTERNAL);
    const truncated = await caller.verify(Buffer.from(VERIFY_METHOD.requestSerialize(good)).subarray(0, 20));
    assert.notEqual(truncated.code, status.OK);
    const oversize = await caller.verify({ name: 'a'.repeat(70_000) });
    assert.equal(oversize.code, status.RESOURCE_EXHAUSTED);
    assert.equal((await caller.verify(good)).code, status.OK);
  });

  it('is not one for a field of a later version', async () => {
    const unknownField = Buffer.from([0xfa, 0x3e, 3, 1, 2, 3]); // field 1007, three bytes
    const bytes = Buffer.concat([VERIFY_METHOD.requestSerialize(good), unknownField]);
    assert.equal((await caller.verify(bytes)).code, status.OK);
  });

  function withDigest(digest: string) {
    return { ...good, descriptor: { ...good.descriptor, digest } };
  }
  function with512() {
    return withDigest(`sha512:${'ab'.repeat(64)}`);
  }
});

describe('Watch', () => {
  it('tells the steps, then the verdict, and ends with OK for an allow', async () => {
    const { end, progress } = await caller.watch(asking('recovering'));
    assert.equal(end.code, status.OK, end.details);
    const steps = progress.flatMap((one) => one.checks);
    const retried = steps.findIndex((step) => step.state === 'RETRYING' && /^REGISTRY_ERROR: .*503/.test(step.detail));
    assert.ok(retried >= 0, steps.map((step) => step.state).join());
    assert.ok(steps.slice(retried).some((step) => step.title === steps[retried]?.title && step.state === 'PASSED'));
    assert.equal(progress.at(-1)?.verdict?.outcome, 'ALLOW');
    assert.ok(progress.slice(0, -1).every((one) => one.verdict === null));
  });

  it('ends with the status of Verify, and its detail, for a refusal', async () => {
    const denied = await caller.watch(asking('unsigned-watched'));
    assert.equal(denied.end.code, status.PERMISSION_DENIED);
    assert.deepEqual(denied.end.verdict, denied.progress.at(-1)?.verdict);
    const invalid = await caller.watch({ name: '' });
    assert.equal(invalid.end.code, status.INVALID_ARGUMENT);
    assert.equal(invalid.end.verdict?.outcome, 'DENY');
  });
});

describe('the standard health service', () => {
  it('says SERVING once the policy is known, and NOT_SERVING while the daemon drains', async () => {
    assert.equal(await checkHealth(caller.client), 'SERVING');
    assert.equal(await checkHealth(caller.client, 'portcullis.v1.Verifier'), 'SERVING');
    const grpcSocket = join(dir, 'other-grpc.sock');
    const other = await startShim({
      ...{ dir, name: 'other', temporal: server.address, taskQueue: worker.taskQueue, fleet: TEST_FLEET, grpcSocket },
      ...{ launcherSocket: join(dir, 'other.sock'), verdictKeys: join(dir, 'verdict.pub') },
    });
    const watching = callVerifier(grpcSocket);
    try {
      const health = followHealth(watching.client);
      while ((await health.next()) !== 'SERVING');
      const running = watching.verify(asking('slow-drained'));
      while (countQuestions('slow-drained') === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      process.kill(other.pid, 'SIGTERM');
      assert.equal(await health.next(), 'NOT_SERVING');
      assert.equal((await running).code, status.OK);
    } finally {
      watching.close();
      await other.stop();
    }
  });
});

describe('Resolve', () => {
  const resolve = (name: string) =>
    new Promise<{ code: number; details: string; found: unknown }>((ended) => {
      const { path, requestSerialize, responseDeserialize } = RESOLVE_METHOD;
      caller.client.makeUnaryRequest(path, requestSerialize, responseDeserialize, { name }, (error, found) =>
        ended({ code: error?.code ?? status.OK, details: error?.details ?? '', found }),
      );
    });

  it('answers what a worker found', async () => {
    const { code, found } = await resolve('127.0.0.1:5000/signed:v1');
    assert.equal(code, status.OK);
    assert.deepEqual(found, { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: DIGEST, size: 1 });
  });

  it('is NOT_FOUND for a name that points nowhere, and UNAVAILABLE when that could not be found out', async () => {
    const absent = await resolve('127.0.0.1:5000/signed:absent');
    assert.equal(absent.code, status.NOT_FOUND);
    assert.match(absent.details, /^IMAGE_NOT_FOUND: 127\.0\.0\.1:5000\/signed has no tag "absent"; /);
    const unsaid = await resolve('127.0.0.1:5000/signed:unsaid');
    assert.equal(unsaid.code, status.UNAVAILABLE);
    assert.match(unsaid.details, /^REGISTRY_ERROR: /);
  });

  it('asks for the digest of a name that has one', async () => {
    const pinned = `127.0.0.1:5000/signed@${DIGEST}`;
    assert.equal((await resolve(pinned)).code, status.OK);
    assert.equal(resolved.at(-1), pinned);
  });

  it('is INVALID_ARGUMENT for a name that is none', async () => {
    const { code, details } = await resolve('NOT A NAME');
    assert.equal(code, status.INVALID_ARGUMENT);
    assert.match(details, /^REQUEST_INVALID: name: expected .* found "NOT A NAME"/);
    const hostile = await resolve('a\u202eb\u200bc');
    assert.match(hostile.details, /found "a\\u\{202e\}b\\u\{200b\}c"$/);
  });
});
