import { foreignFleet } from '../../workflows/fleet.ts';
import { CLOCK_SKEW_MS } from '../../workflows/verdict/deadlines.ts';
import type { Reason } from '../../workflows/verdict/reason.ts';
import type { Envelope, Verdict } from '../../workflows/verdict/verdict.ts';
import { goodUntil } from '../../workflows/verdict/verdict-times.ts';
import { fromStatement, STATEMENT_PAYLOAD_TYPE } from '../../workflows/verdict/verification-summary.ts';
import type { PullRequest } from '../decision.ts';
import { believe, openEnvelope, parseEnvelope, type VerdictKeys } from './verdict-keys.ts';

export interface Expectation extends PullRequest {
  readonly policyRevision: string;
  /** The fleet of this node. */
  readonly fleet: string;
}

/** A genuine verdict about this very pull, its envelope with the accepted signatures alone, and the id of the key that counts. */
interface Genuine {
  readonly verdict: Verdict;
  readonly envelope: Envelope;
  readonly keyId: string;
}

/** `stale` is a genuine verdict whose time is over. */
export type VerdictCheck =
  | ({ readonly kind: 'good' } & Genuine)
  | ({ readonly kind: 'stale' } & Genuine)
  /** `outlived`: a key of this node signed it, and is outside its window; workers may have another one by now. */
  | { readonly kind: 'refused'; readonly reason: Reason; readonly outlived?: true };

/**
 * Judges what Temporal carried here: signed by a verdict key, for this fleet, about this name and digest, by the
 * policy revision this node asked for, in its time and in that of the key. Everything is read from the signed payload; `answer` is otherwise not believed.
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
  if (opened === undefined) return refuse('VERDICT_FORGED', strangerOf(envelope, keys));
  const verdict = fromStatement(opened.content);
  if (verdict === undefined)
    return refuse(
      'VERDICT_MISMATCH',
      'the signed statement is not a verdict of this version; upgrade the older of shim and worker',
    );
  const belief = believe(opened.signatories, verdict.decidedAt, nowMs);
  if (!belief.ok) {
    const sentence = `the verdict of ${verdict.decidedAt} is not accepted: ${belief.problem}; see "portcullis keys list" on the node, and which key its workers sign with`;
    return { ...refuse('VERDICT_FORGED', sentence), outlived: true };
  }
  return checkContent({ verdict, envelope: opened.envelope, keyId: belief.keyId }, expected, nowMs);
}

function strangerOf(envelope: Envelope, keys: VerdictKeys): string {
  const signers = envelope.signatures.map((signature) => signature.keyid.slice(0, 12)).join(', ');
  if (keys.size === 0) {
    return `this node has no verdict key any more and accepts no verdict; install the workers' public key (the verdict names key ${signers})`;
  }
  const known = [...keys.keys()].map((id) => id.slice(0, 12)).join(', ');
  return `the verdict's signature does not hold under any verdict key of this node (${known}), it names key ${signers}`;
}

function checkContent(genuine: Genuine, expected: Expectation, nowMs: number): VerdictCheck {
  const { verdict } = genuine;
  const foreign = foreignFleet(verdict.fleet, expected.fleet);
  if (foreign !== undefined) return refuse('VERDICT_MISMATCH', `the verdict ${foreign}`);
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
  return { kind: goodUntil(verdict) > nowMs ? 'good' : 'stale', ...genuine };
}

function refuse(code: Reason['code'], sentence: string): { readonly kind: 'refused'; readonly reason: Reason } {
  return { kind: 'refused', reason: { code, sentence } };
}

/** What an envelope claims to say: to show it or to find it by, never to decide. `undefined` when it is no verdict. */
export function readUnchecked(envelope: Envelope): Verdict | undefined {
  try {
    return fromStatement(JSON.parse(Buffer.from(envelope.payload, 'base64').toString()));
  } catch {
    return undefined; // whoever put that there is no worker of ours
  }
}
