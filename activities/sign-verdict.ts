import type { VerdictClaim, VerdictRequest } from '../workflows/activities.ts';
import { VERDICT_TTL_MS } from '../workflows/deadlines.ts';
import { evaluate } from '../workflows/policy/evaluate.ts';
import { selectPolicies } from '../workflows/policy/selection.ts';
import type { SignedVerdict, Signer } from '../workflows/verdict.ts';
import { STATEMENT_PAYLOAD_TYPE, toStatement } from '../workflows/verification-summary.ts';
import { findAuthority, policySet } from './applied-policy.ts';
import type { Dependencies } from './dependencies.ts';
import { EvidenceError } from './evidence-error.ts';
import { judgeSignatures } from './verify-signature.ts';

/**
 * Signs a verdict with the times of this worker's clock. An allow is proven once more, from this worker's policy and
 * the evidence itself: what reaches an activity came through Temporal, which carries messages and decides nothing.
 * Throws KEY_UNREADABLE, CLAIM_UNPROVEN, POLICY_CHANGED and what reading the evidence throws.
 */
export async function signVerdict(
  dependencies: Dependencies,
  request: VerdictRequest,
  signal: AbortSignal,
): Promise<SignedVerdict> {
  const { outcome } = request.claim;
  const claim = outcome === 'allow' ? await proveAllow(dependencies, request, signal) : request.claim;
  const now = Date.now();
  const verdict = {
    ...claim,
    decidedAt: new Date(now).toISOString(),
    expiresAt: new Date(now + VERDICT_TTL_MS[outcome]).toISOString(),
  };
  const payload = new TextEncoder().encode(JSON.stringify(toStatement(verdict)));
  return { verdict, envelope: await dependencies.verdictKey.sign(STATEMENT_PAYLOAD_TYPE, payload) };
}

/** Decides again, by the rule of the workflow. What is signed are the reasons and signers found here. */
async function proveAllow(
  dependencies: Dependencies,
  { claim, evidence }: VerdictRequest,
  signal: AbortSignal,
): Promise<VerdictClaim> {
  const { policyRevision } = claim;
  const resolution = selectPolicies(policySet(dependencies, policyRevision).policies, claim.name);
  const outcomes = [];
  for (const reference of resolution.matching.flatMap((policy) => policy.authorities)) {
    const { key } = findAuthority(dependencies, { ...reference, policyRevision });
    const request = { ...reference, name: claim.name, digest: claim.digest, signatures: evidence };
    outcomes.push({ reference, outcome: await judgeSignatures(dependencies, request, key, signal) });
  }
  const signatures = { signatures: evidence, unreadable: [] };
  const { outcome, reasons, signers } = evaluate({ input: claim, resolution, signatures, outcomes });
  if (outcome !== 'allow') throw unproven(claim, `${reasons[0].code}: ${reasons[0].sentence}`);
  const stranger = claim.signers.find((claimed) => !signers.some((signer) => isSame(signer, claimed)));
  if (stranger !== undefined) throw unproven(claim, `${stranger.identity} did not sign as ${stranger.authority}`);
  return { ...claim, reasons, signers };
}

function isSame(a: Signer, b: Signer): boolean {
  return a.authority === b.authority && a.identity === b.identity && a.evidence === b.evidence;
}

function unproven(claim: VerdictClaim, why: string): EvidenceError {
  const sentence = `asked to sign an allow for ${claim.name}@${claim.digest} that the evidence does not bear out (${why}); pull again, and see who may start workflows`;
  return new EvidenceError('CLAIM_UNPROVEN', sentence, { retryable: false });
}
