import { CLOCK_SKEW_MS } from '../workflows/deadlines.ts';
import type { Reason } from '../workflows/reason.ts';
import type { Verdict } from '../workflows/verdict.ts';
import { fromStatement, STATEMENT_PAYLOAD_TYPE } from '../workflows/verification-summary.ts';
import type { PullRequest } from './decision.ts';
import { openEnvelope, parseEnvelope, type VerdictKeys } from './verdict-keys.ts';

export interface Expectation extends PullRequest {
  readonly policyRevision: string;
}

/** `stale` is a genuine verdict about this very pull whose time is over. */
export type VerdictCheck =
  | { readonly kind: 'good'; readonly verdict: Verdict }
  | { readonly kind: 'stale'; readonly verdict: Verdict }
  | { readonly kind: 'refused'; readonly reason: Reason };

/**
 * Judges what Temporal carried here: signed by a verdict key, about this name and digest, by the policy revision this
 * node asked for, and in its time. Everything is read from the signed payload; `answer` is otherwise not believed.
 */
export function checkVerdict(answer: unknown, expected: Expectation, keys: VerdictKeys, nowMs: number): VerdictCheck {
  const envelope = parseEnvelope(
    typeof answer === 'object' && answer !== null && 'envelope' in answer ? answer.envelope : undefined,
  );
  if (envelope === undefined || envelope.signatures.length === 0) {
    return refuse(
      'VERDICT_UNSIGNED',
      'the answer of the workflow carries no signature; is something else answering on its task queue?',
    );
  }
  const opened = openEnvelope(envelope, STATEMENT_PAYLOAD_TYPE, keys);
  if (opened === undefined) {
    const signers = envelope.signatures.map((signature) => signature.keyid.slice(0, 12)).join(', ');
    return refuse(
      'VERDICT_FORGED',
      `the verdict's signature does not hold under any verdict key of this node (${[...keys.keys()].map((id) => id.slice(0, 12)).join(', ')}), it names key ${signers}`,
    );
  }
  const verdict = fromStatement(opened.content);
  if (verdict === undefined)
    return refuse(
      'VERDICT_MISMATCH',
      'the signed statement is not a verdict of this version; upgrade the older of shim and worker',
    );
  return checkContent(verdict, expected, nowMs);
}

function checkContent(verdict: Verdict, expected: Expectation, nowMs: number): VerdictCheck {
  for (const field of ['name', 'digest', 'policyRevision'] as const) {
    if (verdict[field] === expected[field]) continue;
    return refuse(
      'VERDICT_MISMATCH',
      `the verdict is about another ${field}: expected ${expected[field]}, got ${verdict[field]}`,
    );
  }
  if (Date.parse(verdict.decidedAt) > nowMs + CLOCK_SKEW_MS) {
    return refuse(
      'VERDICT_MISMATCH',
      `the verdict is from the future (${verdict.decidedAt}); compare the clocks of node and worker`,
    );
  }
  return { kind: Date.parse(verdict.expiresAt) > nowMs ? 'good' : 'stale', verdict };
}

function refuse(code: Reason['code'], sentence: string): VerdictCheck {
  return { kind: 'refused', reason: { code, sentence } };
}
