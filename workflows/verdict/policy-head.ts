import { isFleetName } from '../fleet.ts';
import type { Digest } from '../format/digest.ts';
import { isRecord } from '../format/record.ts';
import { parseRfc3339 } from '../format/rfc3339.ts';
import {
  countDigests,
  MAX_STATED_DIGESTS,
  MAX_STATED_LISTS,
  parseRevocations,
  parseUnnamedRevocations,
  type Revocations,
} from '../revocations.ts';
import { isReasonCode, type Reason } from './reason.ts';

/**
 * Payload type of the envelope in which a worker states its policy revision. Fields are only ever added: a node of an
 * earlier version reads what it knows of a newer statement, and a newer node refuses a statement that names no fleet,
 * so workers are upgraded first.
 */
export const POLICY_HEAD_PAYLOAD_TYPE = 'application/vnd.portcullis.policy-head.v1+json';

/** Which policy revision is applied, stated by a worker; nodes ask for verifications by it. */
export interface PolicyHead {
  /** What is known of the keys in KMS that the policy names: told, so that a fleet asks once. Absent where it names none. */
  readonly keys?: readonly KeyStatement[];
  /** The newest trees of transparency logs that were seen, so that a log can't show each worker another history. */
  readonly logs?: readonly LogStatement[];
  /**
   * The fleet that it is meant for: nodes of another fleet do not use it. `undefined` in statements of versions that
   * named none.
   */
  readonly fleet: string | undefined;
  /**
   * Which digests are revoked, as far as the worker knows. Absent, and a list that is not named: the worker knows
   * nothing about it, which ends no revocation.
   */
  readonly revocations?: Revocations;
  /** Hex of the content hash over the policy directory and the trust roots that it names. */
  readonly policyRevision: string;
  /** RFC 3339 times, UTC. */
  readonly statedAt: string;
  readonly expiresAt: string;
}

/** What a worker found out about one key in a KMS. Never bytes of a key. */
export interface KeyStatement {
  /** As the policy names it. */
  readonly uri: string;
  /** As its owner knows it: an ARN, a path with its version. */
  readonly resource: string;
  /** RFC 3339, UTC: when the service was asked. */
  readonly checkedAt: string;
  /** Hex SHA-256 of the public keys that are good; empty where none is. */
  readonly keyIds: readonly string[];
  /** Why none is. */
  readonly unusable?: Reason;
}

/** What a worker saw of one transparency log. */
export interface LogStatement {
  /** Hex of the log id. */
  readonly log: string;
  /** The checkpoint as the log signed it (C2SP tlog-checkpoint). */
  readonly checkpoint: string;
}

/** Trees that one statement tells about, and the characters of one checkpoint: a dozen witnesses take 2,000. */
export const MAX_LOG_STATEMENTS = 32;
const MAX_CHECKPOINT = 4_096;

/** Keys that one statement tells about, and versions of one key: what is beyond is asked for by each worker. */
export const MAX_KEY_STATEMENTS = 100;
const MAX_KEY_IDS = 100;
const MAX_TEXT = 2_000;

/** Digests that one policy directory revokes: 36 KB, which every node reads every few seconds. */
export const MAX_REVOKED = 500;

/** A policy head as it is signed: `revoked` repeats the digests for nodes that know no lists. */
export interface SignedPolicyHead extends PolicyHead {
  readonly revoked?: readonly Digest[];
}

/** Reads a policy head out of JSON whose signature has been checked; `undefined` for anything else. */
export function parsePolicyHead(json: unknown): PolicyHead | undefined {
  if (typeof json !== 'object' || json === null) return undefined;
  const { policyRevision, statedAt, expiresAt, fleet, keys, logs } = json as { [K in keyof PolicyHead]?: unknown };
  if (fleet !== undefined && !isFleetName(fleet)) return undefined;
  if (typeof policyRevision !== 'string' || !/^[0-9a-f]{64}$/.test(policyRevision)) return undefined;
  if (!isTime(statedAt) || !isTime(expiresAt)) return undefined;
  const knownKeys = parseList(keys, MAX_KEY_STATEMENTS, parseKeyStatement);
  const knownLogs = parseList(logs, MAX_LOG_STATEMENTS, parseLogStatement);
  const revocations = readRevocations(json);
  if (knownKeys === 'malformed' || knownLogs === 'malformed' || revocations === 'malformed') return undefined;
  return {
    ...{ fleet, policyRevision, statedAt, expiresAt },
    ...(knownKeys === undefined ? {} : { keys: knownKeys }),
    ...(knownLogs === undefined ? {} : { logs: knownLogs }),
    ...(revocations === undefined ? {} : { revocations }),
  };
}

/** The lists, or the flat list of a version before them. */
function readRevocations(json: object): Revocations | 'malformed' | undefined {
  const { revocations, revoked } = json as { [K in keyof SignedPolicyHead]?: unknown };
  if (revocations === undefined && revoked === undefined) return undefined;
  const flat = Array.isArray(revoked) && revoked.length <= MAX_REVOKED ? parseUnnamedRevocations(revoked) : undefined;
  if (revocations === undefined) return flat ?? 'malformed';
  const lists = parseRevocations(revocations);
  if (lists === undefined || lists.length > MAX_STATED_LISTS) return 'malformed';
  return countDigests(lists) > MAX_STATED_DIGESTS ? 'malformed' : lists;
}

function parseList<T>(json: unknown, most: number, parse: (one: unknown) => T | undefined) {
  if (json === undefined) return undefined;
  if (!Array.isArray(json) || json.length > most) return 'malformed';
  const read = json.map(parse).filter((one) => one !== undefined);
  return read.length === json.length ? read : 'malformed';
}

function parseLogStatement(json: unknown): LogStatement | undefined {
  if (!isRecord(json)) return undefined;
  const { log, checkpoint } = json as { [K in keyof LogStatement]?: unknown };
  if (!isKeyId(log) || typeof checkpoint !== 'string' || checkpoint.length > MAX_CHECKPOINT) return undefined;
  return { log, checkpoint };
}

function parseKeyStatement(json: unknown): KeyStatement | undefined {
  if (!isRecord(json)) return undefined;
  const { uri, resource, checkedAt, keyIds, unusable } = json as { [K in keyof KeyStatement]?: unknown };
  if (!isText(uri) || !isText(resource) || !isTime(checkedAt)) return undefined;
  if (!Array.isArray(keyIds) || keyIds.length > MAX_KEY_IDS || !keyIds.every(isKeyId)) return undefined;
  const told = { uri, resource, checkedAt, keyIds };
  if (unusable === undefined) return keyIds.length > 0 ? told : undefined;
  const reason = parseReason(unusable);
  return reason === undefined || keyIds.length > 0 ? undefined : { ...told, unusable: reason };
}

function parseReason(json: unknown): Reason | undefined {
  if (!isRecord(json)) return undefined;
  const { code, sentence } = json as { [K in keyof Reason]?: unknown };
  return isText(code) && isReasonCode(code) && isText(sentence) ? { code, sentence } : undefined;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_TEXT;
}

function isTime(value: unknown): value is string {
  return parseRfc3339(value) !== undefined;
}

function isKeyId(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
}
