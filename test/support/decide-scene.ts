import assert from 'node:assert/strict';
import { type Backend, BackendProblem } from '../../shim/backend/backend.ts';
import { watchPolicy } from '../../shim/backend/policy-watch.ts';
import { type Decision, reasonsOf } from '../../shim/decision.ts';
import { ADMISSION_LIMITS, openAdmission } from '../../shim/gate/admission.ts';
import { decide, type Gate } from '../../shim/gate/decide.ts';
import { keptVerdicts } from '../../shim/gate/kept-verdicts.ts';
import { openSingleFlight } from '../../shim/gate/single-flight.ts';
import { toJudgement } from '../../shim/judgement.ts';
import { parseEnvelope } from '../../shim/verdict-keys/verdict-keys.ts';
import type { Envelope, Verdict } from '../../workflows/verdict/verdict.ts';
import { aPolicyHead, createTestBackend } from './backend.ts';
import { anAllow, createTestVerdictKey, TEST_FLEET } from './verdicts.ts';

/** The only verdict key of the node that decides. */
export const key = createTestVerdictKey();
export const genuine = anAllow();
export const request = { name: genuine.name, digest: genuine.digest };
export const unreachable = (): Promise<never> =>
  Promise.reject(new BackendProblem('TEMPORAL_UNREACHABLE', 'nobody there'));
export const inAnHour = new Date(Date.now() + 3_600_000).toISOString();
export const aMinuteAgo = new Date(Date.now() - 60_000).toISOString();
/** A statement whose time is over. */
export const ended = aPolicyHead(key, genuine.policyRevision, { stated: -300_000, expires: -240_000 });
export const envelopeOf = (changes: Partial<Verdict>, by = key): Envelope => by.verdict(anAllow(changes)).envelope;

export interface Scene {
  /** What the backend answers; it can't be reached by default. */
  readonly backend?: Partial<Backend>;
  /** The verdict on the disk. */
  readonly kept?: Envelope;
  /** The policy statement from before the start. */
  readonly remembered?: unknown;
  readonly gate?: Partial<Gate>;
}

/** Decides about `request` in a scene, and tells how often the backend was asked for a verification. */
export async function decideIn({ backend = {}, kept, remembered, gate = {} }: Scene, times = 1) {
  let asked = 0;
  const statement = parseEnvelope(remembered);
  const policy = watchPolicy(
    createTestBackend(backend),
    () => key.accepted(),
    () => {},
    { fleet: TEST_FLEET, remembered: statement },
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
    fleet: TEST_FLEET,
    node: 'test',
    rules: [],
    kept: keptVerdicts(
      () => (kept === undefined ? [] : [kept]),
      policy,
      TEST_FLEET,
      () => key.accepted(),
      () => {},
    ),
    admission: openAdmission(ADMISSION_LIMITS),
    flights: openSingleFlight<Decision>(),
    lost: () => undefined,
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
