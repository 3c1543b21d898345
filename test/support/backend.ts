import { type Backend, BackendProblem } from '../../shim/backend/backend.ts';
import { POLICY_HEAD_PAYLOAD_TYPE } from '../../workflows/verdict/policy-head.ts';
import { TEST_FLEET, type TestVerdictKey } from './verdicts.ts';

const silence = (): Promise<never> => Promise.reject(new BackendProblem('TEMPORAL_UNREACHABLE', 'nobody there'));

/** A backend that answers nothing but what a test gives it. The real one is shown in test/e2e. */
export function createTestBackend(answers: Partial<Backend>): Backend {
  return {
    verify: silence,
    checks: silence,
    exists: silence,
    policyHead: silence,
    resolve: silence,
    find: silence,
    close: async () => {},
    ...answers,
  };
}

/** A signed policy head that is good now; `ages` moves its times, in ms. */
export function aPolicyHead(
  key: TestVerdictKey,
  policyRevision: string,
  ages = { stated: 0, expires: 60_000 },
): unknown {
  const now = Date.now();
  return key.envelope(POLICY_HEAD_PAYLOAD_TYPE, {
    fleet: TEST_FLEET,
    policyRevision,
    statedAt: new Date(now + ages.stated).toISOString(),
    expiresAt: new Date(now + ages.expires).toISOString(),
  });
}
