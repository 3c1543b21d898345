import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';
import { RELEASE_KEY, writePolicy } from '../../infra/stack/house.ts';
import { isRecord } from '../../workflows/format/record.ts';
import { type PushedImage, pushImage } from '../support/image.ts';
import type { LauncherRun } from '../support/launcher.ts';
import { assertAllowed, startTestHouse, type TestHouse } from '../support/pull.ts';
import { type FakeRegistry, startFakeRegistry } from '../support/registry.ts';
import { digestOf } from '../support/verdicts.ts';
import { listedSignature, type Operator, type Run, startOperator } from './temporal-operator.ts';

let registry: FakeRegistry;
let house: TestHouse;
let operator: Operator;
/** An image that is signed and was allowed, and what its verification answered. */
let signed: PushedImage;
let allowed: SignedAnswer;
before(async () => {
  registry = await startFakeRegistry();
  house = await startTestHouse({ registry });
  operator = await startOperator(house.temporal.address);
  signed = await push(RELEASE_KEY);
  assertAllowed(await pull(signed));
  allowed = answerOf(await operator.resultOf(await operator.runOf(signed.digest)));
  assert.equal(allowed.verdict['outcome'], 'allow');
});
after(async () => {
  await operator.stop();
  await house.stop();
});

interface SignedAnswer {
  readonly verdict: Readonly<Record<string, unknown>>;
  readonly envelope: Readonly<Record<string, unknown>>;
}

function answerOf(result: unknown): SignedAnswer {
  assert.ok(isRecord(result) && isRecord(result['verdict']) && isRecord(result['envelope']));
  return { verdict: result['verdict'], envelope: result['envelope'] };
}

async function push(key?: string): Promise<PushedImage> {
  const files = { unique: randomUUID() };
  const image = await pushImage({ registry: registry.address, repository: 'demo/app', tag: randomUUID(), files });
  if (key !== undefined) await house.cosign.sign(`${registry.address}/demo/app@${image.digest}`, key);
  return image;
}

const pull = (image: PushedImage): Promise<LauncherRun> => house.pull(image.name, image.digest);

/** Refused with one of these codes. */
function assertRefusedAs(run: LauncherRun, ...codes: readonly string[]): void {
  assert.equal(run.exitCode, 1, run.stdout);
  assert.match(run.stdout, new RegExp(`^(${codes.join('|')}): [^\\n]+\\n$`));
}

async function resetTo(run: Run, ...point: readonly string[]): Promise<void> {
  const place = ['--workflow-id', run.workflowId, '--run-id', run.runId];
  await operator.cli('workflow', 'reset', ...place, '--reason', 'to see what comes of it', ...point);
}

/** The id under which a node looks for the verification of an image that it asks about within this quarter of an hour. */
async function idFor(image: PushedImage): Promise<string> {
  const { workflowId } = await operator.runOf(signed.digest);
  return workflowId.replace(`${signed.name}@${signed.digest}`, `${image.name}@${image.digest}`);
}

async function ended(run: Run): Promise<void> {
  while (await operator.isRunning(run)) await delay(100);
}

/** Who signed the image that was allowed. */
function trueSigner(): Readonly<Record<string, unknown>> {
  const [signer]: readonly unknown[] = Array.isArray(allowed.verdict['signers']) ? allowed.verdict['signers'] : [];
  assert.ok(isRecord(signer));
  return signer;
}

const signatureOf = ({ digest }: PushedImage) => listedSignature(`${registry.address}/demo/app`, digest);

/** A pull whose checks fail until the operator has completed each of these by hand; answers its run. */
async function pullWithForged(image: PushedImage, forged: Readonly<Record<string, unknown>>): Promise<Run> {
  registry.setFault({ effect: { kind: 'status', status: 503 } });
  const first = pull(image);
  const run = await operator.runOf(image.digest);
  const completed = await operator.forge(run, forged);
  registry.setFault(undefined);
  assert.deepEqual(completed.toSorted(), Object.keys(forged).toSorted());
  assert.equal((await first).exitCode, 1, (await first).stdout);
  return run;
}

describe('a Temporal operator opens no gate', () => {
  it('by resetting a verification that denied, to any of its points', async () => {
    const image = await push();
    assertRefusedAs(await pull(image), 'UNSIGNED');
    const first = await operator.runOf(image.digest);
    const points = await operator.resetPoints(first);
    assert.ok(points.length > 0);
    for (const point of [...points.map((id) => ['--event-id', id]), ['--type', 'FirstWorkflowTask']]) {
      await resetTo(first, ...point);
      const again = await operator.runOf(image.digest);
      assert.notEqual(again.runId, first.runId);
      const { verdict } = answerOf(await operator.resultOf(again));
      assert.equal(verdict['outcome'], 'deny', point.join(' '));
      assertRefusedAs(await pull(image), 'UNSIGNED');
    }
  });

  it('by resetting a verification in mid-flight; a signed image is allowed afterwards', async () => {
    const [unsigned, good] = [await push(), await push(RELEASE_KEY)];
    registry.setFault({ effect: { kind: 'status', status: 503 } });
    const pulls = [pull(unsigned), pull(good)] as const;
    for (const image of [unsigned, good]) {
      const run = await operator.runOf(image.digest);
      while ((await operator.pending(run)).length === 0) await delay(50);
      await resetTo(run, '--type', 'FirstWorkflowTask');
      await resetTo(await operator.runOf(image.digest), '--type', 'LastWorkflowTask');
    }
    for (const run of await Promise.all(pulls)) assert.equal(run.exitCode, 1, run.stdout);
    registry.setFault(undefined);
    for (const image of [unsigned, good]) await ended(await operator.runOf(image.digest));
    assertRefusedAs(await pull(unsigned), 'UNSIGNED');
    assertAllowed(await pull(good));
  });

  it('by starting the verification of another image under its id', async () => {
    const image = await push();
    const workflowId = await idFor(image);
    const { name, digest, policyRevision } = allowed.verdict;
    const input = JSON.stringify({ decisionId: '0000000000000', name, digest, policyRevision });
    const start = ['--type', 'verifyImage', '--task-queue', 'portcullis', '--input', input];
    await operator.cli('workflow', 'start', '--workflow-id', workflowId, ...start);
    // A node that gets an answer about another image asks once more, under an id of its own time.
    assertRefusedAs(await pull(image), 'VERDICT_MISMATCH', 'UNSIGNED');
    // The same in mid-flight: what runs is ended, and another is begun.
    const second = await push();
    registry.setFault({ effect: { kind: 'status', status: 503 } });
    const asked = pull(second);
    const run = await operator.runOf(second.digest);
    await operator.cli('workflow', 'terminate', '--workflow-id', run.workflowId, '--reason', 'to take its place');
    registry.setFault(undefined);
    await operator.cli('workflow', 'start', '--workflow-id', run.workflowId, ...start);
    assert.equal((await asked).exitCode, 1, (await asked).stdout);
    assertRefusedAs(await pull(second), 'VERDICT_MISMATCH', 'UNSIGNED');
  });

  it('by a workflow of their own that answers under its id', async () => {
    const claim = { ...allowed.verdict };
    for (const [what, make, ...codes] of [
      [
        'a true allow of another image',
        (image: PushedImage) => ({ ...about(image), envelope: allowed.envelope }),
        'VERDICT_MISMATCH',
        'UNSIGNED',
      ],
      ['an allow that nobody signed', (image: PushedImage) => about(image), 'VERDICT_UNSIGNED', 'VERDICT_FORGED'],
      ['something that is no verdict', () => ({ verdict: 'allow', envelope: [] }), 'VERDICT_UNSIGNED'],
      ['nothing', () => null, 'VERDICT_UNSIGNED', 'INTERNAL'],
    ] as const) {
      const image = await push();
      await operator.impersonate(await idFor(image), make(image));
      const run = await pull(image);
      assert.equal(run.exitCode, 1, what);
      assertRefusedAs(run, ...codes);
    }

    function about({ name, digest }: PushedImage): SignedAnswer {
      const verdict = { ...claim, name, digest };
      return { verdict, envelope: { ...allowed.envelope, signatures: [] } };
    }
  });

  it('by completing all activities by hand, that which signs too', async () => {
    const image = await push();
    const blob = digestOf('ab');
    const forged: Readonly<Record<string, unknown>> = {
      fetchSignatures: {
        signatures: [{ format: 'bundle', place: 'referrers', source: {}, manifest: digestOf('cd'), blob }],
        unreadable: [],
      },
      verifySignature: {
        satisfied: true,
        signers: [{ authority: 'demo/release', identity: `key sha256:${'e'.repeat(64)}`, evidence: blob }],
      },
      signVerdict: { ...allowed, verdict: { ...allowed.verdict, digest: image.digest } },
    };
    const run = await pullWithForged(image, forged);
    await ended(run);
    assertRefusedAs(await pull(image), 'VERDICT_MISMATCH', 'CLAIM_UNPROVEN', 'WORKFLOW_FAILED', 'UNSIGNED');
  });

  it('by completing all checks by hand, whose outcome a worker is then asked to sign', async () => {
    const other = await signatureOf(await push(RELEASE_KEY));
    const made = { ...other, manifest: digestOf('cd'), blob: digestOf('ab') };
    for (const evidence of [other, made]) {
      const image = await push();
      const run = await pullWithForged(image, {
        fetchSignatures: { signatures: [evidence], unreadable: [] },
        verifySignature: { satisfied: true, signers: [{ ...trueSigner(), evidence: evidence.blob }] },
      });
      if (evidence === other) {
        await assert.rejects(operator.resultOf(run), (error) => /CLAIM_UNPROVEN/.test(inspect(error)));
      } else {
        assertRefusedAs(await pull(image), 'EVIDENCE_NOT_SERVED', 'STILL_VERIFYING'); // it is looked for again for a while
        await ended(run);
      }
      assertRefusedAs(await pull(image), 'UNSIGNED');
    }
  });

  it('by having a worker sign without any workflow', async () => {
    const evidence = await signatureOf(signed);
    const { decisionId, name, digest, outcome, reasons, policyRevision, signers } = allowed.verdict;
    const claim = { decisionId, name, digest, outcome, reasons, policyRevision, signers };
    assert.match(await sign({ claim, evidence: [evidence] }), /envelope/, 'what is true is signed');
    const image = await push();
    const about = { ...claim, name: image.name, digest: image.digest };
    for (const [what, wrong, of] of [
      ['another digest, by the same signature', { ...claim, digest: image.digest }, [evidence]],
      ['another image, by the same signature', about, [evidence]],
      ['another image, by nothing', about, []],
      ['the image, by another signer', { ...claim, signers: [{ ...trueSigner(), identity: 'me' }] }, [evidence]],
      ['the image, by nothing', claim, []],
    ] as const) {
      assert.match(await sign({ claim: wrong, evidence: of }), /"CLAIM_UNPROVEN"/, what);
    }
    assertRefusedAs(await pull(image), 'UNSIGNED');

    /** What came of it. */
    async function sign(request: unknown): Promise<string> {
      const which = ['--activity-id', randomUUID()];
      const how = ['--type', 'signVerdict', '--task-queue', 'portcullis', '--start-to-close-timeout', '10s'];
      const input = ['--retry-maximum-attempts', '1', '--input', JSON.stringify(request)];
      const answer = operator.cli('activity', 'execute', ...which, ...how, ...input);
      return await answer.catch(() => operator.cli('activity', 'describe', ...which, '-o', 'json'));
    }
  });

  it('by signals, and by questions under the names that a node uses', async () => {
    const image = await push();
    assertRefusedAs(await pull(image), 'UNSIGNED');
    const { workflowId } = await operator.runOf(image.digest);
    const allow = JSON.stringify({ ...allowed, verdict: { ...allowed.verdict, digest: image.digest } });
    const second = await push();
    registry.setFault({ effect: { kind: 'status', status: 503 } });
    const asked = pull(second);
    const running = await operator.runOf(second.digest);
    for (const name of ['verdict', 'checks', 'policyHead', '__temporal_workflow_metadata']) {
      const signal = ['--workflow-id', running.workflowId, '--name', name, '--input', allow];
      await operator.cli('workflow', 'signal', ...signal);
    }
    registry.setFault(undefined);
    const update = ['--name', 'verdict', '--update-id', 'operator', '--input', allow];
    const told = await operator.cli('workflow', 'update', 'execute', '--workflow-id', running.workflowId, ...update);
    assert.match(told, /deny/);
    await asked;
    assertRefusedAs(await pull(second), 'UNSIGNED');
    await assert.rejects(operator.cli('workflow', 'signal', '--workflow-id', workflowId, '--name', 'verdict'));
    assertRefusedAs(await pull(image), 'UNSIGNED');
  });

  it('by resetting a verification that allowed, after the policy has changed', async () => {
    const image = await push(RELEASE_KEY);
    assertAllowed(await pull(image));
    const { workflowId } = await operator.runOf(image.digest);
    const run = await operator.latest(workflowId);
    const before = await operator.resultOf(run);
    const next = await house.cosign.generateKeyPair('next');
    await writePolicy(house.policyDirectory, `${registry.address}/demo/**`, next);
    while (!(await pull(image)).stdout.startsWith('WRONG_KEY: ')) await delay(500);
    let current = await operator.runOf(image.digest);
    for (; current.workflowId === workflowId; current = await operator.runOf(image.digest)) await delay(100);
    const points = await operator.resetPoints(run);
    for (const point of [...points.map((id) => ['--event-id', id]), ['--type', 'FirstWorkflowTask']]) {
      await resetTo(run, ...point);
      const again = await operator.latest(workflowId);
      assert.notEqual(again.runId, run.runId);
      const { verdict } = answerOf(await operator.resultOf(again));
      assert.equal(verdict['outcome'], 'inconclusive', point.join(' '));
      assertRefusedAs(await pull(image), 'WRONG_KEY');
    }
    // The allow of before, under the id by which nodes ask now.
    await operator.impersonate(current.workflowId, before);
    assertRefusedAs(await pull(image), 'VERDICT_MISMATCH', 'WRONG_KEY');
  });
});
