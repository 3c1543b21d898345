import type { SignatureContent } from '../sigstore/evidence/content.ts';
import type { SignedMaterial } from '../sigstore/evidence/signed-material.ts';
import type { JudgeContext } from '../sigstore/judge-context.ts';
import type { ExpectedImage, Proof, Refusal, Statement } from '../sigstore/judgement.ts';
import type { EntryQuestion } from '../sigstore/log/looked-up-entry.ts';
import type { RequirementMessage, SignerMessage } from './requirement-message.ts';

/** What a thread that reads evidence is asked. */
export type JudgingQuestion =
  | {
      readonly kind: 'judge';
      readonly content: SignatureContent;
      readonly requirement: RequirementMessage;
      readonly expected: ExpectedImage;
      readonly context: JudgeContext;
      /** Whether the statement of an attestation is wanted, or only that it is there. */
      readonly statement: boolean;
    }
  | { readonly kind: 'entry-question'; readonly content: SignatureContent; readonly signer: SignerMessage }
  | { readonly kind: 'signed-material'; readonly content: SignatureContent };

/** A statement as text: made once, of what was signed, and read again only where a condition wants it. */
export interface StatementText extends Omit<Statement, 'document'> {
  /** Of the predicate only what kind of value it is: an empty object or list, or the value itself. */
  readonly predicate: unknown;
  /** The whole statement as it was signed; `undefined` where no condition wants it. */
  readonly json: string | undefined;
}

/** A judgement as a thread says it. */
export type ThreadJudgement = (Omit<Proof, 'statement'> & { readonly statement: StatementText | undefined }) | Refusal;

/** What it answers, in the order of the questions. `undefined` is an answer of the last two. */
export type JudgingAnswer =
  | { readonly kind: 'judge'; readonly judgement: ThreadJudgement }
  | { readonly kind: 'entry-question'; readonly question: EntryQuestion | undefined }
  | { readonly kind: 'signed-material'; readonly material: SignedMaterial | undefined };

/** With the processor time that the thread has used since it began, in ms. */
export interface JudgingMessage {
  readonly answer: JudgingAnswer | undefined;
  readonly processorMs: number;
}
