import { foreignFleet } from '../workflows/fleet.ts';
import { parseStrictJsonText } from '../workflows/format/strict-json.ts';
import { CLOCK_SKEW_MS, POLICY_HEAD_TTL_MS } from '../workflows/verdict/deadlines.ts';
import { POLICY_HEAD_PAYLOAD_TYPE, type PolicyHead, parsePolicyHead } from '../workflows/verdict/policy-head.ts';
import type { Reason } from '../workflows/verdict/reason.ts';
import type { Envelope } from '../workflows/verdict/verdict.ts';
import type { SignerRevocations } from './memory/signed-revocations.ts';
import { believe, openEnvelope, parseEnvelope, type VerdictKeys } from './verdict-keys/verdict-keys.ts';

export const NOT_STATED: Reason = {
  code: 'POLICY_UNKNOWN',
  sentence: 'no worker has stated its policy revision yet; is a portcullis worker running?',
};

/** Whether a statement was made after another one. */
export function isNewer(head: PolicyHead, than: PolicyHead): boolean {
  return Date.parse(head.statedAt) > Date.parse(than.statedAt);
}

/** A statement that was accepted, its envelope with the accepted signatures alone, and the key that counts. */
export interface AcceptedStatement {
  readonly head: PolicyHead;
  readonly carried: Envelope;
  readonly keyId: string;
}

/**
 * Until when a statement can be used to ask by, in Unix ms: never longer than a worker means it, whatever end is written
 * in it.
 */
export function currentUntil({ statedAt, expiresAt }: PolicyHead): number {
  return Math.min(Date.parse(expiresAt), Date.parse(statedAt) + POLICY_HEAD_TTL_MS);
}

/** Reads what the backend answered; {@link NOT_STATED} when no worker has stated anything. */
export function readAnswer(
  answer: unknown,
  keys: VerdictKeys,
  fleet: string,
  nowMs: number,
): AcceptedStatement | Reason {
  if (answer === null) return NOT_STATED;
  const envelope = parseEnvelope(answer);
  return envelope === undefined ? unknown('is no signed statement') : readStatement(envelope, keys, fleet, nowMs);
}

/** Why a statement can't be used to ask by; `undefined` while its time is not over. */
export function endOf(head: PolicyHead, nowMs: number): Reason | undefined {
  const until = currentUntil(head);
  if (until > nowMs) return undefined;
  return unknown(`ended at ${new Date(until).toISOString()}; is a portcullis worker running, are the clocks right?`);
}

/** Reads a statement for this fleet that a key of this node signed in its window; its time may be over. */
export function readStatement(
  carried: Envelope,
  keys: VerdictKeys,
  fleet: string,
  nowMs: number,
): AcceptedStatement | Reason {
  const read = readSigned(carried, keys, nowMs);
  const foreign = 'code' in read ? undefined : foreignFleet(read.head.fleet, fleet);
  return foreign === undefined ? read : unknown(foreign);
}

/** The same for a statement of any fleet. */
function readSigned(carried: Envelope, keys: VerdictKeys, nowMs: number): AcceptedStatement | Reason {
  const opened = openEnvelope(carried, POLICY_HEAD_PAYLOAD_TYPE, keys);
  if (opened === undefined)
    return unknown("is not signed by a verdict key of this node; give it the worker's current public key");
  const head = parsePolicyHead(opened.content);
  if (head === undefined) return unknown("can't be read by this version; upgrade the older of shim and worker");
  const belief = believe(opened.signatories, head.statedAt, nowMs);
  if (!belief.ok) return unknown(`is not accepted: ${belief.problem}`);
  if (Date.parse(head.statedAt) > nowMs + CLOCK_SKEW_MS)
    return unknown(`is from the future (${head.statedAt}); compare the clocks of node and worker`);
  return { head, carried: opened.envelope, keyId: belief.keyId };
}

/** The head of a statement that is accepted; `undefined` for any other. */
export function believedHead(remembered: Envelope, keys: VerdictKeys, fleet: string): PolicyHead | undefined {
  const read = readStatement(remembered, keys, fleet, Date.now());
  return 'code' in read ? undefined : read.head;
}

/**
 * What a statement of before a restart revokes, also one of a version that named no fleet. This node had accepted it, so
 * neither the clock nor the window of its key is asked about it now; `undefined` when no key of this node signed it.
 */
export function rememberedRevocations(
  remembered: Envelope,
  keys: VerdictKeys,
  fleet: string,
): SignerRevocations | undefined {
  const opened = openEnvelope(remembered, POLICY_HEAD_PAYLOAD_TYPE, keys);
  const head = parsePolicyHead(opened?.content);
  const keyId = opened?.signatories[0]?.keyId;
  if (head?.revocations === undefined || keyId === undefined) return undefined;
  return head.fleet === undefined || head.fleet === fleet ? { keyId, revocations: head.revocations } : undefined;
}

/**
 * When a statement was made that this node had accepted before a restart, in Unix ms; 0 without one. Its signature is not
 * checked: a time can only refuse.
 */
export function statedAtOf(statement: Envelope | undefined): number {
  if (statement === undefined) return 0;
  const json = parseStrictJsonText(Buffer.from(statement.payload, 'base64').toString());
  const head = json.ok ? parsePolicyHead(json.value) : undefined;
  return head === undefined ? 0 : Date.parse(head.statedAt);
}

/** Why a statement is not accepted. */
export function unknown(what: string): Reason {
  return { code: 'POLICY_UNKNOWN', sentence: `the policy statement that was carried here ${what}` };
}
