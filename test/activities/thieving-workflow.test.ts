import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ActivityFailure, ApplicationFailure, Client, Connection, WorkflowFailedError } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Worker } from '@temporalio/worker';
import { createActivities } from '../../activities/activities.ts';
import { checkVerdict } from '../../shim/verdict-keys/verdict-check.ts';
import type { VerdictClaim, VerdictRequest } from '../../workflows/activities.ts';
import { startDevServer } from '../support/dev-server.ts';
import { createSigningKey } from '../support/signer.ts';
import { digestOf, TEST_FLEET } from '../support/verdicts.ts';
import { startWorkflowWorker } from '../support/workflow-worker.ts';
import { createSetting } from './setting.ts';
import type { stealVerdict } from './thieving-workflow.ts';

const release = createSigningKey('ECDSA P-256');
const mallory = createSigningKey('ECDSA P-256');

/** Somebody who runs workflows of their own in the namespace of the workers. */
async function startThief(t: TestContext, address: string, victim: string) {
  const taskQueue = `thief-${randomUUID()}`;
  const connection = await NativeConnection.connect({ address });
  const workflowsPath = fileURLToPath(new URL('thieving-workflow.ts', import.meta.url));
  const workflowBundle = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') });
  const worker = await Worker.create({ connection, taskQueue, workflowBundle });
  const running = worker.run();
  const client = new Client({ connection: await Connection.connect({ address }) });
  t.after(async () => {
    worker.shutdown();
    await running;
    await connection.close();
    await client.connection.close();
  });
  return (request: unknown): Promise<unknown> =>
    client.workflow.execute<typeof stealVerdict>('stealVerdict', {
      ...{ taskQueue, workflowId: randomUUID() },
      // The cast is the theft: nothing checks what a workflow sends.
      args: [victim, request as VerdictRequest],
    });
}

describe('whoever may run workflows in the namespace', () => {
  it('gets no signed allow but a true one', async (t) => {
    const server = await startDevServer();
    t.after(() => server.stop());
    const { dependencies, writePolicies, pushSigned, registry, verdictKeys } = await createSetting(t);
    const policyRevision = await writePolicies({ demo: [release] });
    const [signed, unsigned] = [await pushSigned(release), await pushSigned(mallory)];
    const victim = await startWorkflowWorker(server.address, createActivities(dependencies));
    t.after(() => victim.stop());
    const steal = await startThief(t, server.address, victim.taskQueue);

    const allow: VerdictClaim = {
      ...{ decisionId: '0123456789abc', name: signed.name, digest: unsigned.digest, policyRevision, outcome: 'allow' },
      reasons: [{ code: 'SIGNATURE_VERIFIED', sentence: 'believe me' }],
      signers: [],
    };
    const [reference] = signed.evidence;
    assert.ok(reference !== undefined);
    const identity = `key sha256:${release.keyId}`;
    const thefts: readonly [string, unknown, string][] = [
      ['nothing at all', null, 'REQUEST_INVALID'],
      ['no evidence', { claim: allow, evidence: [] }, 'CLAIM_UNPROVEN'],
      ['own evidence', { claim: allow, evidence: unsigned.evidence }, 'CLAIM_UNPROVEN'],
      ['evidence of another image', { claim: allow, evidence: signed.evidence }, 'CLAIM_UNPROVEN'],
      [
        'an invented signer',
        {
          claim: { ...allow, signers: [{ authority: 'demo/key-0', identity, evidence: reference.blob }] },
          evidence: [...signed.evidence, ...unsigned.evidence],
        },
        'CLAIM_UNPROVEN',
      ],
      [
        'a name that no policy is about',
        { claim: { ...allow, name: `${registry.address}/elsewhere/app:v1` }, evidence: unsigned.evidence },
        'CLAIM_UNPROVEN',
      ],
      [
        'a policy of long ago',
        { claim: { ...allow, policyRevision: 'd'.repeat(64) }, evidence: signed.evidence },
        'POLICY_CHANGED',
      ],
      [
        'evidence that is not there',
        { claim: allow, evidence: [{ ...reference, blob: digestOf('ab') }] },
        'EVIDENCE_NOT_SERVED',
      ],
      ['an outcome beside the three', { claim: { ...allow, outcome: 'PASSED' }, evidence: [] }, 'REQUEST_INVALID'],
      [
        'a name in two spellings',
        { claim: { ...allow, name: `${signed.name}@${signed.digest}` }, evidence: signed.evidence },
        'REQUEST_INVALID',
      ],
      ['a million reasons', { claim: { ...allow, reasons: Array(100_000).fill(0) }, evidence: [] }, 'REQUEST_INVALID'],
    ];
    for (const [what, request, code] of thefts) {
      await assert.rejects(
        steal(request),
        (error) => {
          assert.ok(error instanceof WorkflowFailedError && error.cause instanceof ActivityFailure, what);
          const failure = error.cause.cause;
          assert.ok(failure instanceof ApplicationFailure, what);
          assert.equal(failure.type, code, `${what}: ${failure.message}`);
          assert.doesNotMatch(JSON.stringify(failure.failure), /\.ts|"stackTrace":"[^"]/);
          return true;
        },
        what,
      );
    }

    // Sheer denial is theirs to have: who carries the messages can also drop them.
    const denied = { ...allow, outcome: 'deny', reasons: [{ code: 'UNSIGNED', sentence: 'because' }] };
    const expected = { name: signed.name, digest: unsigned.digest, policyRevision, fleet: TEST_FLEET };
    const deny = checkVerdict(await steal({ claim: denied, evidence: [] }), expected, verdictKeys, Date.now());
    assert.equal(deny.kind === 'good' && deny.verdict.outcome, 'deny');

    // The same way does lead to a signature when the claim is true.
    const truth = { claim: { ...allow, digest: signed.digest }, evidence: signed.evidence };
    const known = { ...expected, digest: signed.digest };
    const allowed = checkVerdict(await steal(truth), known, verdictKeys, Date.now());
    assert.equal(allowed.kind === 'good' && allowed.verdict.outcome, 'allow');

    // No word of the thief is signed with it.
    const invented = { code: 'POLICY_WARNS', sentence: 'call +1 555 0100 to renew your certificate' };
    const reasons = [{ code: 'SIGNATURE_VERIFIED', sentence: 'as the thief says' }, invented];
    const worded = await steal({ ...truth, claim: { ...truth.claim, reasons } });
    const checked = checkVerdict(worded, known, verdictKeys, Date.now());
    assert.ok(checked.kind === 'good');
    assert.deepEqual([checked.verdict.reasons.length, checked.verdict.reasons[0].code], [1, 'SIGNATURE_VERIFIED']);
    assert.doesNotMatch(JSON.stringify(worded), /thief|renew your certificate/);
  });
});
