import { isDeepStrictEqual } from 'node:util';
import type { MatchingPolicy, SignatureReference, VerdictClaim, VerdictRequest } from '../../workflows/activities.ts';
import type { Digest } from '../../workflows/format/digest.ts';
import { type Evaluation, evaluate, type UnableAuthority } from '../../workflows/policy/evaluate.ts';
import { applying } from '../../workflows/policy/selection.ts';
import { REASON_OUTCOME, type Reason } from '../../workflows/verdict/reason.ts';
import { MAX_COVERED, type Signer } from '../../workflows/verdict/verdict.ts';
import { policySet } from '../authority/applied-policy.ts';
import { registryOf } from '../authority/judge-evidence.ts';
import { resolutionOf } from '../authority/resolution.ts';
import type { Dependencies } from '../dependencies.ts';
import { EvidenceError } from '../evidence-error.ts';
import type { PolicySet } from '../policy/policy-set.ts';
import { joinFailures } from '../registry/evidence/failed-places.ts';
import { searchSignatures } from '../registry/evidence/signature-search.ts';
import { contentsOf, type ImageContents } from './image-contents.ts';
import { judgeAgain, type ProvenAuthority } from './judge-again.ts';
import { listedEvidence } from './listed-evidence.ts';

/** An allow that was proven. */
export interface ProvenAllow {
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
  /** As in a {@link Verdict}. */
  readonly covers: readonly Digest[] | undefined;
}

/** A claim of an allow that the evidence bears out and a revocation overrules, or any refusal. */
export interface ProvenRefusal {
  readonly claim: VerdictClaim;
}

/** What a worker is asked to sign, and how long it may look. */
export interface Asked {
  readonly request: VerdictRequest;
  readonly signal: AbortSignal;
  /** ms for each list and each artefact of a place. */
  readonly placeMs: number;
}

/** One proof: what is asked, and by which policies. */
interface Proof extends Asked {
  readonly set: PolicySet;
}

/**
 * Decides again, by the rule of the workflow. What is signed are the reasons and signers found here. A claim that the
 * evidence bears out is decided by what the registry lists of it now.
 */
export async function proveAllow(dependencies: Dependencies, asked: Asked): Promise<ProvenAllow | ProvenRefusal> {
  const { claim, evidence } = asked.request;
  const proven = await proveBy(dependencies, asked);
  const set = policySet(dependencies, claim.policyRevision);
  const { listed, failures } = await listedEvidence(dependencies, set, claim, evidence, asked.signal);
  const gone = evidence.length - listed.length;
  if (gone === 0) return proven;
  try {
    return await proveBy(dependencies, { ...asked, request: { claim, evidence: listed } });
  } catch (error) {
    const failure = joinFailures(failures);
    if (failure !== undefined) throw failure;
    if (!(error instanceof EvidenceError) || error.code !== 'CLAIM_UNPROVEN') throw error;
    throw unproven(claim, `the registry does not list ${gone} of ${evidence.length} signatures`);
  }
}

/** Decides by the given evidence. Throws CLAIM_UNPROVEN, POLICY_CHANGED and what reading the evidence throws. */
async function proveBy(dependencies: Dependencies, asked: Asked): Promise<ProvenAllow | ProvenRefusal> {
  const { claim, evidence } = asked.request;
  const proof: Proof = { set: policySet(dependencies, claim.policyRevision), ...asked };
  const resolution = resolutionOf(dependencies, proof.set, claim);
  const judged = await judgeAll(dependencies, proof, resolution.matching, evidence);
  const found = { signatures: evidence, unreadable: [] };
  const proven = evaluate({ input: claim, resolution, signatures: found, ...judged });
  if (proven.outcome !== 'allow') throw unproven(claim, `${proven.reasons[0].code}: ${proven.reasons[0].sentence}`);
  const stranger = claim.signers.find((claimed) => !proven.signers.some((signer) => isSame(signer, claimed)));
  if (stranger !== undefined) throw unproven(claim, `${stranger.identity} did not sign as ${stranger.authority}`);
  const { evaluation, references, outcomes } = await withWarnings(dependencies, proof, { proven, ...judged });
  const contents = await contentsOf(dependencies, proof.set, claim, proof.signal);
  if (contents.kind === 'refused') return { claim: refused(claim, contents.reason) };
  const offline = offlineUseOf(proof.set, claim.name);
  const satisfied = outcomes.filter(({ outcome: own }) => own.satisfied);
  return {
    claim: { ...claim, reasons: evaluation.reasons, signers: evaluation.signers },
    goodUntil: Math.min(...satisfied.map((one) => one.goodUntil)),
    offlineUntil: Math.min(offline.until, ...satisfied.map((one) => one.knownUntil)),
    silenceMs: offline.silenceMs,
    covers: coveredBy(contents, evaluation.signers, references),
  };
}

interface JudgedPolicies {
  readonly outcomes: readonly ProvenAuthority[];
  readonly unable: readonly UnableAuthority[];
}

async function judgeAll(
  dependencies: Dependencies,
  { set, request: { claim }, signal }: Proof,
  policies: readonly MatchingPolicy[],
  evidence: readonly SignatureReference[],
): Promise<JudgedPolicies> {
  const outcomes: ProvenAuthority[] = [];
  const unable: UnableAuthority[] = [];
  for (const { mode, authorities } of policies) {
    for (const { policy, authority } of authorities) {
      const reference = { policy, authority };
      const judged = await judgeAgain(dependencies, set, { reference, mode, claim, evidence }, signal);
      if (judged?.kind === 'judged') outcomes.push(judged);
      else if (judged?.kind === 'unable') unable.push({ reference, inability: judged.inability });
    }
  }
  return { outcomes, unable };
}

/**
 * The same allow with the warnings that hold, in this worker's own words. The evidence of a claim is what its signers
 * rest on, so a policy that warns is judged by everything that the registry has now: a warning can neither be left out
 * of a claim nor be brought about by leaving out evidence.
 */
async function withWarnings(
  dependencies: Dependencies,
  proof: Proof,
  { proven, outcomes, unable }: JudgedPolicies & { readonly proven: Evaluation },
): Promise<JudgedPolicies & { readonly evaluation: Evaluation; readonly references: readonly SignatureReference[] }> {
  const { claim, evidence } = proof.request;
  const isWarned = proven.reasons.some(({ code }) => code === 'POLICY_WARNS');
  if (!isWarned) return { evaluation: proven, outcomes, unable, references: evidence };
  const resolution = resolutionOf(dependencies, proof.set, claim);
  const warning = resolution.matching.filter(({ mode }) => mode === 'warn');
  const found = await findAll(dependencies, proof, warning);
  const fresh = found.references.filter((one) => !evidence.some((known) => isDeepStrictEqual(known, one)));
  const references = [...evidence, ...fresh];
  const again = await judgeAll(dependencies, proof, warning, references);
  const isOther = ({ reference }: UnableAuthority | ProvenAuthority) =>
    !warning.some(({ name }) => name === reference.policy);
  const all = {
    outcomes: [...outcomes.filter(isOther), ...again.outcomes],
    unable: [...unable.filter(isOther), ...again.unable, ...found.unable],
  };
  const signatures = { signatures: references, unreadable: found.unreadable };
  return { evaluation: evaluate({ input: claim, resolution, signatures, ...all }), ...all, references };
}

/** What the places that some policies name hold; a place that can't be read is an inability of its authorities. */
async function findAll(
  dependencies: Dependencies,
  { set, request: { claim }, signal, placeMs }: Proof,
  policies: readonly MatchingPolicy[],
) {
  const places = new Map<string, Awaited<ReturnType<typeof searchSignatures>>>();
  const unable: UnableAuthority[] = [];
  for (const { policy, authority, sources } of policies.flatMap(({ authorities }) => authorities)) {
    for (const source of sources) {
      const key = JSON.stringify(source);
      const request = { name: claim.name, digest: claim.digest, source, placeMs };
      const registry = registryOf(dependencies, set, source);
      const found = places.get(key) ?? (await searchSignatures(registry, request, signal, dependencies.registry));
      places.set(key, found);
      const failure = joinFailures(found.failures);
      if (failure === undefined) continue;
      unable.push({ reference: { policy, authority }, inability: { code: failure.code, sentence: failure.message } });
    }
  }
  const all = [...places.values()];
  return {
    references: all.flatMap(({ signatures }) => signatures),
    unreadable: all.flatMap(({ unreadable }) => unreadable),
    unable,
  };
}

function refused(claim: VerdictClaim, reason: Reason): VerdictClaim {
  return { ...claim, outcome: REASON_OUTCOME[reason.code], reasons: [reason], signers: [] };
}

/** What ends this allow when it is revoked, beside the image and the evidence of its signers. */
function coveredBy(
  contents: Exclude<ImageContents, { readonly kind: 'refused' }>,
  signers: readonly Signer[],
  references: readonly SignatureReference[],
): readonly Digest[] | undefined {
  if (contents.kind === 'unknown') return undefined;
  const blobs = new Set(signers.map(({ evidence }) => evidence));
  const used = references.filter(({ blob }) => blobs.has(blob));
  const stored = used.flatMap(({ manifest, index }) => (index === undefined ? [manifest] : [manifest, index]));
  const covers = [...new Set([...contents.digests, ...stored])];
  return covers.length > MAX_COVERED ? undefined : covers;
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

function isSame(a: Signer, b: Signer): boolean {
  return (
    a.authority === b.authority &&
    a.identity === b.identity &&
    a.evidence === b.evidence &&
    a.predicateType === b.predicateType
  );
}

/** A claim that is not borne out: a bug, or somebody else who asks the worker to sign. */
export function unproven(claim: VerdictClaim, why: string): EvidenceError {
  const sentence = `asked to sign an allow for ${claim.name}@${claim.digest} that the evidence does not bear out (${why}); pull again, and see who may start workflows`;
  return new EvidenceError('CLAIM_UNPROVEN', sentence, { retryable: false });
}
