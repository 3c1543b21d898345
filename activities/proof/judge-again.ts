import type { AuthorityOutcome, Rejection, SignatureReference, VerdictClaim } from '../../workflows/activities.ts';
import type { JudgedAuthority } from '../../workflows/policy/evaluate.ts';
import type { Reason } from '../../workflows/verdict/reason.ts';
import { findAuthority } from '../authority/applied-policy.ts';
import { checkLogs } from '../authority/check-logs.ts';
import { judgeAuthority } from '../authority/judge-authority.ts';
import { type EvidenceSubject, registryOf, subjectOf } from '../authority/judge-evidence.ts';
import type { Dependencies } from '../dependencies.ts';
import { EvidenceError } from '../evidence-error.ts';
import type { PolicySet } from '../policy/policy-set.ts';
import { searchEverySignature } from '../registry/evidence/signature-search.ts';

/** What one authority makes of the evidence, and until when its key is good. */
export interface ProvenAuthority extends JudgedAuthority {
  readonly kind: 'judged';
  readonly goodUntil: number;
  /** Until when its state may be believed while the KMS can't be asked, in Unix ms. */
  readonly knownUntil: number;
}

/** One authority that is asked again. */
interface Question {
  readonly reference: { readonly policy: string; readonly authority: string };
  readonly mode: 'enforce' | 'warn';
  readonly claim: VerdictClaim;
  readonly evidence: readonly SignatureReference[];
}

/**
 * What one authority makes of the evidence now, or why it can't be asked; `undefined` for one that needs none. Throws the
 * inability of an authority that has to be asked.
 */
export async function judgeAgain(
  dependencies: Dependencies,
  set: PolicySet,
  { reference, mode, claim, evidence }: Question,
  signal: AbortSignal,
): Promise<ProvenAuthority | { readonly kind: 'unable'; readonly inability: Reason } | undefined> {
  const authority = findAuthority(dependencies, { ...reference, policyRevision: claim.policyRevision });
  if (authority.signer.kind === 'static') return undefined;
  const about = { ...reference, name: claim.name, digest: claim.digest };
  try {
    const subject = await subjectOf(dependencies, set, authority, about, signal);
    const counted = authority.newestAttestation ? await everySignature(dependencies, subject, signal) : evidence;
    return {
      kind: 'judged',
      reference,
      ...(await judgeWithLogs(dependencies, subject, counted, signal)),
      ...timesOf(subject),
    };
  } catch (error) {
    // Another authority may do: only one that is claimed to have signed has to be asked, and none of a policy that warns.
    const label = `${reference.policy}/${reference.authority}`;
    const isClaimed = claim.signers.length === 0 || claim.signers.some((signer) => signer.authority === label);
    if (!(error instanceof EvidenceError) || (isClaimed && mode === 'enforce')) throw error;
    return { kind: 'unable', inability: { code: error.code, sentence: error.message } };
  }
}

/** What a claim leaves out may be newer than what it rests on, so the registry is asked for all of it. */
async function everySignature(
  dependencies: Dependencies,
  { set, rule: { sources, coversIndexChildren }, name, digest }: EvidenceSubject,
  signal: AbortSignal,
): Promise<readonly SignatureReference[]> {
  const covers = coversIndexChildren ? ({ coversIndexChildren } as const) : {};
  const places = (sources.length > 0 ? sources : [{}]).map((source) => ({ ...source, ...covers }));
  const searches = places.map((source) => {
    const registry = registryOf(dependencies, set, source);
    return searchEverySignature(registry, { name, digest, source }, signal, dependencies.registry);
  });
  return (await Promise.all(searches)).flatMap(({ signatures }) => signatures);
}

/** Evidence that the logs do not bear out makes room for the rest, as in the workflow. */
async function judgeWithLogs(
  dependencies: Dependencies,
  subject: EvidenceSubject,
  evidence: readonly SignatureReference[],
  signal: AbortSignal,
): Promise<Pick<JudgedAuthority, 'outcome' | 'log'>> {
  const refused: Rejection[] = [];
  let left = evidence;
  for (;;) {
    const outcome = await judgeAuthority(dependencies, subject, left, signal);
    if (!outcome.satisfied) return { outcome: withRejected(outcome, refused) };
    if (subject.rule.log === undefined) return { outcome };
    const log = await checkLogs(dependencies, subject, left, signal);
    const unconfirmed = new Set(outcome.signers.map((signer) => signer.evidence));
    for (const blob of log.confirmed) unconfirmed.delete(blob);
    if (unconfirmed.size === 0) return { outcome, log };
    refused.push(...log.rejected.filter(({ blob }) => unconfirmed.has(blob)));
    left = left.filter(({ blob }) => !unconfirmed.has(blob));
  }
}

function withRejected(outcome: AuthorityOutcome & { readonly satisfied: false }, more: readonly Rejection[]) {
  return { ...outcome, rejected: [...more, ...outcome.rejected] };
}

function timesOf({ rule: { signer }, keys: { managed } }: EvidenceSubject) {
  if (signer.kind !== 'kms' || managed === undefined) {
    return { goodUntil: Number.POSITIVE_INFINITY, knownUntil: Number.POSITIVE_INFINITY };
  }
  const { maxAgeMs, staleMs } = signer.freshness;
  const goodUntil = managed.checkedAt + maxAgeMs;
  return { goodUntil, knownUntil: managed.checkedAt + Math.max(maxAgeMs, staleMs) };
}
