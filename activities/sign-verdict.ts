import type { VerdictClaim, VerdictRequest } from '../workflows/activities.ts';
import { SHORTEST_ALLOW_MS, VERDICT_TTL_MS } from '../workflows/deadlines.ts';
import { evaluate, type JudgedAuthority } from '../workflows/policy/evaluate.ts';
import { applying } from '../workflows/policy/selection.ts';
import type { Reason } from '../workflows/reason.ts';
import type { SignedVerdict, Signer, Verdict } from '../workflows/verdict.ts';
import { STATEMENT_PAYLOAD_TYPE, toStatement } from '../workflows/verification-summary.ts';
import { findAuthority, policySet, trustRevision } from './applied-policy.ts';
import { checkLogs } from './check-transparency-log.ts';
import type { Dependencies } from './dependencies.ts';
import { EvidenceError } from './evidence-error.ts';
import { type EvidenceSubject, subjectOf } from './judge-evidence.ts';
import type { PolicySet } from './policy/policy-set.ts';
import { resolutionOf } from './resolve-policy.ts';
import { judgeAuthority } from './verify-signature.ts';

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
  const { claim, goodUntil, offlineUntil, silenceMs } =
    outcome === 'allow'
      ? await proveAllow(dependencies, request, signal)
      : { claim: request.claim, goodUntil: Number.POSITIVE_INFINITY, offlineUntil: 0, silenceMs: 0 };
  const now = Date.now();
  const expires = Math.min(now + VERDICT_TTL_MS[outcome], Math.max(goodUntil, now + SHORTEST_ALLOW_MS));
  const verdict: Verdict = {
    ...claim,
    fleet: dependencies.fleet,
    trustRevision: trustRevision(dependencies, claim.policyRevision),
    decidedAt: new Date(now).toISOString(),
    expiresAt: new Date(expires).toISOString(),
    ...(offlineUntil > expires
      ? { offlineUntil: new Date(offlineUntil).toISOString(), workerSilenceMs: silenceMs }
      : {}),
  };
  const payload = new TextEncoder().encode(JSON.stringify(toStatement(verdict)));
  return { verdict, envelope: await dependencies.verdictKey.sign(STATEMENT_PAYLOAD_TYPE, payload) };
}

/** An allow that was proven. */
interface ProvenAllow {
  readonly claim: VerdictClaim;
  /**
   * Until when, in Unix ms, the keys in a KMS that it rests on are good: a verdict must not outlive the state by which it
   * was proven, or a key that its owner has disabled would go on opening the gate.
   */
  readonly goodUntil: number;
  /** Until when a node without a backend may use it, in Unix ms: what an OfflineUse permits, and those keys; 0 is not at all. */
  readonly offlineUntil: number;
  /** For how long workers must have been silent then, while Temporal answers, in ms. */
  readonly silenceMs: number;
}

/** Decides again, by the rule of the workflow. What is signed are the reasons and signers found here. */
async function proveAllow(
  dependencies: Dependencies,
  request: VerdictRequest,
  signal: AbortSignal,
): Promise<ProvenAllow> {
  const { claim, evidence } = request;
  const set = policySet(dependencies, claim.policyRevision);
  const resolution = resolutionOf(set, claim);
  const outcomes: ProvenAuthority[] = [];
  for (const { policy, authority } of resolution.matching.flatMap(({ authorities }) => authorities)) {
    const judged = await judgeAgain(dependencies, set, { policy, authority }, request, signal);
    if (judged !== undefined) outcomes.push(judged);
  }
  const signatures = { signatures: evidence, unreadable: [] };
  const { outcome, reasons, signers } = evaluate({ input: claim, resolution, signatures, outcomes, unable: [] });
  if (outcome !== 'allow') throw unproven(claim, `${reasons[0].code}: ${reasons[0].sentence}`);
  const stranger = claim.signers.find((claimed) => !signers.some((signer) => isSame(signer, claimed)));
  if (stranger !== undefined) throw unproven(claim, `${stranger.identity} did not sign as ${stranger.authority}`);
  const offline = offlineUseOf(set, claim.name);
  const satisfied = outcomes.filter(({ outcome: own }) => own.satisfied);
  return {
    claim: { ...claim, reasons: withWarnings(reasons, claim), signers },
    goodUntil: Math.min(...satisfied.map((one) => one.goodUntil)),
    offlineUntil: Math.min(offline.until, ...satisfied.map((one) => one.knownUntil)),
    silenceMs: offline.silenceMs,
  };
}

/**
 * Until when the policy permits an allow of this name without a backend, in Unix ms, and how long workers must have been silent
 * for that, in ms. Of several documents the strictest time counts, also of those that may be about the name.
 */
function offlineUseOf(
  { offlineUses }: PolicySet,
  name: string,
): { readonly until: number; readonly silenceMs: number } {
  const applied = applying(offlineUses, name);
  if (!applied.some(({ near }) => near === undefined)) return { until: 0, silenceMs: 0 };
  return {
    until: Date.now() + Math.min(...applied.map(({ of }) => of.forMs)),
    silenceMs: Math.max(...applied.map(({ of }) => of.silenceMs)),
  };
}

/** What one authority makes of the evidence, and until when its key is good. */
interface ProvenAuthority extends JudgedAuthority {
  readonly goodUntil: number;
  /** Until when its state may be believed while the KMS can't be asked, in Unix ms. */
  readonly knownUntil: number;
}

/** What one authority makes of the evidence now; `undefined` for one that needs none, or can't be asked and need not be. */
async function judgeAgain(
  dependencies: Dependencies,
  set: PolicySet,
  reference: { readonly policy: string; readonly authority: string },
  { claim, evidence }: VerdictRequest,
  signal: AbortSignal,
): Promise<ProvenAuthority | undefined> {
  const authority = findAuthority(dependencies, { ...reference, policyRevision: claim.policyRevision });
  if (authority.signer.kind === 'static') return undefined;
  const about = { ...reference, name: claim.name, digest: claim.digest };
  try {
    const subject = await subjectOf(dependencies, set, authority, about, signal);
    const outcome = await judgeAuthority(dependencies, subject, evidence, signal);
    const judged = { reference, outcome, ...timesOf(subject) };
    if (authority.log === undefined || !outcome.satisfied) return judged;
    return { ...judged, log: await checkLogs(dependencies, subject, evidence, signal) };
  } catch (error) {
    // Another authority may do: only one that is claimed to have signed has to be asked.
    const label = `${reference.policy}/${reference.authority}`;
    const isClaimed = claim.signers.some((signer) => signer.authority === label);
    if (isClaimed || claim.signers.length === 0 || !(error instanceof EvidenceError)) throw error;
    return undefined;
  }
}

function timesOf({ rule: { signer }, keys: { managed } }: EvidenceSubject) {
  if (signer.kind !== 'kms' || managed === undefined) {
    return { goodUntil: Number.POSITIVE_INFINITY, knownUntil: Number.POSITIVE_INFINITY };
  }
  const { maxAgeMs, staleMs } = signer.freshness;
  const goodUntil = managed.checkedAt + maxAgeMs;
  return { goodUntil, knownUntil: managed.checkedAt + Math.max(maxAgeMs, staleMs) };
}

/** Only what is proven is proven again, so a warning is told in the words of the workflow that found the whole of it. */
function withWarnings([first, ...rest]: Verdict['reasons'], { reasons }: VerdictClaim): Verdict['reasons'] {
  const isWarning = ({ code }: Reason) => code === 'POLICY_WARNS';
  const warnings = reasons.filter(isWarning);
  const [own, ...others] = [...[first, ...rest].filter((reason) => !isWarning(reason)), ...warnings];
  return own === undefined ? [first, ...rest] : [own, ...others];
}

function isSame(a: Signer, b: Signer): boolean {
  return (
    a.authority === b.authority &&
    a.identity === b.identity &&
    a.evidence === b.evidence &&
    a.predicateType === b.predicateType
  );
}

function unproven(claim: VerdictClaim, why: string): EvidenceError {
  const sentence = `asked to sign an allow for ${claim.name}@${claim.digest} that the evidence does not bear out (${why}); pull again, and see who may start workflows`;
  return new EvidenceError('CLAIM_UNPROVEN', sentence, { retryable: false });
}
