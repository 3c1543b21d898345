import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ADMISSION_LIMITS, openAdmission } from '../../shim/admission.ts';
import { type Backend, BackendProblem } from '../../shim/backend.ts';
import { openClockGuard } from '../../shim/clock-guard.ts';
import { decide, type Gate } from '../../shim/decide.ts';
import { type Decision, reasonsOf } from '../../shim/decision.ts';
import { toJudgement } from '../../shim/judgement.ts';
import { keptVerdicts } from '../../shim/kept-verdicts.ts';
import { watchPolicy } from '../../shim/policy-watch.ts';
import { openSingleFlight } from '../../shim/single-flight.ts';
import { parseEnvelope } from '../../shim/verdict-keys.ts';
import type { Envelope, Verdict } from '../../workflows/verdict.ts';
import { aPolicyHead, createTestBackend } from '../support/backend.ts';
import { anAllow, createTestVerdictKey, digestOf } from '../support/verdicts.ts';

const key = createTestVerdictKey();
const stranger = createTestVerdictKey();
const genuine = anAllow();
const request = { name: genuine.name, digest: genuine.digest };
const unreachable = (): Promise<never> => Promise.reject(new BackendProblem('TEMPORAL_UNREACHABLE', 'nobody there'));
const inAnHour = new Date(Date.now() + 3_600_000).toISOString();
const aMinuteAgo = new Date(Date.now() - 60_000).toISOString();

interface Scene {
  /** What the backend answers; it can't be reached by default. */
  readonly backend?: Partial<Backend>;
  /** The verdict on the disk. */
  readonly kept?: Envelope;
  /** The policy statement from before the start. */
  readonly remembered?: unknown;
  readonly gate?: Partial<Gate>;
}

/** Decides about `request` in a scene, and tells how often the backend was asked for a verification. */
async function decideIn({ backend = {}, kept, remembered, gate = {} }: Scene, times = 1) {
  let asked = 0;
  const statement = parseEnvelope(remembered);
  const policy = watchPolicy(
    createTestBackend(backend),
    () => key.accepted(),
    () => {},
    { remembered: statement },
  );
  const verify = backend.verify ?? unreachable;
  const whole: Gate = {
    backend: createTestBackend({
      ...backend,
      verify: (...args) => {
        asked++;
        return verify(...args);
      },
    }),
    policy,
    keys: () => key.accepted(),
    node: 'test',
    rules: [],
    kept: keptVerdicts(
      () => (kept === undefined ? [] : [kept]),
      policy,
      () => key.accepted(),
      () => {},
    ),
    admission: openAdmission(ADMISSION_LIMITS),
    flights: openSingleFlight<Decision>(),
    clock: () => undefined,
    ...gate,
  };
  try {
    await new Promise((resolve) => setTimeout(resolve, 20)); // the first question of the policy watch
    const decisions = await Promise.all(
      Array.from({ length: times }, () => decide(whole, request, { deadline: Date.now() + 700 })),
    );
    const [decision] = decisions;
    assert.ok(decision !== undefined);
    return { decision, decisions, asked, code: reasonsOf(decision)[0].code, ok: toJudgement(decision).ok };
  } finally {
    policy.stop();
  }
}

const policyHead = async () => aPolicyHead(key, genuine.policyRevision);
const ended = aPolicyHead(key, genuine.policyRevision, { stated: -300_000, expires: -240_000 });
const envelopeOf = (changes: Partial<Verdict>, by = key) => by.verdict(anAllow(changes)).envelope;

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
    const known = () => ({ policyRevision: String(count++).repeat(64), statedAt: '', expiresAt: '' });
    const policy = watchPolicy(
      createTestBackend({}),
      () => key.accepted(),
      () => {},
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

  it('is made by a kept verdict that the policy permits for that, under the last policy that was stated', async () => {
    const { decision, ok } = await decideIn({ kept: offline, remembered: ended });
    assert.deepEqual([decision.by === 'verdict' && decision.from, ok], ['offline', true]);
  });

  it('is made so, too, while the statement is still good and only the verdict has ended', async () => {
    const { decision } = await decideIn({ backend: { policyHead }, kept: offline });
    assert.equal(decision.by === 'verdict' && decision.from, 'offline');
  });

  it('is made so when there is Temporal and no worker', async () => {
    const nobody = () => Promise.reject(new BackendProblem('WORKER_UNAVAILABLE', 'no worker'));
    const { ok } = await decideIn({ backend: { policyHead: nobody }, kept: offline, remembered: ended });
    assert.equal(ok, true);
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

describe('a revoked digest', () => {
  const head = (changes: object) => async () => {
    const now = Date.now();
    return key.envelope('application/vnd.portcullis.policy-head.v1+json', {
      policyRevision: genuine.policyRevision,
      statedAt: new Date(now).toISOString(),
      expiresAt: new Date(now + 60_000).toISOString(),
      revoked: [digestOf('01'), request.digest],
      ...changes,
    });
  };

  it('is refused in spite of a kept verdict, the bootstrap list and a fresh allow', async () => {
    const scene = {
      backend: { policyHead: head({}), verify: async () => key.verdict(genuine) },
      kept: envelopeOf({}),
      gate: { rules: [() => ({ code: 'DIGEST_LISTED', sentence: 'listed' }) as const] },
    };
    const { code, ok, asked } = await decideIn(scene);
    assert.deepEqual([code, ok, asked], ['REVOKED', false, 0]);
  });

  const answers: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['it is verified', async () => key.verdict(genuine)],
    ['nobody answers, and the policy permits a kept verdict', unreachable],
  ];
  for (const [what, answer] of answers) {
    it(`is refused when it is revoked while ${what}`, async () => {
      let isRevoked = false;
      const policy = { newest: () => ({ revoked: isRevoked ? [request.digest] : [] }) };
      const verify = () => {
        isRevoked = true;
        return answer();
      };
      const known = { ok: true, policyRevision: genuine.policyRevision };
      const watch = { current: async () => known, known: () => undefined, isCutOff: () => false, ...policy };
      // as much of a watch as a decision asks for
      const gate = { policy: watch as unknown as Gate['policy'] };
      const kept = envelopeOf({ expiresAt: aMinuteAgo, offlineUntil: inAnHour });
      assert.equal((await decideIn({ backend: { verify }, gate, kept, remembered: ended })).code, 'REVOKED');
    });
  }

  it('stays refused without a backend, by the last statement', async () => {
    const past = { statedAt: new Date(Date.now() - 300_000).toISOString(), expiresAt: aMinuteAgo };
    const scene = { kept: envelopeOf({ offlineUntil: inAnHour }), remembered: await head(past)() };
    assert.equal((await decideIn(scene)).code, 'REVOKED');
  });
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
