import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BackendProblem } from '../../../shim/backend/backend.ts';
import { watchPolicy } from '../../../shim/backend/policy-watch.ts';
import type { Decision } from '../../../shim/decision.ts';
import { ADMISSION_LIMITS, openAdmission } from '../../../shim/gate/admission.ts';
import { openSingleFlight } from '../../../shim/gate/single-flight.ts';
import { toJudgement } from '../../../shim/judgement.ts';
import { openClockGuard } from '../../../shim/memory/clock-guard.ts';
import type { Envelope } from '../../../workflows/verdict/verdict.ts';
import { aPolicyHead, createTestBackend } from '../../support/backend.ts';
import {
  aMinuteAgo,
  decideIn,
  ended,
  envelopeOf,
  genuine,
  inAnHour,
  key,
  type Scene,
} from '../../support/decide-scene.ts';
import { anAllow, createTestVerdictKey, digestOf, TEST_FLEET } from '../../support/verdicts.ts';

const stranger = createTestVerdictKey();
const policyHead = async () => aPolicyHead(key, genuine.policyRevision);

describe('a decision', () => {
  it('is made by the first rule that has something to say, without a backend', async () => {
    const listed = { code: 'DIGEST_LISTED', sentence: 'on the list' } as const;
    const { code, ok, asked } = await decideIn({ gate: { rules: [() => undefined, () => listed] } });
    assert.deepEqual([code, ok, asked], ['DIGEST_LISTED', true, 0]);
  });

  it('is made by a kept verdict that is good, without asking for a verification', async () => {
    const { decision, ok, asked } = await decideIn({ backend: { policyHead }, kept: envelopeOf({}) });
    assert.deepEqual([decision.by === 'verdict' && decision.from, ok, asked], ['kept', true, 0]);
  });

  it('is asked for once by many who ask at the same time', async () => {
    const verify = () => new Promise((resolve) => setTimeout(resolve, 50)).then((): unknown => key.verdict(genuine));
    const { decisions, asked } = await decideIn({ backend: { policyHead, verify } }, 50);
    assert.deepEqual([decisions.filter((one) => toJudgement(one).ok).length, asked], [50, 1]);
  });

  it('is asked for again by who asks under another policy', async () => {
    let count = 0;
    const flights = openSingleFlight<Decision>();
    const joined: string[] = [];
    const noting = {
      ...flights,
      join: (...[id, how]: Parameters<typeof flights.join>) => {
        joined.push(id);
        return flights.join(id, how);
      },
    };
    const known = () => ({
      fleet: TEST_FLEET,
      policyRevision: String(count++).repeat(64),
      statedAt: '',
      expiresAt: '',
    });
    const policy = watchPolicy(
      createTestBackend({}),
      () => key.accepted(),
      () => {},
      { fleet: TEST_FLEET },
    );
    await decideIn({ gate: { flights: noting, policy: { ...policy, known } } }, 2);
    policy.stop();
    assert.equal(new Set(joined).size, 2);
  });

  it('is a refusal when there is no turn', async () => {
    const busy = { code: 'SHIM_BUSY', sentence: 'full' } as const;
    const admission = { ...openAdmission(ADMISSION_LIMITS), enter: async () => busy };
    const { code, ok, asked } = await decideIn({ backend: { policyHead }, gate: { admission } });
    assert.deepEqual([code, ok, asked], ['SHIM_BUSY', false, 0]);
  });

  it('is by a kept verdict also when there is no turn: warm answers wait for nobody', async () => {
    const admission = openAdmission({ running: 0, waiting: 0 });
    const { ok } = await decideIn({ backend: { policyHead }, kept: envelopeOf({}), gate: { admission } });
    assert.equal(ok, true);
  });

  const notBelieved: readonly (readonly [string, Envelope])[] = [
    ['signed by a stranger', envelopeOf({}, stranger)],
    ['about another digest', envelopeOf({ digest: digestOf('cd') })],
    ['about another name', envelopeOf({ name: '127.0.0.1:5000/demo/other:v1' })],
    ['by another policy', envelopeOf({ policyRevision: 'e'.repeat(64) })],
    ['past its time', envelopeOf({ expiresAt: aMinuteAgo })],
    [
      'past its time, that the policy permits without a backend',
      envelopeOf({ expiresAt: aMinuteAgo, offlineUntil: inAnHour }),
    ],
    ['from the future', envelopeOf({ decidedAt: inAnHour })],
    ['that denies', envelopeOf({ outcome: 'deny', reasons: [{ code: 'UNSIGNED', sentence: 'no' }], signers: [] })],
    ['that is garbage', { payloadType: 'x', payload: '!', signatures: [{ keyid: '', sig: '' }] }],
  ];
  for (const [what, envelope] of notBelieved) {
    it(`is asked for when the kept verdict is one ${what}`, async () => {
      const verify = async () => key.verdict(genuine);
      const { decision, asked } = await decideIn({ backend: { policyHead, verify }, kept: envelope });
      assert.deepEqual([decision.by === 'verdict' && decision.from, asked], ['backend', 1]);
    });
  }
});

describe('a decision without a backend', () => {
  const offline = envelopeOf({ expiresAt: aMinuteAgo, offlineUntil: inAnHour });
  const longAgo = new Date(Date.now() - 91 * 24 * 3_600_000).toISOString();
  const NEVER = '2099-01-01T00:00:00.000Z';

  it('is made by a kept verdict that the policy permits for that, under the last policy that was stated', async () => {
    const { decision, ok } = await decideIn({ kept: offline, remembered: ended });
    assert.deepEqual([decision.by === 'verdict' && decision.from, ok], ['offline', true]);
  });

  it('is made so, too, while the statement is still good and only the verdict has ended', async () => {
    const { decision } = await decideIn({ backend: { policyHead }, kept: offline });
    assert.equal(decision.by === 'verdict' && decision.from, 'offline');
  });

  it('is not made so at once when there is Temporal and no worker', async () => {
    const nobody = () => Promise.reject(new BackendProblem('WORKER_UNAVAILABLE', 'no worker'));
    const { ok } = await decideIn({ backend: { policyHead: nobody }, kept: offline, remembered: ended });
    assert.equal(ok, false);
  });

  const refused: readonly (readonly [string, Scene, string])[] = [
    ['no policy was ever stated', { kept: offline }, 'TEMPORAL_UNREACHABLE'],
    [
      'the policy does not permit it',
      { kept: envelopeOf({ expiresAt: aMinuteAgo }), remembered: ended },
      'TEMPORAL_UNREACHABLE',
    ],
    [
      'what it permits is over',
      { kept: envelopeOf({ expiresAt: aMinuteAgo, offlineUntil: aMinuteAgo }), remembered: ended },
      'TEMPORAL_UNREACHABLE',
    ],
    [
      'its signer meant it to be used for ever',
      { kept: envelopeOf({ decidedAt: longAgo, expiresAt: NEVER, offlineUntil: NEVER }), remembered: ended },
      'TEMPORAL_UNREACHABLE',
    ],
    [
      'the last policy was another one',
      { kept: offline, remembered: aPolicyHead(key, 'e'.repeat(64), { stated: -300_000, expires: -240_000 }) },
      'TEMPORAL_UNREACHABLE',
    ],
    [
      'the statement is by a stranger',
      {
        kept: offline,
        remembered: aPolicyHead(stranger, genuine.policyRevision, { stated: -3_000, expires: -2_000 }),
      },
      'TEMPORAL_UNREACHABLE',
    ],
    [
      'a worker says that it is inconclusive',
      {
        backend: {
          policyHead,
          verify: async () =>
            key.verdict(
              anAllow({
                outcome: 'inconclusive',
                signers: [],
                reasons: [{ code: 'REGISTRY_ERROR', sentence: 'down' }],
              }),
            ),
        },
        kept: offline,
      },
      'REGISTRY_ERROR',
    ],
  ];
  for (const [what, scene, expected] of refused) {
    it(`is a refusal when ${what}`, async () => {
      const { code, ok } = await decideIn(scene);
      assert.deepEqual([code, ok], [expected, false]);
    });
  }
});

describe('a clock that was moved back', () => {
  it('refuses, whatever is kept', async () => {
    const guard = openClockGuard(undefined);
    guard.witness(Date.now());
    const clock = () => guard.check(Date.now() - 3_600_000);
    const { code, ok } = await decideIn({ backend: { policyHead }, kept: envelopeOf({}), gate: { clock } });
    assert.deepEqual([code, ok], ['CLOCK_MOVED', false]);
  });
});
