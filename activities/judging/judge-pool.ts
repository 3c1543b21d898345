import { availableParallelism } from 'node:os';
import { EvidenceError } from '../evidence-error.ts';
import {
  JUDGED_BYTES,
  MAX_JUDGING_PROCESSOR_MS,
  MAX_LIGHT_EVIDENCE_BYTES,
  MAX_LIGHT_JUDGING_PROCESSOR_MS,
} from '../limits.ts';
import type { SignatureContent } from '../sigstore/evidence/content.ts';
import type { SignedMaterial } from '../sigstore/evidence/signed-material.ts';
import type { JudgeContext } from '../sigstore/judge-context.ts';
import { type ExpectedImage, refuse } from '../sigstore/judgement.ts';
import type { EntryQuestion } from '../sigstore/log/looked-up-entry.ts';
import type { Requirement, SignerRequirement } from '../sigstore/requirement/requirement.ts';
import { FairQueue, type Share } from './fair-queue.ts';
import type { JudgingAnswer, JudgingQuestion, ThreadJudgement } from './judging-message.ts';
import { type JudgingEnd, JudgingThread } from './judging-thread.ts';
import { toRequirementMessage, toSignerMessage } from './requirement-message.ts';

/** A piece of evidence that waits for a thread. */
interface Waiting {
  start(thread: JudgingThread): void;
}

/** Threads of one kind, and the evidence that waits for them. */
class Lane {
  readonly #queue = new FairQueue<Waiting>();
  readonly #idle: JudgingThread[] = [];
  readonly #threads: number;
  readonly #maxProcessorMs: number;
  #busy = 0;

  constructor(threads: number, maxProcessorMs: number) {
    this.#threads = threads;
    this.#maxProcessorMs = maxProcessorMs;
  }

  /** Starts a thread before it is needed. */
  prepare(): void {
    if (this.#busy === 0 && this.#idle.length === 0) this.#idle.push(new JudgingThread(this.#maxProcessorMs));
  }

  /** Asks a thread, as soon as the share has its turn. Rejects with EVIDENCE_UNJUDGED when the signal fires before that. */
  async ask(share: Share, question: JudgingQuestion, signal: AbortSignal): Promise<JudgingEnd> {
    const thread = await this.#turn(share, signal);
    try {
      const { byteLength } = bytesOf(question.content);
      const end = await thread.ask(question, Math.max(1, byteLength / JUDGED_BYTES));
      this.#queue.charge(share, end.processorMs);
      return end;
    } finally {
      this.#busy--;
      if (thread.alive) this.#idle.push(thread);
      this.#startNext();
    }
  }

  async #turn(share: Share, signal: AbortSignal): Promise<JudgingThread> {
    if (signal.aborted) throw unjudged();
    const turn = Promise.withResolvers<JudgingThread>();
    const waiting: Waiting = { start: turn.resolve };
    const leave = () => {
      this.#queue.remove(share, waiting);
      turn.reject(unjudged());
    };
    signal.addEventListener('abort', leave, { once: true });
    this.#queue.push(share, waiting);
    this.#startNext();
    try {
      return await turn.promise;
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  #startNext(): void {
    while (this.#busy < this.#threads) {
      const waiting = this.#queue.next();
      if (waiting === undefined) return;
      this.#busy++;
      const kept = this.#idle.pop();
      waiting.start(kept?.alive === true ? kept : new JudgingThread(this.#maxProcessorMs));
    }
  }
}

/** The main thread, which answers Temporal, keeps a processor to itself where there are some. */
const processors = availableParallelism();

/** Signatures are light; what is large has threads of its own, so that signatures never wait behind it. */
const light = new Lane(Math.min(4, Math.max(1, processors - 1)), MAX_LIGHT_JUDGING_PROCESSOR_MS);
const heavy = new Lane(processors < 4 ? 1 : 2, MAX_JUDGING_PROCESSOR_MS);

/** Starts the threads before they are needed: the first signature is then judged as fast as the next. */
export function prepareJudging(): void {
  light.prepare();
  heavy.prepare();
}

/** What one piece of evidence is judged by. */
export interface JudgingCase {
  readonly content: SignatureContent;
  readonly requirement: Requirement;
  readonly expected: ExpectedImage;
  readonly context: JudgeContext;
  /** Whether the statement of an attestation is wanted. */
  readonly statement: boolean;
}

/**
 * Judges one piece of evidence as `sigstore/signature.ts` does, in a thread: the main one never reads what strangers
 * wrote. What takes more processor time than any real evidence is EVIDENCE_TOO_LARGE.
 * @throws EvidenceError EVIDENCE_UNJUDGED, retryable, when the signal fires before its turn; INTERNAL, retryable, when
 * this machine can't start a thread.
 */
export async function judgeInThread(share: Share, asked: JudgingCase, signal: AbortSignal): Promise<ThreadJudgement> {
  const { content, requirement, expected, context, statement } = asked;
  const own = ownBytes(content);
  const message = toRequirementMessage(requirement);
  const question = { kind: 'judge', content: own, requirement: message, expected, context, statement } as const;
  const end = await laneOf(content).ask(share, question, signal);
  if (end.kind === 'out-of-time') {
    return refuse('EVIDENCE_TOO_LARGE', 'judging it takes more processor time than any real evidence does');
  }
  if (end.kind === 'crashed')
    return refuse('EVIDENCE_MALFORMED', "the signature can't be read: it made its reader fail");
  const answer = answerOf(end);
  if (answer.kind !== 'judge') throw new Error(`asked a thread to judge, got ${answer.kind}`);
  return answer.judgement;
}

/** `entryQuestion` of `sigstore/`, in a thread; `undefined` also for what takes too long. Throws as {@link judgeInThread}. */
export async function entryQuestionInThread(
  share: Share,
  content: SignatureContent,
  signer: SignerRequirement,
  signal: AbortSignal,
): Promise<EntryQuestion | undefined> {
  const question = { kind: 'entry-question', content: ownBytes(content), signer: toSignerMessage(signer) } as const;
  const end = await laneOf(content).ask(share, question, signal);
  if (end.kind === 'out-of-time' || end.kind === 'crashed') return undefined;
  const answer = answerOf(end);
  if (answer.kind !== 'entry-question') throw new Error(`asked a thread for a question, got ${answer.kind}`);
  return answer.question;
}

/** `signedMaterial` of `sigstore/`, in a thread; `undefined` also for what takes too long. Throws as {@link judgeInThread}. */
export async function signedMaterialInThread(
  share: Share,
  content: SignatureContent,
  signal: AbortSignal,
): Promise<SignedMaterial | undefined> {
  const question = { kind: 'signed-material', content: ownBytes(content) } as const;
  const end = await laneOf(content).ask(share, question, signal);
  if (end.kind === 'out-of-time' || end.kind === 'crashed') return undefined;
  const answer = answerOf(end);
  if (answer.kind !== 'signed-material') throw new Error(`asked a thread for what was signed, got ${answer.kind}`);
  return answer.material;
}

function answerOf(end: Extract<JudgingEnd, { kind: 'answered' | 'failed' }>): JudgingAnswer {
  if (end.kind === 'answered') return end.answer;
  throw new EvidenceError('INTERNAL', `evidence could not be judged: ${end.problem}; check the memory of the worker`, {
    retryable: true,
  });
}

function laneOf(content: SignatureContent): Lane {
  return bytesOf(content).byteLength <= MAX_LIGHT_EVIDENCE_BYTES ? light : heavy;
}

function bytesOf(content: SignatureContent): Uint8Array {
  switch (content.format) {
    case 'bundle':
      return content.bundle;
    case 'simple-signing':
      return content.payload;
    case 'envelope':
      return content.envelope;
  }
}

/** Bytes of their own: those of a small Buffer are sent with everything else in its pool. */
function ownBytes(content: SignatureContent): SignatureContent {
  switch (content.format) {
    case 'bundle':
      return { ...content, bundle: whole(content.bundle) };
    case 'simple-signing':
      return { ...content, payload: whole(content.payload) };
    case 'envelope':
      return { ...content, envelope: whole(content.envelope) };
  }
}

function whole(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);
}

function unjudged(): EvidenceError {
  const sentence = 'other evidence is still being judged, and this attempt has no time left; verification goes on';
  return new EvidenceError('EVIDENCE_UNJUDGED', sentence, { retryable: true });
}
