import type { MatchingPolicy, SignatureReference, VerdictClaim, VerdictRequest } from '../workflows/activities.ts';
import { VERDICT_TTL_MS } from '../workflows/deadlines.ts';
import { selectPolicies } from '../workflows/policy/selection.ts';
import type { SignedVerdict } from '../workflows/verdict.ts';
import { STATEMENT_PAYLOAD_TYPE, toStatement } from '../workflows/verification-summary.ts';
import { findAuthority, policySet } from './applied-policy.ts';
import type { Dependencies } from './dependencies.ts';
import { EvidenceError } from './evidence-error.ts';
import { judgeReference } from './verify-signature.ts';

/**
 * Signs a verdict with the times of this worker's clock. An allow is proven once more, from this worker's policy and
 * the evidence itself: what reaches an activity came through Temporal, which carries messages and decides nothing.
 * Throws KEY_UNREADABLE, CLAIM_UNPROVEN and what reading the evidence throws.
 */
export async function signVerdict(dependencies: Dependencies, request: VerdictRequest): Promise<SignedVerdict> {
  const { claim } = request;
  if (claim.outcome === 'allow') await prove(dependencies, request);
  const now = Date.now();
  const verdict = {
    ...claim,
    decidedAt: new Date(now).toISOString(),
    expiresAt: new Date(now + VERDICT_TTL_MS[claim.outcome]).toISOString(),
  };
  const payload = new TextEncoder().encode(JSON.stringify(toStatement(verdict)));
  return { verdict, envelope: await dependencies.verdictKey.sign(STATEMENT_PAYLOAD_TYPE, payload) };
}

/** Every matching policy has an authority whose key signed one of the given signatures, or the claim is not signed. */
async function prove(dependencies: Dependencies, { claim, evidence }: VerdictRequest): Promise<void> {
  const { matching } = selectPolicies(policySet(dependencies, claim.policyRevision).policies, claim.name);
  if (matching.length === 0) throw unproven(claim, 'no policy matches');
  for (const policy of matching) {
    if (!(await isSatisfied(dependencies, claim, policy, evidence))) {
      throw unproven(claim, `no authority of policy ${policy.name} signed it`);
    }
  }
}

async function isSatisfied(
  dependencies: Dependencies,
  claim: VerdictClaim,
  policy: MatchingPolicy,
  evidence: readonly SignatureReference[],
): Promise<boolean> {
  for (const reference of policy.authorities) {
    const { key } = findAuthority(dependencies, { ...reference, policyRevision: claim.policyRevision });
    for (const signature of evidence) {
      if ((await judgeReference(dependencies, claim, signature, key)).valid) return true;
    }
  }
  return false;
}

function unproven(claim: VerdictClaim, why: string): EvidenceError {
  const sentence = `asked to sign an allow for ${claim.name}@${claim.digest} that the evidence does not bear out: ${why}`;
  return new EvidenceError('CLAIM_UNPROVEN', sentence, { retryable: false });
}
