import { parse } from '@bufbuild/cel';
import { isRecord } from '../../workflows/format/record.ts';
import { EvidenceError } from '../evidence-error.ts';
import type { StatementText } from '../judging/judging-message.ts';
import { MAX_BUNDLE_BYTES, MAX_CONDITION_LENGTH, MAX_CONDITION_MEMORY_MB } from '../limits.ts';
import type { Statement } from '../sigstore/judgement.ts';
import { quote } from '../text/quote.ts';
import { conditionEnvironment, planExpression } from './cel-environment.ts';
import { type ConditionEnd, conditionProcessorMs } from './condition-process.ts';
import { evaluateInProcess } from './condition-queue.ts';
import { findProblem } from './expression.ts';

/** A compiled condition over an attestation. Made only by `compileCondition`. */
export interface Condition {
  readonly source: string;
}

export type ConditionResult =
  | { readonly ok: true; readonly condition: Condition }
  | { readonly ok: false; readonly problem: string };

/** The sentence is one line and says which condition, and why it does not hold; its code is CONDITION_FAILED. */
export type ConditionJudgement = { readonly holds: true } | { readonly holds: false; readonly sentence: string };

/** People write a handful. */
const MAX_BRACKETS = 50;

const environment = conditionEnvironment();

/**
 * Reads a condition, an expression in CEL (cel-spec `langdef.md`), as far as that can be done without a statement.
 * `problem` is one line and completes "the condition is not usable: ".
 */
export function compileCondition(source: string): ConditionResult {
  if (source.trim() === '') return { ok: false, problem: 'it is empty' };
  if (source.length > MAX_CONDITION_LENGTH) {
    return { ok: false, problem: `expected at most ${MAX_CONDITION_LENGTH} characters, found ${source.length}` };
  }
  if (nestsDeeply(source)) return { ok: false, problem: `it nests brackets deeper than ${MAX_BRACKETS} levels` };
  try {
    const problem = findProblem(parse(source).expr, environment.funcs);
    if (problem !== undefined) return { ok: false, problem };
    planExpression(environment, source);
    return { ok: true, condition: { source } };
  } catch (error) {
    return { ok: false, problem: `expected an expression in CEL, found ${quote(reasonOf(error))}` };
  }
}

/** The parser takes seconds for hundreds of brackets that are not closed. Those in texts are counted too: patterns have a few. */
function nestsDeeply(source: string): boolean {
  let depth = 0;
  for (const character of source) {
    if ('([{'.includes(character)) depth++;
    else if (')]}'.includes(character)) depth = Math.max(0, depth - 1);
    if (depth > MAX_BRACKETS) return true;
  }
  return false;
}

/** The parser lists everything it would have taken, longest last: the place is what helps. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'an error';
  return error.message.replace(/^<input>:(\d+):(\d+): /, 'line $1, column $2: ').replace(/ but expecting .*$/s, '');
}

/**
 * Tells whether a statement says what a condition wants: only `true` does. Evaluated in a process of its own that
 * is ended when it computes too long or needs too much memory, because CEL has quadratic expressions. Anything but `true`
 * does not hold, an error included.
 * @throws EvidenceError INTERNAL, retryable, when this machine could not evaluate it at all; the signal's reason once
 * it is aborted.
 */
export async function evaluateCondition(
  condition: Condition,
  statement: Statement | StatementText,
  signal?: AbortSignal,
): Promise<ConditionJudgement> {
  const source = quote(condition.source.trim().replaceAll(/\s+/g, ' '));
  const problem = predicateProblem(statement.predicate);
  if (problem !== undefined) return { holds: false, sentence: `the condition ${source} does not hold: ${problem}` };
  const json = 'document' in statement ? toJson(statement.document) : statement.json;
  if (json === undefined || json.length > MAX_BUNDLE_BYTES) {
    const sentence = `the condition ${source} was not evaluated: the attestation is larger than any real one`;
    return { holds: false, sentence };
  }
  signal?.throwIfAborted();
  const end = await evaluateInProcess({ source: condition.source, statement: json }, signal);
  signal?.throwIfAborted();
  return judgementOf(source, end, conditionProcessorMs(json));
}

/**
 * A predicate is an object (in-toto attestation v1 `predicate`). Over anything else a condition that asks for the absence
 * of a finding could hold where nothing was looked for.
 */
function predicateProblem(predicate: unknown): string | undefined {
  if (predicate === undefined || predicate === null) return 'the attestation has no predicate';
  return isRecord(predicate) ? undefined : 'the predicate of the attestation is not an object';
}

function toJson(document: Statement['document']): string | undefined {
  try {
    return JSON.stringify(document);
  } catch {
    // It nests deeper than the stack.
    return undefined;
  }
}

function judgementOf(source: string, end: ConditionEnd, maxProcessorMs: number): ConditionJudgement {
  switch (end.kind) {
    case 'value':
      return end.holds ? { holds: true } : { holds: false, sentence: `the condition ${source} does not hold` };
    case 'not-boolean':
      return {
        holds: false,
        sentence: `the condition ${source} gives no boolean: it gives a value of type ${end.type}`,
      };
    case 'failed':
      return { holds: false, sentence: `the condition ${source} could not be evaluated: ${quote(end.problem)}` };
    case 'out-of-time':
      return { holds: false, sentence: `the condition ${source} was stopped after ${maxProcessorMs} ms` };
    case 'out-of-memory':
      return { holds: false, sentence: `the condition ${source} needs more than ${MAX_CONDITION_MEMORY_MB} MiB` };
    case 'not-evaluated':
      throw new EvidenceError('INTERNAL', `the condition ${source} could not be evaluated: ${end.problem}`, {
        retryable: true,
      });
  }
}
