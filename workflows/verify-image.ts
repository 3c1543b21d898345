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
import type { SignatureSet } from './activities.ts';
import { runCheck } from './check-runner.ts';
import { type Check, type Checklist, createChecklist, renderChecklist } from './checklist.ts';
import { plainTextWithin } from './format/plain-text.ts';
import { gatherEvidence } from './gather-evidence.ts';
import { CHECKS_QUERY, VERDICT_UPDATE } from './handlers.ts';
import { type Evaluation, evaluate } from './policy/evaluate.ts';
import { ATTRIBUTES } from './search-attributes.ts';
import { NOTHING_FOUND } from './signature-source.ts';
import type { Reason } from './verdict/reason.ts';
import type { SignedVerdict, Verdict } from './verdict/verdict.ts';
import type { VerificationInput } from './verdict/verification-input.ts';

/** Waits for the verdict. Always sent with one update id, `verdict`, so that all callers of a run share one answer. */
const verdictUpdate = defineUpdate<SignedVerdict>(VERDICT_UPDATE);

/** The checklist so far: what the verification has found and what it waits for. */
const checksQuery = defineQuery<readonly Check[]>(CHECKS_QUERY);

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

  const evidence = await gatherEvidence(input, checklist);
  const evaluation = evidence.ok ? evaluate(evidence.value) : couldNotFindOut(evidence.inability, evidence.also);
  answer = await sign(input, evaluation, evidence.ok ? evidence.value.signatures : NOTHING_FOUND, checklist);

  setCurrentDetails(renderChecklist(checklist.list(), answer.verdict));
  publish(answer.verdict);
  await condition(allHandlersFinished);
  return answer;
}

function couldNotFindOut({ code, sentence }: Reason, also: readonly Reason[] = []): Evaluation {
  return { outcome: 'inconclusive', reasons: [{ code, sentence }, ...also], signers: [] };
}

async function sign(
  input: VerificationInput,
  evaluation: Evaluation,
  signatures: SignatureSet,
  checklist: Checklist,
): Promise<SignedVerdict> {
  const { statement: _, ...asked } = input;
  const proven = new Set(evaluation.signers.map((signer) => signer.evidence));
  const request = {
    claim: { ...asked, ...evaluation },
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
  const { outcome, expiresAt } = signed.value.verdict;
  checklist.set('verdict', 'passed', `${outcome}, signed until ${expiresAt}`);
  return signed.value;
}

/** What SQL stores of Temporal keep of a keyword (server 1.32). */
const MAX_KEYWORD_LENGTH = 255;

/** Makes the run searchable by what was signed. */
function publish(verdict: Verdict): void {
  const signer = verdict.signers[0];
  upsertSearchAttributes([
    { key: ATTRIBUTES.verdict, value: verdict.outcome },
    { key: ATTRIBUTES.reasonCode, value: verdict.reasons[0].code },
    ...(signer === undefined
      ? []
      : [{ key: ATTRIBUTES.signer, value: plainTextWithin(signer.identity, MAX_KEYWORD_LENGTH) }]),
  ]);
}
