import type { VerdictRequest } from '../workflows/activities.ts';
import { SHORTEST_ALLOW_MS, VERDICT_TTL_MS } from '../workflows/verdict/deadlines.ts';
import type { SignedVerdict, Verdict } from '../workflows/verdict/verdict.ts';
import { STATEMENT_PAYLOAD_TYPE, toStatement } from '../workflows/verdict/verification-summary.ts';
import { trustRevision } from './authority/applied-policy.ts';
import type { Dependencies } from './dependencies.ts';
import { type Asked, type ProvenAllow, type ProvenRefusal, proveAllow } from './proof/allow.ts';
import { proveRefusal } from './proof/refusal.ts';

/**
 * Signs a verdict for this worker's fleet, with the times of this worker's clock. An allow is proven once more, from this
 * worker's policy and the evidence that the registry lists now: what reaches an activity came through Temporal, which carries messages and
 * decides nothing. It is signed as a refusal when something that it covers is revoked. Throws KEY_UNREADABLE,
 * CLAIM_UNPROVEN, POLICY_CHANGED and what reading evidence and manifests throws. `placeMs` bounds the look at one place.
 */
export async function signVerdict(
  dependencies: Dependencies,
  request: VerdictRequest,
  signal: AbortSignal,
  placeMs: number,
): Promise<SignedVerdict> {
  const proven = await prove(dependencies, { request, signal, placeMs });
  const { claim } = proven;
  const { goodUntil, offlineUntil, silenceMs, covers } = 'covers' in proven ? proven : REFUSED;
  const now = Date.now();
  const expires = Math.min(now + VERDICT_TTL_MS[claim.outcome], Math.max(goodUntil, now + SHORTEST_ALLOW_MS));
  const verdict: Verdict = {
    ...claim,
    fleet: dependencies.fleet,
    trustRevision: trustRevision(dependencies, claim.policyRevision),
    decidedAt: new Date(now).toISOString(),
    expiresAt: new Date(expires).toISOString(),
    ...(offlineUntil > expires
      ? { offlineUntil: new Date(offlineUntil).toISOString(), workerSilenceMs: silenceMs }
      : {}),
    ...(covers === undefined ? {} : { covers }),
  };
  const payload = new TextEncoder().encode(JSON.stringify(toStatement(verdict)));
  return { verdict, envelope: await dependencies.verdictKey.sign(STATEMENT_PAYLOAD_TYPE, payload) };
}

const REFUSED = { goodUntil: Number.POSITIVE_INFINITY, offlineUntil: 0, silenceMs: 0, covers: undefined };

async function prove(dependencies: Dependencies, asked: Asked): Promise<ProvenAllow | ProvenRefusal> {
  const { claim } = asked.request;
  if (claim.outcome === 'allow') return await proveAllow(dependencies, asked);
  return { claim: { ...claim, reasons: proveRefusal(dependencies, claim) } };
}
