import type { AuthorityReference, SignatureReference, SignatureSource } from '../workflows/activities.ts';
import type { Digest } from '../workflows/digest.ts';
import { repositoryOf } from '../workflows/name.ts';
import { trustRevisionOf } from './applied-policy.ts';
import { type AuthorityKeys, authorityKeys } from './authority-keys.ts';
import { type EvidenceRule, logsOf } from './authority-rule.ts';
import type { Dependencies } from './dependencies.ts';
import { imageName } from './image-name.ts';
import type { Authority, PolicySet } from './policy/policy-set.ts';
import { indexLists } from './registry/covering-index.ts';
import type { Registry } from './registry/registry.ts';
import { readSignature } from './registry/signatures.ts';
import type { FoundEntry } from './rekor/live-log.ts';
import { describeLookUp } from './rekor/look-up.ts';
import type { SignatureContent } from './sigstore/content.ts';
import { type ExpectedImage, type Proof, refuse, type SignatureJudgement } from './sigstore/judgement.ts';
import type { Requirement } from './sigstore/requirement.ts';
import { entryQuestion, judge } from './sigstore/signature.ts';
import { signedMaterial } from './sigstore/signed-material.ts';
import type { TransparencyLog } from './trust/trust-root.ts';

/** One authority of the policy set that is applied, and the image that it is asked about. */
export interface EvidenceSubject extends AuthorityReference {
  readonly set: PolicySet;
  readonly rule: Authority;
  /** What {@link evidenceRules} made of the rule. */
  readonly logs: readonly TransparencyLog[];
  readonly keys: AuthorityKeys;
  readonly name: string;
  readonly digest: Digest;
}

/** How long a judgement that depends on the time of day is used again, in ms. */
const JUDGEMENT_MS = 60_000;

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
  return { policy, authority, name, digest, set, rule, keys, logs: logsOf(rule, dependencies.trust) };
}

/** The evidence that an authority looks at: of a form that counts, and from a place that its policy names. */
export function countedEvidence(
  { formats, sources, coversIndexChildren }: Authority,
  references: readonly SignatureReference[],
): readonly SignatureReference[] {
  const places = sources.length > 0 ? sources : [{}];
  return references.filter(({ format, source, index }) => {
    if (!formats.includes(format === 'bundle' ? 'bundle' : 'legacy')) return false;
    if (index !== undefined && !coversIndexChildren) return false;
    return places.some((place) => isSamePlace(place, source));
  });
}

/**
 * Judges one piece of evidence by one rule: bytes from the worker's cache or once more from the registry, and, where
 * the policy wants it, a log entry that is looked up. Throws the REGISTRY_ codes, and the LOG_ codes of a look-up.
 */
export async function judgeEvidence(
  dependencies: Dependencies,
  subject: EvidenceSubject,
  { wanted, requirements }: EvidenceRule,
  reference: SignatureReference,
  signal: AbortSignal,
): Promise<SignatureJudgement> {
  const now = new Date();
  const question = questionOf(dependencies, subject, wanted, reference, now);
  return await dependencies.judgements.get(question, () =>
    judgeNow(dependencies, subject, requirements, reference, now, signal),
  );
}

async function judgeNow(
  dependencies: Dependencies,
  subject: EvidenceSubject,
  requirements: readonly Requirement[],
  reference: SignatureReference,
  now: Date,
  signal: AbortSignal,
): Promise<SignatureJudgement> {
  const registry = registryOf(dependencies, subject.set, reference.source);
  const expected: ExpectedImage = {
    digest: reference.index ?? subject.digest,
    repository: repositoryOf(imageName(subject.name)),
  };
  if (reference.index !== undefined) {
    const listed = await indexLists(dependencies.registry, subject.name, reference.index, subject.digest, signal);
    if (!listed)
      return refuse('SUBJECT_MISMATCH', `it is about the index ${reference.index}, which lists no such image`);
  }
  const content = await readSignature(registry, subject.name, reference, signal);
  let judgement: SignatureJudgement = refuse('KEY_UNSUITABLE', 'there is no key to judge by');
  for (const requirement of requirements) {
    const foundEntries = await lookUp(dependencies, subject, requirement, content, signal);
    judgement = judge(content, requirement, expected, { now, foundEntries });
    if (judgement.valid) return await confirmByService(dependencies, subject, content, judgement, signal);
  }
  return inContext(subject, judgement);
}

/** Where the policy wants it, the KMS has the last word. */
async function confirmByService(
  { keys }: Dependencies,
  { rule: { signer }, keys: { managed } }: EvidenceSubject,
  content: SignatureContent,
  proof: Proof,
  signal: AbortSignal,
): Promise<SignatureJudgement> {
  if (signer.kind !== 'kms' || signer.verification !== 'remote') return proof;
  const material = signedMaterial(content);
  const holds =
    managed !== undefined &&
    material !== undefined &&
    (await keys.verify(managed, material.signed, material.signature, signal));
  return holds
    ? proof
    : refuse('SIGNATURE_INVALID', `the KMS says that the signature does not hold under ${signer.reference.uri}`);
}

/** A refusal, with what the evidence itself can't tell. */
function inContext({ rule, logs, keys: { managed } }: EvidenceSubject, judgement: SignatureJudgement) {
  if (judgement.valid) return judgement;
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
  { rule, logs: candidates }: EvidenceSubject,
  { signer }: Requirement,
  content: SignatureContent,
  signal: AbortSignal,
): Promise<readonly FoundEntry[]> {
  const question = rule.log?.mode === 'lookup' ? entryQuestion(content, signer) : undefined;
  if (question === undefined) return [];
  const found = await Promise.all(candidates.map((log) => logs.lookUp(log, question, signal)));
  return found.flat();
}

function isSamePlace(a: SignatureSource, b: SignatureSource): boolean {
  return a.repository === b.repository && (a.tagPrefix ?? '') === (b.tagPrefix ?? '');
}

/** Everything that the answer depends on. */
function questionOf(
  dependencies: Dependencies,
  { set, policy, authority, name, digest, keys }: EvidenceSubject,
  wanted: EvidenceRule['wanted'],
  reference: SignatureReference,
  now: Date,
): string {
  const applied = [set.revision, trustRevisionOf(dependencies, set), policy, authority, wanted, keys.check];
  return JSON.stringify([...applied, name, digest, reference, Math.floor(now.getTime() / JUDGEMENT_MS)]);
}
