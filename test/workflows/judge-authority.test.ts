import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { outcomeOf, reasonsOf } from '../../shim/decision.ts';
import type { Activities, LogMode, MatchingAuthority, MatchingPolicy } from '../../workflows/activities.ts';
import { type DevServer, startDevServer } from '../support/dev-server.ts';
import { createTestActivities, lasting, passing, TEST_REVISION } from '../support/evidence.ts';
import { digestOf } from '../support/verdicts.ts';
import { codesOf, TEST_DIGEST, testVerdictKey, withWorker } from '../support/workflow-node.ts';
import { startWorkflowWorker } from '../support/workflow-worker.ts';

let server: DevServer;
before(async () => {
  server = await startDevServer();
});
after(() => server.stop());

const first = digestOf('e1');
const second = digestOf('e2');

function found(...blobs: readonly (typeof first)[]): Awaited<ReturnType<Activities['fetchSignatures']>> {
  const where = { format: 'bundle', place: 'referrers', source: {}, manifest: digestOf('11') } as const;
  return { signatures: blobs.map((blob) => ({ ...where, blob })), unreadable: [] };
}

function matching(policy: Partial<MatchingPolicy> & { readonly authorities: readonly MatchingAuthority[] }) {
  return async () => ({ loaded: 1, matching: [{ name: 'demo', mode: 'enforce', ...policy } as const] });
}

function authority(name: string, rule: Partial<MatchingAuthority> = {}): MatchingAuthority {
  return { policy: 'demo', authority: name, sources: [{}], ...rule };
}

/** Activities around one authority that wants a log asked; what is called is written down. */
function asking(log: LogMode) {
  const calls: string[] = [];
  const activities: Partial<Activities> = {
    resolvePolicy: matching({ authorities: [authority('ci', { log })] }),
    fetchSignatures: async () => found(first, second),
    verifySignature: async ({ signatures }) => {
      calls.push(`verify ${signatures.map(({ blob }) => blob.slice(7, 9)).join()}`);
      const [evidence] = signatures.map(({ blob }) => blob);
      if (evidence === undefined) return { satisfied: false, rejected: [] };
      return { satisfied: true, signers: [{ authority: 'demo/ci', identity: 'ci', evidence }] };
    },
    checkTransparencyLog: async ({ signatures }) => {
      calls.push(`log ${signatures.map(({ blob }) => blob.slice(7, 9)).join()}`);
      return { confirmed: signatures.map(({ blob }) => blob), rejected: [], detail: 'entry 1 of 2' };
    },
  };
  return { calls, activities };
}

describe('a transparency log', () => {
  it('is not asked about where the policy wants none', async () => {
    const { calls, activities } = asking('offline');
    const resolvePolicy = matching({ authorities: [authority('ci')] });
    await withWorker(server.address, { ...activities, resolvePolicy }, async ({ ask }) => {
      assert.equal(outcomeOf(await ask()), 'allow');
      assert.deepEqual(calls, ['verify e1,e2']);
    });
  });

  it('is read from the evidence beside the signature, once each', async () => {
    const { calls, activities } = asking('offline');
    await withWorker(server.address, activities, async ({ ask }) => {
      assert.equal(outcomeOf(await ask()), 'allow');
      assert.deepEqual(calls.toSorted(), ['log e1,e2', 'verify e1,e2']);
    });
  });

  it('is asked live about the evidence that was accepted, and about no other', async () => {
    const { calls, activities } = asking('consistency');
    await withWorker(server.address, activities, async ({ ask }) => {
      assert.equal(outcomeOf(await ask()), 'allow');
      assert.deepEqual(calls, ['verify e1,e2', 'log e1']);
    });
  });

  it('gives other evidence its turn where it refuses one, and refuses when none is left', async () => {
    const { calls, activities } = asking('consistency');
    const refused = { code: 'LOG_INCONSISTENT', sentence: 'two histories' } as const;
    let good: string | undefined = second;
    const checkTransparencyLog: Activities['checkTransparencyLog'] = async ({ signatures }) => {
      calls.push(`log ${signatures.map(({ blob }) => blob.slice(7, 9)).join()}`);
      const blobs = signatures.map(({ blob }) => blob);
      const rejected = blobs.filter((blob) => blob !== good).map((blob) => ({ blob, ...refused }));
      return { confirmed: blobs.filter((blob) => blob === good), rejected, detail: '' };
    };
    await withWorker(server.address, { ...activities, checkTransparencyLog }, async ({ ask }) => {
      assert.equal(outcomeOf(await ask()), 'allow');
      assert.deepEqual(calls, ['verify e1,e2', 'log e1', 'verify e2', 'log e2']);
    });
    good = undefined;
    calls.length = 0;
    await withWorker(server.address, { ...activities, checkTransparencyLog }, async ({ ask }) => {
      assert.deepEqual(codesOf(await ask()), ['LOG_INCONSISTENT']);
      assert.deepEqual(calls, ['verify e1,e2', 'log e1', 'verify e2', 'log e2', 'verify ']);
    });
  });

  it('is asked before the signature is judged where the entry has to be looked up', async () => {
    const { calls, activities } = asking('lookup');
    await withWorker(server.address, activities, async ({ ask }) => {
      assert.equal(outcomeOf(await ask()), 'allow');
      assert.deepEqual(calls, ['log e1,e2', 'verify e1,e2']);
    });
  });

  it('that is down leaves the pull inconclusive, is asked durably, and the next pull finds its answer', async () => {
    for (const mode of ['consistency', 'lookup'] as const) {
      const { activities } = asking(mode);
      let down = true;
      const checkTransparencyLog: Activities['checkTransparencyLog'] = async ({ signatures }) => {
        if (down) throw passing('LOG_UNREACHABLE', 'no connection');
        return { confirmed: signatures.map(({ blob }) => blob), rejected: [], detail: '' };
      };
      await withWorker(server.address, { ...activities, checkTransparencyLog }, async ({ ask }) => {
        const waiting = await ask(2_500);
        assert.deepEqual(
          [outcomeOf(waiting), codesOf(waiting)],
          ['inconclusive', ['LOG_UNREACHABLE', 'STILL_VERIFYING']],
        );
        down = false;
        const answered = await ask();
        assert.deepEqual([outcomeOf(answered), answered.workflowId], ['allow', waiting.workflowId]);
      });
    }
  });
});

describe('what can not be found out beside a log', () => {
  const offline = matching({ authorities: [authority('ci', { log: 'offline' })] });

  for (const mode of ['offline', 'consistency', 'lookup'] as const) {
    it(`is passed on when it is the signature (${mode})`, async () => {
      const verifySignature = () => Promise.reject(lasting('REGISTRY_UNAUTHORIZED', 'got 401'));
      const changes = { ...asking(mode).activities, verifySignature };
      await withWorker(server.address, changes, async ({ ask }) => {
        const decision = await ask();
        assert.deepEqual([outcomeOf(decision), codesOf(decision)], ['inconclusive', ['REGISTRY_UNAUTHORIZED']]);
      });
    });
  }

  it('does not matter when the signature is refused', async () => {
    const { activities } = asking('offline');
    const refused = { blob: first, code: 'WRONG_KEY', sentence: 'by another key' } as const;
    const verifySignature: Activities['verifySignature'] = async () => ({ satisfied: false, rejected: [refused] });
    const checkTransparencyLog = () => Promise.reject(lasting('LOG_MISBEHAVED', 'no log'));
    const changes = { ...activities, resolvePolicy: offline, verifySignature, checkTransparencyLog };
    await withWorker(server.address, changes, async ({ ask }) => {
      const decision = await ask();
      assert.deepEqual([outcomeOf(decision), codesOf(decision)], ['deny', ['WRONG_KEY']]);
    });
  });

  it('leaves the pull inconclusive when it is the log, and the signature is accepted', async () => {
    const { activities } = asking('offline');
    const checkTransparencyLog = () => Promise.reject(lasting('LOG_MISBEHAVED', 'no log'));
    const changes = { ...activities, resolvePolicy: offline, checkTransparencyLog };
    await withWorker(server.address, changes, async ({ ask }) => {
      const decision = await ask();
      assert.deepEqual([outcomeOf(decision), codesOf(decision)], ['inconclusive', ['LOG_MISBEHAVED']]);
    });
  });
});

describe('a key that can not be checked', () => {
  it('leaves the pull inconclusive with the code of the failure', async () => {
    const checkKey = () => Promise.reject(lasting('KEY_UNREADABLE', 'no such key'));
    const verifySignature = () => assert.fail('judged by a key that was not checked');
    await withWorker(server.address, { checkKey, verifySignature }, async ({ ask }) => {
      const decision = await ask();
      assert.deepEqual([outcomeOf(decision), codesOf(decision)], ['inconclusive', ['KEY_UNREADABLE']]);
      assert.equal(decision.by, 'verdict');
    });
  });
});

describe('a key in a KMS', () => {
  it('that is no use refuses with the word of its owner, and judges nothing', async () => {
    const checkKey: Activities['checkKey'] = async () => ({
      ...{ usable: false, code: 'KEY_DISABLED', sentence: 'the owner of arn:aws:kms:demo disabled it' },
    });
    const verifySignature = () => assert.fail('judged by a key that is no use');
    const resolvePolicy = matching({ authorities: [authority('ci', { key: 'awskms:///alias/demo' })] });
    await withWorker(server.address, { resolvePolicy, checkKey, verifySignature }, async ({ ask }) => {
      const decision = await ask();
      assert.deepEqual([outcomeOf(decision), codesOf(decision)], ['deny', ['KEY_DISABLED']]);
      assert.match(reasonsOf(decision)[0].sentence, /^the owner of arn:aws:kms:demo disabled it; policy "demo" wants/);
    });
  });

  it('that is no use is no matter where another authority is satisfied', async () => {
    const checkKey: Activities['checkKey'] = async ({ authority: name }) =>
      name === 'a'
        ? { usable: false, code: 'KEY_DISABLED', sentence: 'disabled' }
        : { usable: true, keyId: '12'.repeat(32), detail: 'ECDSA P-256' };
    const authorities = [authority('a', { key: 'awskms:///alias/a' }), authority('b')];
    const verifySignature: Activities['verifySignature'] = async () => ({
      satisfied: true,
      signers: [{ authority: 'demo/b', identity: 'b', evidence: first }],
    });
    const fetchSignatures = async () => found(first);
    const activities = { resolvePolicy: matching({ authorities }), checkKey, verifySignature, fetchSignatures };
    await withWorker(server.address, activities, async ({ ask }) => assert.equal(outcomeOf(await ask()), 'allow'));
  });

  it('is told about to whoever looks at it, as the node was told', async () => {
    const statement = { payloadType: 'x', payload: 'AAAA', signatures: [] };
    const told: unknown[] = [];
    const checkKey: Activities['checkKey'] = async (asked) => {
      told.push(asked.statement);
      return { usable: true, keyId: '12'.repeat(32), detail: 'ECDSA P-256' };
    };
    const authorities = [authority('a', { key: 'awskms:///alias/a' }), authority('b')];
    const worker = await startWorkflowWorker(
      server.address,
      createTestActivities(testVerdictKey, { resolvePolicy: matching({ authorities }), checkKey }),
    );
    const input = { decisionId: '0123456789abc', name: '127.0.0.1:5000/demo/told:v1', digest: TEST_DIGEST };
    await worker.backend.verify(
      { workflowId: 'verify/told', input: { ...input, policyRevision: TEST_REVISION, statement }, node: 'n' },
      Date.now() + 8_000,
    );
    await worker.stop();
    assert.deepEqual(told, [statement, undefined]);
  });
});

describe('a policy', () => {
  it('that warns never keeps a pull waiting for what cannot be found out', async () => {
    const verifySignature = () => Promise.reject(passing('REGISTRY_ERROR', 'got 503'));
    const resolvePolicy = matching({ mode: 'warn', authorities: [authority('ci')] });
    await withWorker(server.address, { resolvePolicy, verifySignature }, async ({ ask }) => {
      const decision = await ask();
      assert.deepEqual([outcomeOf(decision), codesOf(decision)], ['allow', ['POLICY_WARNS']]);
      assert.match(reasonsOf(decision)[0].sentence, /would refuse: REGISTRY_ERROR: got 503/);
    });
  });

  it('that passes everything asks nobody', async () => {
    const fetchSignatures = () => assert.fail('asked the registry');
    const resolvePolicy = matching({ authorities: [authority('all', { static: { action: 'pass' }, sources: [] })] });
    await withWorker(server.address, { resolvePolicy, fetchSignatures }, async ({ ask }) => {
      assert.deepEqual(codesOf(await ask()), ['STATIC_PASS']);
    });
  });

  it('has each place looked at once, and is satisfied although one of them fails', async () => {
    const asked: string[] = [];
    const fetchSignatures: Activities['fetchSignatures'] = async ({ source }) => {
      asked.push(source.repository ?? 'own');
      if (source.repository === 'ghcr.io/broken') throw lasting('REGISTRY_UNAUTHORIZED', 'got 401');
      return found(first);
    };
    const elsewhere = { sources: [{}, { repository: 'ghcr.io/broken' }] };
    const authorities = [authority('a', elsewhere), authority('b', elsewhere)];
    const verifySignature: Activities['verifySignature'] = async ({ authority: name }) =>
      name === 'a'
        ? { satisfied: true, signers: [{ authority: 'demo/a', identity: 'a', evidence: first }] }
        : { satisfied: false, rejected: [] };
    const activities = { resolvePolicy: matching({ authorities }), fetchSignatures, verifySignature };
    await withWorker(server.address, activities, async ({ ask }) => {
      assert.equal(outcomeOf(await ask()), 'allow');
      assert.deepEqual(asked.toSorted(), ['ghcr.io/broken', 'own']);
    });
    const nobody: Activities['verifySignature'] = async () => ({ satisfied: false, rejected: [] });
    await withWorker(server.address, { ...activities, verifySignature: nobody }, async ({ ask }) => {
      assert.deepEqual(
        codesOf(await ask()),
        ['REGISTRY_UNAUTHORIZED'],
        'the missing one may be in the place that failed',
      );
    });
  });
});
