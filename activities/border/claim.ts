import type { VerdictClaim } from '../../workflows/activities.ts';
import { plainTextWithin } from '../../workflows/format/plain-text.ts';
import {
  isReasonCode,
  type Outcome,
  REASON_OUTCOME,
  type Reason,
  type ReasonCode,
} from '../../workflows/verdict/reason.ts';
import type { Signer } from '../../workflows/verdict/verdict.ts';
import { MAX_REASONS, MAX_SENTENCE_LENGTH, MAX_SIGNERS } from '../limits.ts';
import { invalid, readDigest, readFields, readHash, readList, readName, readText } from './request-field.ts';

/** What `decisionId` of `workflows/` writes. */
const DECISION_ID = /^[0-9a-z]{13}$/;

/**
 * Reads what a workflow concluded. Only what nodes can read comes out: bounded, its reasons of codes that go with the
 * outcome, its sentences one line. Throws REQUEST_INVALID.
 */
export function readClaim(value: unknown): VerdictClaim {
  const fields = readFields(value, 'claim');
  const outcome = readText(fields, 'outcome', ['allow', 'deny', 'inconclusive']);
  const [first, ...rest] = readList(fields, 'reasons', MAX_REASONS, (reason) => readReason(reason, outcome));
  if (first === undefined) throw invalid('reasons', 'at least one reason', fields['reasons']);
  const signers = readList(fields, 'signers', MAX_SIGNERS, readSigner);
  if (outcome !== 'allow' && signers.length > 0) throw invalid('signers', `no signer of a ${outcome}`, signers);
  return {
    decisionId: readText(fields, 'decisionId', DECISION_ID),
    name: readName(fields),
    digest: readDigest(fields, 'digest'),
    outcome,
    reasons: [first, ...rest],
    policyRevision: readHash(fields, 'policyRevision'),
    signers,
  };
}

/** What only a node finds out about itself, its clock or what Temporal carried to it: no worker says that. */
const ONLY_NODES: ReadonlySet<ReasonCode> = new Set([
  ...(['DIGEST_LISTED', 'CANARY_PASSED', 'CANARY_REFUSED', 'TEMPORAL_UNREACHABLE', 'WORKER_UNAVAILABLE'] as const),
  ...(['STILL_VERIFYING', 'WORKFLOW_FAILED', 'VERDICT_UNSIGNED', 'VERDICT_FORGED', 'VERDICT_MISMATCH'] as const),
  ...(['VERDICT_EXPIRED', 'SHIM_BUSY', 'SHIM_STOPPING', 'CLOCK_MOVED'] as const),
]);

function readReason(value: unknown, outcome: Outcome): Reason {
  const { code, sentence } = readFields(value, 'a reason') as { code?: unknown; sentence?: unknown };
  if (typeof code !== 'string' || !isReasonCode(code)) throw invalid('code', 'a reason code', code);
  // Only an allow needs reasons that allow: what could not be found out may have been asked for something invalid.
  if ((REASON_OUTCOME[code] === 'allow') !== (outcome === 'allow')) {
    throw invalid('code', `a reason code of a ${outcome}`, code);
  }
  if (ONLY_NODES.has(code)) throw invalid('code', 'a reason code of a worker', code);
  if (typeof sentence !== 'string') throw invalid('sentence', 'a sentence', sentence);
  // A sentence decides nothing, so it is made harmless and not refused: people would lose the reason.
  return { code, sentence: plainTextWithin(sentence, MAX_SENTENCE_LENGTH) };
}

/** Identities and predicate types: what certificates and statements say, and what a node can show. */
const ONE_LINE = /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]{1,2048}$/u;

function readSigner(value: unknown): Signer {
  const fields = readFields(value, 'a signer');
  return {
    authority: readText(fields, 'authority', /^[A-Za-z0-9._-]{1,253}\/[A-Za-z0-9 ._-]{1,63}$/),
    identity: readText(fields, 'identity', ONE_LINE),
    evidence: readDigest(fields, 'evidence'),
    ...(fields['predicateType'] === undefined ? {} : { predicateType: readText(fields, 'predicateType', ONE_LINE) }),
  };
}
