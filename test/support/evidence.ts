import { ApplicationFailure } from '@temporalio/common';
import type { Activities } from '../../workflows/activities.ts';
import { POLICY_HEAD_TTL_MS, VERDICT_TTL_MS } from '../../workflows/verdict/deadlines.ts';
import { POLICY_HEAD_PAYLOAD_TYPE } from '../../workflows/verdict/policy-head.ts';
import type { ReasonCode } from '../../workflows/verdict/reason.ts';
import { STATEMENT_PAYLOAD_TYPE, toStatement } from '../../workflows/verdict/verification-summary.ts';
import { digestOf, TEST_FLEET, type TestVerdictKey } from './verdicts.ts';

/** The policy revision that {@link createTestActivities} applies. */
export const TEST_REVISION = 'c'.repeat(64);

/**
 * Activities that find an image signed by the key of the only policy; `changes` bends one of them. They stand in for
 * the world where a test is about the workflow; the real ones run in test/e2e.
 */
export function createTestActivities(key: TestVerdictKey, changes: Partial<Activities> = {}): Activities {
  const reference = { policy: 'demo', authority: 'release', sources: [{}] };
  const evidence = digestOf('ee');
  const identity = `key sha256:${'12'.repeat(32)}`;
  return {
    resolvePolicy: async () => ({ loaded: 1, matching: [{ name: 'demo', mode: 'enforce', authorities: [reference] }] }),
    fetchSignatures: async () => ({
      signatures: [{ format: 'bundle', place: 'referrers', source: {}, manifest: digestOf('11'), blob: evidence }],
      unreadable: [],
    }),
    checkKey: async () => ({ usable: true, keyId: '12'.repeat(32), detail: 'ECDSA P-256' }),
    verifySignature: async () => ({ satisfied: true, signers: [{ authority: 'demo/release', identity, evidence }] }),
    checkTransparencyLog: async ({ signatures }) => ({
      confirmed: signatures.map(({ blob }) => blob),
      rejected: [],
      detail: 'log 12: entry 3 of 5',
    }),
    signVerdict: async ({ claim }) => {
      const now = Date.now();
      const verdict = {
        ...claim,
        fleet: TEST_FLEET,
        trustRevision: '',
        decidedAt: new Date(now).toISOString(),
        expiresAt: new Date(now + VERDICT_TTL_MS[claim.outcome]).toISOString(),
        covers: [],
      };
      return { verdict, envelope: key.envelope(STATEMENT_PAYLOAD_TYPE, toStatement(verdict)) };
    },
    describePolicy: async () =>
      key.envelope(POLICY_HEAD_PAYLOAD_TYPE, {
        fleet: TEST_FLEET,
        policyRevision: TEST_REVISION,
        statedAt: new Date().toISOString(),
        expiresAt: new Date(Date.now() + POLICY_HEAD_TTL_MS).toISOString(),
      }),
    resolveDescriptor: async () => ({
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest: digestOf('ab'),
      size: 1,
    }),
    ...changes,
  };
}

/** An activity's failure that may pass: what `activities/border/failure.ts` makes of a retryable EvidenceError. */
export function passing(code: ReasonCode, message: string): ApplicationFailure {
  return ApplicationFailure.create({ type: code, message, nonRetryable: false });
}

/** An activity's failure that stays. */
export function lasting(code: ReasonCode, message: string): ApplicationFailure {
  return ApplicationFailure.create({ type: code, message, nonRetryable: true });
}
