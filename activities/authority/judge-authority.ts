import type { AuthorityOutcome, Rejection, SignatureReference } from '../../workflows/activities.ts';
import type { Signer } from '../../workflows/verdict/verdict.ts';
import { evaluateCondition } from '../attestation/condition.ts';
import type { Dependencies } from '../dependencies.ts';
import { EvidenceError } from '../evidence-error.ts';
import type { ThreadJudgement } from '../judging/judging-message.ts';
import { type Refusal, refuse } from '../sigstore/judgement.ts';
import { countedEvidence, passedOverEvidence } from './counted-evidence.ts';
import { asUnread, type EvidenceSubject, judgeEvidence, notRevoked } from './judge-evidence.ts';
import { type EvidenceRule, evidenceRules } from './rule.ts';

/**
 * Judges evidence about one image by one authority: the signature, or each of the attestations that it wants. Stops at
 * the first that holds. Throws the TRUST_ROOT_, REGISTRY_ and LOG_ codes.
 */
export async function judgeAuthority(
  dependencies: Dependencies,
  subject: EvidenceSubject,
  signatures: readonly SignatureReference[],
  signal: AbortSignal,
): Promise<AuthorityOutcome> {
  const { check, keys } = subject.keys;
  const { counted: references, rejected } = notRevoked(dependencies, countedEvidence(subject.rule, signatures));
  rejected.push(...passedOverEvidence(subject.rule, signatures));
  if (!check.usable) {
    const { code, sentence } = check;
    return { satisfied: false, rejected: [...rejected, ...references.map(({ blob }) => ({ blob, code, sentence }))] };
  }
  const rules = evidenceRules(subject.rule, dependencies.trust, keys);
  const signers: Signer[] = [];
  const find = subject.rule.newestAttestation ? newestThatHolds : firstThatHolds;
  for (const rule of rules) {
    const signer = await find({ dependencies, subject, references, rejected, signal }, rule);
    if (signer !== undefined) signers.push(signer);
  }
  const satisfied = rules.length > 0 && signers.length === rules.length;
  if (satisfied) return { satisfied, signers };
  const partial = signers.map(({ evidence }) => evidence);
  return { satisfied: false, rejected, ...(partial.length === 0 ? {} : { partial }) };
}

/** Evidence in which one rule after the other is looked for. */
interface Search {
  readonly dependencies: Dependencies;
  readonly subject: EvidenceSubject;
  readonly references: readonly SignatureReference[];
  /** Gets what does not meet a rule, with the reason. */
  readonly rejected: Rejection[];
  readonly signal: AbortSignal;
}

/** What can't be read hides nothing that holds; where nothing does, it may have been the one. */
async function firstThatHolds(
  { dependencies, subject, references, rejected, signal }: Search,
  rule: EvidenceRule,
): Promise<Signer | undefined> {
  let unread: EvidenceError | undefined;
  for (const reference of references) {
    const proof = await judgeEvidence(dependencies, subject, rule, reference, signal).catch(asUnread);
    if (proof instanceof EvidenceError) {
      unread ??= proof;
      continue;
    }
    const judgement = await underCondition(rule, proof, signal);
    if (judgement.valid) return signerOf(subject, reference, judgement);
    rejected.push({ blob: reference.blob, code: judgement.code, sentence: judgement.sentence });
  }
  if (unread !== undefined) throw unread;
  return undefined;
}

/**
 * Of all evidence that is proven, that by the newest certificate decides: it has to meet the condition, and where several
 * are of the same time all of them have to. What is older counts neither way.
 */
async function newestThatHolds(
  { dependencies, subject, references, rejected, signal }: Search,
  rule: EvidenceRule,
): Promise<Signer | undefined> {
  const proven: Proven[] = [];
  const reject = ({ blob }: SignatureReference, { code, sentence }: Refusal) => rejected.push({ blob, code, sentence });
  for (const reference of references) {
    const judgement = await judgeEvidence(dependencies, subject, rule, reference, signal);
    if (judgement.valid) proven.push({ reference, judgement, at: judgement.certifiedAt ?? Number.POSITIVE_INFINITY });
    else reject(reference, judgement);
  }
  const newest = Math.max(...proven.map(({ at }) => at));
  const holding: Signer[] = [];
  let fails = false;
  for (const { reference, judgement, at } of proven) {
    const answer = at === newest ? await underCondition(rule, judgement, signal) : outdated(at, newest);
    if (answer.valid) holding.push(signerOf(subject, reference, answer));
    else reject(reference, answer);
    fails ||= at === newest && !answer.valid;
  }
  return fails ? undefined : holding[0];
}

interface Proven {
  readonly reference: SignatureReference;
  readonly judgement: ThreadProof;
  /** When its certificate was issued, in Unix ms. What has no such time is never older than anything. */
  readonly at: number;
}

type ThreadProof = Extract<ThreadJudgement, { readonly valid: true }>;

function outdated(at: number, newest: number): Refusal {
  const [own, other] = [at, newest].map((time) =>
    Number.isFinite(time) ? new Date(time).toISOString() : 'no certain time',
  );
  return refuse('ATTESTATION_OUTDATED', `the attestation is of ${own}, and the newest one, of ${other}, decides`);
}

function signerOf(
  { policy, authority }: EvidenceSubject,
  { blob }: SignatureReference,
  { identity, statement }: ThreadProof,
): Signer {
  const signer = { authority: `${policy}/${authority}`, identity, evidence: blob };
  return statement === undefined ? signer : { ...signer, predicateType: statement.predicateType };
}

/** An attestation that is there may still not say what the policy wants. */
async function underCondition(
  { condition }: EvidenceRule,
  judgement: ThreadJudgement,
  signal: AbortSignal,
): Promise<ThreadJudgement> {
  if (!judgement.valid || condition === undefined) return judgement;
  if (judgement.statement === undefined) return refuse('CONDITION_FAILED', 'there is no statement to look at');
  const answer = await evaluateCondition(condition, judgement.statement, signal);
  return answer.holds ? judgement : refuse('CONDITION_FAILED', answer.sentence);
}
