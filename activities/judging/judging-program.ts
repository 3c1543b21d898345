import { parentPort } from 'node:worker_threads';
import type { SignatureContent } from '../sigstore/evidence/content.ts';
import { signedMaterial } from '../sigstore/evidence/signed-material.ts';
import type { SignatureJudgement, Statement } from '../sigstore/judgement.ts';
import { entryQuestion } from '../sigstore/log/entry-question.ts';
import { judge } from '../sigstore/signature.ts';
import type {
  JudgingAnswer,
  JudgingMessage,
  JudgingQuestion,
  StatementText,
  ThreadJudgement,
} from './judging-message.ts';
import { fromRequirementMessage, fromSignerMessage } from './requirement-message.ts';

/**
 * The program of a thread that reads evidence, one piece after the other, as `judging-thread.ts` asks. It may be ended in
 * the middle of one.
 */

parentPort?.on('message', (question: JudgingQuestion) => say(answer(question)));
say(undefined);

function say(answer: JudgingAnswer | undefined): void {
  const { user, system } = process.threadCpuUsage();
  parentPort?.postMessage({ answer, processorMs: (user + system) / 1_000 } satisfies JudgingMessage);
}

function answer(question: JudgingQuestion): JudgingAnswer {
  const content = withBuffers(question.content);
  switch (question.kind) {
    case 'judge': {
      const { expected, context, statement } = question;
      const requirement = fromRequirementMessage(question.requirement);
      const judgement = judge(content, requirement, expected, { ...context, predicate: statement ? 'read' : 'unread' });
      return { kind: 'judge', judgement: toMessage(judgement, statement) };
    }
    case 'entry-question':
      return { kind: 'entry-question', question: entryQuestion(content, fromSignerMessage(question.signer)) };
    case 'signed-material':
      return { kind: 'signed-material', material: signedMaterial(content) };
  }
}

function toMessage(judgement: SignatureJudgement, wantsStatement: boolean): ThreadJudgement {
  if (!judgement.valid) return judgement;
  const { statement } = judgement;
  return { ...judgement, statement: statement && toText(statement, wantsStatement) };
}

function toText({ predicateType, predicate, document }: Statement, isWanted: boolean): StatementText {
  return { predicateType, predicate: kindOf(predicate), json: isWanted ? JSON.stringify(document) : undefined };
}

function kindOf(predicate: unknown): unknown {
  if (typeof predicate !== 'object' || predicate === null) return predicate;
  return Array.isArray(predicate) ? [] : {};
}

/** What was sent as a Buffer arrives as plain bytes. */
function withBuffers(content: SignatureContent): SignatureContent {
  switch (content.format) {
    case 'bundle':
      return { ...content, bundle: Buffer.from(content.bundle.buffer) };
    case 'simple-signing':
      return { ...content, payload: Buffer.from(content.payload.buffer) };
    case 'envelope':
      return { ...content, envelope: Buffer.from(content.envelope.buffer) };
  }
}
