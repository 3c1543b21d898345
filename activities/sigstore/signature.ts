import { digestHex } from '../../workflows/format/digest.ts';
import type { SignatureContent } from './evidence/content.ts';
import { type Evidence, readEvidence } from './evidence/evidence.ts';
import type { JudgeContext } from './judge-context.ts';
import { type ExpectedImage, failed, refuse, type SignatureJudgement, type Statement, type Step } from './judgement.ts';
import { judgeSimpleSigning, judgeUnnamed } from './payload/simple-signing.ts';
import { judgeStatement, refuseOther } from './payload/statement.ts';
import type { Requirement, Wanted } from './requirement/requirement.ts';
import { proveSigner } from './signer.ts';

export { describeContent } from './description.ts';
export type { SignatureContent } from './evidence/content.ts';
export type { JudgeContext } from './judge-context.ts';
export type { ExpectedImage, SignatureJudgement } from './judgement.ts';
export { entryQuestion } from './log/entry-question.ts';

/**
 * Judges one piece of evidence by one requirement: it is valid when the signer made it, it is about the expected image, and
 * it is what is wanted. The order is fixed: bounds and shape, signature, who saw it, certificate, identity, and only then
 * what was signed. Never throws: whatever goes wrong over hostile bytes makes the evidence EVIDENCE_MALFORMED, never valid.
 */
export function judge(
  content: SignatureContent,
  requirement: Requirement,
  expected: ExpectedImage,
  context: JudgeContext,
): SignatureJudgement {
  try {
    const evidence = readEvidence(content);
    return evidence.ok ? judgeEvidence(evidence.value, requirement, expected, context) : evidence.refusal;
  } catch {
    return refuse('EVIDENCE_MALFORMED', "the signature can't be read: it made its reader fail");
  }
}

function judgeEvidence(
  evidence: Evidence,
  requirement: Requirement,
  expected: ExpectedImage,
  context: JudgeContext,
): SignatureJudgement {
  const signer = proveSigner(evidence, requirement, context);
  if (!signer.ok) return signer.refusal;
  const statement = judgePayload(evidence, requirement.wanted, expected, context);
  if (!statement.ok) return statement.refusal;
  return { valid: true, ...signer.value, statement: statement.value };
}

function judgePayload(
  { payload }: Evidence,
  wanted: Wanted,
  expected: ExpectedImage,
  { predicate }: JudgeContext,
): Step<Statement | undefined> {
  switch (payload.kind) {
    case 'envelope': {
      const statement = judgeStatement(payload.type, payload.bytes, wanted, digestHex(expected.digest), predicate);
      const refusal = statement.ok ? judgeUnnamed(expected) : undefined;
      return refusal === undefined ? statement : failed(refusal);
    }
    case 'simple-signing': {
      const refusal =
        wanted.kind === 'attestation'
          ? refuseOther('it is a signature of the image', wanted.predicateTypes)
          : judgeSimpleSigning(payload.bytes, expected);
      return refusal === undefined ? { ok: true, value: undefined } : failed(refusal);
    }
    case 'artifact':
      return failed(refuse('EVIDENCE_UNSUPPORTED', 'a file was signed, expected an image'));
  }
}
