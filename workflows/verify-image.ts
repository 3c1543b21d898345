import {
  allHandlersFinished,
  condition,
  defineQuery,
  defineUpdate,
  setCurrentDetails,
  setHandler,
  setWorkflowOptions,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import type { AuthorityOutcome, AuthorityReference, MatchingPolicy, SignatureSet } from './activities.ts';
import { runCheck } from './check-runner.ts';
import { type Check, type Checklist, createChecklist, renderChecklist } from './checklist.ts';
import type { Digest } from './digest.ts';
import type { Inability } from './inability.ts';
import { type Evaluation, evaluate } from './policy/evaluate.ts';
import { ATTRIBUTES } from './search-attributes.ts';
import type { SignedVerdict } from './verdict.ts';

/** What a node asks: may this digest enter under this name, by this revision of the policy? */
export interface VerificationInput {
  readonly decisionId: string;
  /** The name without its digest. */
  readonly name: string;
  readonly digest: Digest;
  readonly policyRevision: string;
}

/** Waits for the verdict. Always sent with {@link VERDICT_UPDATE_ID}, so that all callers of a run share one answer. */
export const verdictUpdate = defineUpdate<SignedVerdict>('verdict');
export const VERDICT_UPDATE_ID = 'verdict';

/** The checklist so far: what the verification has found and what it waits for. */
export const checksQuery = defineQuery<readonly Check[]>('checks');

setWorkflowOptions({ failureExceptionTypes: [Error] }, verifyImage);

/**
 * Decides about one image. The work goes on whether or not anybody waits: a caller whose time ran out finds the
 * verdict at the next pull. Ends with a signed verdict; fails only when the verdict can't be signed or on a bug, and
 * then no answer is stored, so that the next pull starts afresh.
 */
export async function verifyImage(input: VerificationInput): Promise<SignedVerdict> {
  let answer: SignedVerdict | undefined;
  setHandler(verdictUpdate, async () => {
    await condition(() => answer !== undefined);
    if (answer === undefined) throw new Error('the verdict vanished');
    return answer;
  });
  const checklist = createChecklist((checks) => setCurrentDetails(renderChecklist(checks)));
  setHandler(checksQuery, () => checklist.list());

  const evidence = await gather(input, checklist);
  const evaluation = evidence.ok ? evaluate(evidence.value) : couldNotFindOut(evidence.inability);
  answer = await sign(input, evaluation, evidence.ok ? evidence.value.signatures : NOTHING_FOUND, checklist);

  setCurrentDetails(renderChecklist(checklist.list(), evaluation));
  publish(evaluation);
  await condition(allHandlersFinished);
  return answer;
}

type Evidence = Parameters<typeof evaluate>[0];
type Gathered<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly inability: Inability };

const NOTHING_FOUND: SignatureSet = { signatures: [], unreadable: [] };

async function gather(input: VerificationInput, checklist: Checklist): Promise<Gathered<Evidence>> {
  const policy = await runCheck(
    {
      title: 'policy',
      summary: `policies for ${input.name}`,
      onTimeout: 'POLICY_UNKNOWN',
      call: (activities, options) => activities.resolvePolicy.executeWithOptions(options, [input]),
    },
    checklist,
  );
  if (!policy.ok) return policy;
  const { matching, loaded } = policy.value;
  const names = matching.map((match) => match.name).join(', ');
  checklist.set(
    'policy',
    matching.length > 0 ? 'passed' : 'failed',
    matching.length > 0 ? names : `none of ${loaded} match`,
  );
  if (matching.length === 0)
    return { ok: true, value: { input, resolution: policy.value, signatures: NOTHING_FOUND, outcomes: [] } };

  const signatures = await findSignatures(input, checklist);
  if (!signatures.ok) return signatures;
  // Without a signature there is nothing to judge, and no key to ask for.
  const judgeable = signatures.value.signatures.length > 0 ? matching : [];
  const authorities = await judgeAuthorities(input, judgeable, signatures.value, checklist);
  if (!authorities.ok) return authorities;
  return {
    ok: true,
    value: { input, resolution: policy.value, signatures: signatures.value, outcomes: authorities.value },
  };
}

async function findSignatures(input: VerificationInput, checklist: Checklist): Promise<Gathered<SignatureSet>> {
  const found = await runCheck(
    {
      title: 'signatures',
      summary: `signatures of ${input.name}@${input.digest}`,
      onTimeout: 'REGISTRY_TIMEOUT',
      call: (activities, options) => activities.fetchSignatures.executeWithOptions(options, [input]),
    },
    checklist,
  );
  if (found.ok) {
    const count = found.value.signatures.length;
    checklist.set('signatures', count > 0 ? 'passed' : 'failed', `${count} found`);
  }
  return found;
}

type JudgedAuthority = { readonly reference: AuthorityReference; readonly outcome: AuthorityOutcome };

/** All authorities at once. An inability of one counts only where the others leave a policy unsatisfied. */
async function judgeAuthorities(
  input: VerificationInput,
  matching: readonly MatchingPolicy[],
  signatures: SignatureSet,
  checklist: Checklist,
): Promise<Gathered<readonly JudgedAuthority[]>> {
  const references = matching.flatMap((match) => match.authorities);
  const judged = await Promise.all(
    references.map((reference) => judgeAuthority(input, reference, signatures, checklist)),
  );
  const outcomes = judged.flatMap((one, i) => {
    const reference = references[i];
    return one.ok && reference !== undefined ? [{ reference, outcome: one.value }] : [];
  });
  for (const match of matching) {
    const satisfied = outcomes.some(({ reference, outcome }) => reference.policy === match.name && outcome.satisfied);
    const unable = judged.find((one, i) => !one.ok && references[i]?.policy === match.name);
    if (!satisfied && unable !== undefined && !unable.ok) return unable;
  }
  return { ok: true, value: outcomes };
}

async function judgeAuthority(
  input: VerificationInput,
  reference: AuthorityReference,
  signatures: SignatureSet,
  checklist: Checklist,
): Promise<Gathered<AuthorityOutcome>> {
  const title = `${reference.policy}/${reference.authority}`;
  const request = { ...input, ...reference };
  const key = await runCheck(
    {
      title: `key of ${title}`,
      summary: `key of ${title}`,
      onTimeout: 'KEY_UNREADABLE',
      call: (activities, options) => activities.checkKey.executeWithOptions(options, [request]),
    },
    checklist,
  );
  if (!key.ok) return key;
  checklist.set(`key of ${title}`, 'passed', `${key.value.algorithm}, sha256:${key.value.keyId}`);

  const verification = { ...request, keyId: key.value.keyId, signatures: signatures.signatures };
  const outcome = await runCheck(
    {
      title: `signature by ${title}`,
      summary: `${signatures.signatures.length} signatures by the key of ${title}`,
      onTimeout: 'REGISTRY_TIMEOUT',
      call: (activities, options) => activities.verifySignature.executeWithOptions(options, [verification]),
    },
    checklist,
  );
  if (!outcome.ok) return outcome;
  checklist.set(`signature by ${title}`, outcome.value.satisfied ? 'passed' : 'failed', describe(outcome.value));
  return outcome;
}

function describe(outcome: AuthorityOutcome): string {
  if (outcome.satisfied) return outcome.signer.identity;
  const first = outcome.rejected[0];
  return first === undefined ? 'no signature to judge' : `${first.code}: ${first.sentence}`;
}

function couldNotFindOut(inability: Inability): Evaluation {
  return { outcome: 'inconclusive', reasons: [{ code: inability.code, sentence: inability.sentence }], signers: [] };
}

async function sign(
  input: VerificationInput,
  evaluation: Evaluation,
  signatures: SignatureSet,
  checklist: Checklist,
): Promise<SignedVerdict> {
  const proven = new Set(evaluation.signers.map((signer) => signer.evidence));
  const request = {
    claim: { ...input, ...evaluation },
    evidence: signatures.signatures.filter((signature) => proven.has(signature.blob)),
  };
  const signed = await runCheck(
    {
      title: 'verdict',
      summary: `sign ${evaluation.outcome}`,
      onTimeout: 'KEY_UNREADABLE',
      call: (activities, options) => activities.signVerdict.executeWithOptions(options, [request]),
    },
    checklist,
  );
  if (!signed.ok)
    throw new Error(`verdict could not be signed: ${signed.inability.code}: ${signed.inability.sentence}`);
  checklist.set('verdict', 'passed', `${evaluation.outcome}, signed until ${signed.value.verdict.expiresAt}`);
  return signed.value;
}

function publish(evaluation: Evaluation): void {
  const signer = evaluation.signers[0];
  upsertSearchAttributes([
    { key: ATTRIBUTES.verdict, value: evaluation.outcome },
    { key: ATTRIBUTES.reasonCode, value: evaluation.reasons[0].code },
    ...(signer === undefined ? [] : [{ key: ATTRIBUTES.signer, value: signer.identity }]),
  ]);
}
