import { createHash } from 'node:crypto';
import type { AuthorityReference, Rejection, SignatureReference, SignatureSource } from '../../workflows/activities.ts';
import type { Digest } from '../../workflows/format/digest.ts';
import { repositoryOf } from '../../workflows/format/name.ts';
import { WORKFLOW_EXECUTION_MS } from '../../workflows/verdict/deadlines.ts';
import type { ReasonCode } from '../../workflows/verdict/reason.ts';
import type { Dependencies } from '../dependencies.ts';
import { EvidenceError } from '../evidence-error.ts';
import type { Share } from '../judging/fair-queue.ts';
import { entryQuestionInThread, judgeInThread, signedMaterialInThread } from '../judging/judge-pool.ts';
import type { ThreadJudgement } from '../judging/judging-message.ts';
import type { Authority, PolicySet } from '../policy/policy-set.ts';
import { indexLists } from '../registry/evidence/covering-index.ts';
import { readSignature } from '../registry/evidence/signatures.ts';
import type { KeepPlace } from '../registry/read-content.ts';
import type { Registry } from '../registry/registry.ts';
import { describeLookUp } from '../rekor/look-up.ts';
import { revokedEvidence } from '../revocation/revoked.ts';
import type { SignatureContent } from '../sigstore/evidence/content.ts';
import { type ExpectedImage, type Refusal, refuse } from '../sigstore/judgement.ts';
import type { FoundEntry } from '../sigstore/log/looked-up-entry.ts';
import type { Requirement } from '../sigstore/requirement/requirement.ts';
import type { TransparencyLog } from '../trust/trust-root.ts';
import { trustRevisionOf } from './applied-policy.ts';
import { expectedImage } from './expected-image.ts';
import { imageName } from './image-name.ts';
import type { Judged } from './judgement-cache.ts';
import { type AuthorityKeys, authorityKeys } from './keys.ts';
import { type EvidenceRule, logsOf } from './rule.ts';

/** One authority of the policy set that is applied, and the image that it is asked about. */
export interface EvidenceSubject extends AuthorityReference {
  readonly set: PolicySet;
  readonly rule: Authority;
  /** What {@link evidenceRules} made of the rule. */
  readonly logs: readonly TransparencyLog[];
  readonly keys: AuthorityKeys;
  /** Of the trust roots before anything was made of them: what is judged is never filed under an older one's name. */
  readonly trustRevision: string;
  readonly name: string;
  readonly digest: Digest;
}

/** How long a judgement that depends on the time of day is used again, in ms. */
const JUDGEMENT_MS = 60_000;

/** Refusals that another time of day may turn into a proof. */
const TIMELY: ReadonlySet<ReasonCode> = new Set([
  'CERTIFICATE_EXPIRED',
  'CERTIFICATE_UNTRUSTED',
  'CERTIFICATE_UNLOGGED',
  'LOG_KEY_EXPIRED',
]);

/** Refusals before it is asked which image the evidence is about: they are the same beside every image. */
const OF_ANY_IMAGE: ReadonlySet<ReasonCode> = new Set([
  'EVIDENCE_MALFORMED',
  'EVIDENCE_TOO_LARGE',
  'EVIDENCE_UNSUPPORTED',
  'SIGNATURE_INVALID',
  'WRONG_KEY',
]);

/** Refusals that an entry, once the log has it, may turn into a proof where the policy has entries looked up. */
const LOOKED_UP: ReadonlySet<ReasonCode> = new Set([...TIMELY, 'LOG_ENTRY_MISSING', 'TIMESTAMP_MISSING']);

/** Gathers what {@link judgeEvidence} needs to know about an authority. Throws what {@link authorityKeys} throws. */
export async function subjectOf(
  dependencies: Pick<Dependencies, 'trust' | 'keys'>,
  set: PolicySet,
  rule: Authority,
  about: AuthorityReference & { readonly name: string; readonly digest: Digest },
  signal: AbortSignal,
): Promise<EvidenceSubject> {
  const { policy, authority, name, digest } = about;
  const keys = await authorityKeys(dependencies, rule, signal);
  const trustRevision = trustRevisionOf(dependencies, set);
  return { policy, authority, name, digest, set, rule, keys, trustRevision, logs: logsOf(rule, dependencies.trust) };
}

/** Evidence that is not revoked, and why the rest counts nowhere. */
export function notRevoked(
  { revocations }: Pick<Dependencies, 'revocations'>,
  references: readonly SignatureReference[],
): { readonly counted: readonly SignatureReference[]; readonly rejected: Rejection[] } {
  const judged = references.map((reference) => ({ reference, rejection: revokedEvidence(revocations, reference) }));
  return {
    counted: judged.flatMap(({ reference, rejection }) => (rejection === undefined ? [reference] : [])),
    rejected: judged.flatMap(({ rejection }) => rejection ?? []),
  };
}

/**
 * Judges one piece of evidence by one rule: bytes from the worker's cache or once more from the registry, and, where
 * the policy wants it, a log entry that is looked up. Throws the REGISTRY_ codes, and the LOG_ codes of a look-up.
 */
export async function judgeEvidence(
  dependencies: Dependencies,
  subject: EvidenceSubject,
  rule: EvidenceRule,
  reference: SignatureReference,
  signal: AbortSignal,
): Promise<ThreadJudgement> {
  const { judgements } = dependencies;
  const ofBlob = questionOf(dependencies, subject, rule, reference, 'any image');
  const known = judgements.refusal(ofBlob);
  if (known !== undefined) return known;
  const question = questionOf(dependencies, subject, rule, reference, 'this image');
  return await judgements.get(question, async () => {
    const judged = await judgeNow(dependencies, subject, rule, reference, ofBlob, signal);
    const { judgement, keepMs } = judged;
    if (!judgement.valid && OF_ANY_IMAGE.has(judgement.code)) judgements.keepRefusal(ofBlob, judgement, keepMs);
    return judged;
  });
}

/** What is large has its place in memory until it is judged. */
async function judgeNow(
  dependencies: Dependencies,
  subject: EvidenceSubject,
  rule: EvidenceRule,
  reference: SignatureReference,
  ofBlob: string,
  signal: AbortSignal,
): Promise<Judged> {
  const registry = registryOf(dependencies, subject.set, reference.source);
  const expected = expectedImage(subject.rule, subject.name, reference.index ?? subject.digest);
  if (reference.index !== undefined) {
    const listed = await indexLists(dependencies.registry, subject.name, reference.index, subject.digest, signal);
    if (!listed) {
      const sentence = `it is about the index ${reference.index}, which lists no such image`;
      return { judgement: refuse('SUBJECT_MISMATCH', sentence), keepMs: 0 };
    }
  }
  const places: (() => void)[] = [];
  try {
    const content = await readOrRefuse(registry, subject.name, reference, (leave) => places.push(leave), signal);
    if ('code' in content) return { judgement: content, keepMs: WORKFLOW_EXECUTION_MS };
    // Others may have judged it while it was read.
    const known = dependencies.judgements.refusal(ofBlob);
    if (known !== undefined) return { judgement: known, keepMs: 0 };
    return await judgeContent(dependencies, subject, rule, { content, expected }, signal);
  } finally {
    for (const leave of places) leave();
  }
}

async function judgeContent(
  dependencies: Dependencies,
  subject: EvidenceSubject,
  { requirements, condition }: EvidenceRule,
  { content, expected }: { readonly content: SignatureContent; readonly expected: ExpectedImage },
  signal: AbortSignal,
): Promise<Judged> {
  let refusal = refuse('KEY_UNSUITABLE', 'there is no key to judge by');
  for (const requirement of requirements) {
    const foundEntries = await lookUp(dependencies, subject, requirement, content, signal);
    const context = { now: new Date(), foundEntries };
    const asked = { content, requirement, expected, context, statement: condition !== undefined };
    const judgement = await judgeInThread(shareOf(subject), asked, signal);
    if (judgement.valid) return await confirmByService(dependencies, subject, content, judgement, signal);
    refusal = judgement;
  }
  return { judgement: inContext(subject, refusal), keepMs: lastsFor(subject, refusal) };
}

/** What is larger than any evidence is junk, however large its manifest says that it is, and no inability. */
async function readOrRefuse(
  registry: Registry,
  name: string,
  reference: SignatureReference,
  keepPlace: KeepPlace,
  signal: AbortSignal,
): Promise<SignatureContent | Refusal> {
  try {
    return await readSignature(registry, name, reference, signal, keepPlace);
  } catch (error) {
    if (!(error instanceof EvidenceError) || error.code !== 'EVIDENCE_TOO_LARGE') throw error;
    return refuse(error.code, error.message);
  }
}

/** The failure when one piece of evidence could not be read, which says nothing of the others; throws all else. */
export function asUnread(error: unknown): EvidenceError {
  const isUnread = (code: ReasonCode) => code.startsWith('REGISTRY_') || code === 'EVIDENCE_NOT_SERVED';
  if (error instanceof EvidenceError && isUnread(error.code)) return error;
  throw error;
}

/** For how long evidence that was refused would be refused again, in ms. */
function lastsFor({ rule }: EvidenceSubject, { code }: Refusal): number {
  if (rule.log?.mode === 'lookup' && LOOKED_UP.has(code)) return 0;
  return TIMELY.has(code) ? JUDGEMENT_MS : WORKFLOW_EXECUTION_MS;
}

/** Whose evidence it is. */
function shareOf({ name, digest }: EvidenceSubject): Share {
  return { repository: repositoryOf(imageName(name)), image: digest };
}

/** Where the policy wants it, the KMS has the last word. */
async function confirmByService(
  { keys }: Dependencies,
  subject: EvidenceSubject,
  content: SignatureContent,
  proof: Extract<ThreadJudgement, { readonly valid: true }>,
  signal: AbortSignal,
): Promise<Judged> {
  const kept = { judgement: proof, keepMs: JUDGEMENT_MS };
  const {
    rule: { signer },
    keys: { managed },
  } = subject;
  if (signer.kind !== 'kms' || signer.verification !== 'remote') return kept;
  const material = await signedMaterialInThread(shareOf(subject), content, signal);
  const holds =
    managed !== undefined &&
    material !== undefined &&
    (await keys.verify(managed, material.signed, material.signature, signal));
  // The KMS has the last word, and may say another one a moment later.
  if (holds) return { ...kept, keepMs: 0 };
  const sentence = `the KMS says that the signature does not hold under ${signer.reference.uri}`;
  return { judgement: refuse('SIGNATURE_INVALID', sentence), keepMs: 0 };
}

/** A refusal, with what the evidence itself can't tell. */
function inContext({ rule, logs, keys: { managed } }: EvidenceSubject, judgement: Refusal): Refusal {
  if (judgement.code === 'LOG_ENTRY_MISSING' && rule.log?.mode === 'lookup') {
    return refuse(judgement.code, `${judgement.sentence}; ${describeLookUp(logs)}`);
  }
  const [former] = managed?.before ?? [];
  const isOtherKey = judgement.code === 'WRONG_KEY' || judgement.code === 'SIGNATURE_INVALID';
  if (managed === undefined || former === undefined || !isOtherKey) return judgement;
  const until = new Date(former.seenAt).toISOString();
  const moved = `${managed.reference.uri} means ${managed.description.resource} now, and meant ${former.resource} at ${until}`;
  return refuse('KEY_CHANGED', `${moved}: ${judgement.sentence}`);
}

/** The reader for one place: with the pull secrets that the policy names for it, or the worker's own credentials. */
export function registryOf(
  { registry, registryWith }: Pick<Dependencies, 'registry' | 'registryWith'>,
  { pullSecrets }: PolicySet,
  { pullSecrets: names = [] }: SignatureSource,
): Registry {
  const secrets = names.flatMap((name) => pullSecrets.get(name) ?? []);
  if (secrets.length === 0) return registry;
  const auths = new Map(secrets.flatMap((secret) => [...secret.auths]));
  return registryWith({ auths, credHelpers: new Map(), credsStore: undefined });
}

async function lookUp(
  { logs }: Dependencies,
  subject: EvidenceSubject,
  { signer }: Requirement,
  content: SignatureContent,
  signal: AbortSignal,
): Promise<readonly FoundEntry[]> {
  const { rule, logs: candidates } = subject;
  if (rule.log?.mode !== 'lookup') return [];
  const question = await entryQuestionInThread(shareOf(subject), content, signer, signal);
  if (question === undefined) return [];
  const found = await Promise.all(candidates.map((log) => logs.lookUp(log, question, signal)));
  return found.flat();
}

/** What of a reference decides which bytes are judged: a bundle is the same in whatever manifest, what annotations hold is not. */
function contentIn(reference: SignatureReference): object {
  if (reference.format !== 'bundle') return reference;
  const { format, source, blob, index } = reference;
  return { format, source, blob, index };
}

/** Everything that the answer depends on but the time, in a few characters. A tag counts only where the policy requires the exact reference. */
function questionOf(
  dependencies: Dependencies,
  { set, policy, authority, rule, name, digest, keys, trustRevision }: EvidenceSubject,
  { wanted, condition }: EvidenceRule,
  reference: SignatureReference,
  about: 'this image' | 'any image',
): string {
  // Not when a KMS was asked: that is another time for the same key.
  const known = keys.check.usable ? keys.check.keyId : keys.check.code;
  const trust = [trustRevision, trustRevisionOf(dependencies, set)];
  const applied = [set.contentHash, ...trust, policy, authority, wanted, condition !== undefined, known];
  return createHash('sha256')
    .update(
      JSON.stringify([
        ...applied,
        about === 'this image' ? expectedImage(rule, name, digest) : [],
        contentIn(reference),
      ]),
    )
    .digest('base64');
}
