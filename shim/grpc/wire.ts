import { status as GrpcStatus, Metadata, type ServiceError } from '@grpc/grpc-js';
import type { Check, CheckState } from '../../workflows/checklist.ts';
import { parseDigest } from '../../workflows/format/digest.ts';
import { nameWithoutDigest, parseName } from '../../workflows/format/name.ts';
import { plainText, plainTextWithin } from '../../workflows/format/plain-text.ts';
import { type Outcome, REASON_OUTCOME, type ReasonCode } from '../../workflows/verdict/reason.ts';
import { type Decision, decisionIdOf, outcomeOf, type Question, reasonsOf, subjectOf } from '../decision.ts';
import { toJudgement } from '../judgement.ts';
import {
  statusMessage,
  verdictMessage,
  type WireCheck,
  type WireVerdict,
  type WireVerifyRequest,
} from '../proto/schema.ts';

/** An outcome as `portcullis.v1` spells it. */
export const WIRE_OUTCOME: Readonly<Record<Outcome, WireVerdict['outcome']>> = {
  allow: 'ALLOW',
  deny: 'DENY',
  inconclusive: 'INCONCLUSIVE',
};

const WIRE_STATE: Readonly<Record<CheckState, WireCheck['state']>> = {
  running: 'RUNNING',
  retrying: 'RETRYING',
  passed: 'PASSED',
  failed: 'FAILED',
};

/** As much of what was found as an error repeats. */
const MAX_QUOTE = 80;

/** Reads a request of {@link WireVerifyRequest}; only the name and the digest of the descriptor count. */
export function parseVerifyRequest(wire: WireVerifyRequest): Question {
  const name = parseName(wire.name);
  if (name === undefined) return malformed('name', 'an image name such as docker.io/library/alpine:3.22', wire.name);
  if (wire.descriptor === null) {
    return { ok: false, sentence: 'descriptor: expected the descriptor that the name points to, found none' };
  }
  const digest = parseDigest(wire.descriptor.digest);
  if (digest === undefined) {
    return malformed('descriptor.digest', 'sha256: and 64 lower-case hex digits', wire.descriptor.digest);
  }
  if (name.digest !== undefined && name.digest !== digest) {
    return malformed('descriptor.digest', `the digest in the name, ${name.digest}`, digest);
  }
  return { ok: true, request: { name: nameWithoutDigest(name), digest } };
}

function malformed(field: string, expected: string, found: string): Question {
  return { ok: false, sentence: `${field}: expected ${expected}, found ${JSON.stringify(found.slice(0, MAX_QUOTE))}` };
}

/** A decision as `portcullis.v1.Verdict`, whoever decided. */
export function toWireVerdict(decision: Decision): WireVerdict {
  const verdict = decision.by === 'verdict' ? decision.verdict : undefined;
  const subject = subjectOf(decision);
  return {
    decisionId: decisionIdOf(decision) ?? '',
    name: subject?.name ?? '',
    digest: subject?.digest ?? '',
    outcome: WIRE_OUTCOME[outcomeOf(decision)],
    reasons: reasonsOf(decision).map(({ code, sentence }) => ({ code, sentence: plainText(sentence) })),
    policyRevision: verdict?.policyRevision ?? '',
    trustRevision: verdict?.trustRevision ?? '',
    signers: (verdict?.signers ?? []).map(({ authority, identity, evidence, predicateType = '' }) => ({
      ...{ authority: plainText(authority), identity: plainText(identity), evidence },
      predicateType: plainText(predicateType),
    })),
    workflowId: plainText(decision.workflowId ?? ''),
    decidedAt: verdict?.decidedAt ?? '',
    expiresAt: verdict?.expiresAt ?? '',
  };
}

/** A step as `portcullis.v1.Check`; the code of a failure leads its detail. */
export function toWireCheck(check: Check): WireCheck {
  const why = check.code === undefined ? '' : `${check.code}: `;
  return { title: plainText(check.title), state: WIRE_STATE[check.state], detail: `${why}${plainText(check.detail)}` };
}

/** HTTP/2 peers refuse trailers beyond some 8 KiB, so a refusal tells this many reasons and characters of each. */
const MAX_REASONS = 4;
const MAX_SENTENCE = 600;
const MAX_MESSAGE = 1_000;

/**
 * The one switch from a decision to a gRPC status: `undefined` is OK, and only an allow gets it. `callerGaveUp` says
 * that the caller's own deadline ended the wait, and not ours.
 */
export function toServiceError(decision: Decision, callerGaveUp: boolean): ServiceError | undefined {
  const judgement = toJudgement(decision);
  if (judgement.ok) return undefined;
  const code = statusOf(decision, callerGaveUp);
  const verdict = verdictMessage.encode(shorten(toWireVerdict(decision)));
  const message = plainTextWithin(judgement.reason, MAX_MESSAGE);
  const status = statusMessage.encode({
    code,
    message,
    details: [{ type_url: verdictMessage.typeUrl, value: verdict }],
  });
  const metadata = new Metadata();
  metadata.set('grpc-status-details-bin', Buffer.from(status));
  return Object.assign(new Error(message), { code, details: message, metadata });
}

function shorten(verdict: WireVerdict): WireVerdict {
  const reasons = verdict.reasons
    .slice(0, MAX_REASONS)
    .map(({ code, sentence }) => ({ code, sentence: plainTextWithin(sentence, MAX_SENTENCE) }));
  return { ...verdict, reasons };
}

function statusOf(decision: Decision, callerGaveUp: boolean): GrpcStatus {
  if (outcomeOf(decision) === 'deny') return statusOfDenial(reasonsOf(decision)[0].code);
  return callerGaveUp && decision.by === 'node' ? GrpcStatus.DEADLINE_EXCEEDED : GrpcStatus.UNAVAILABLE;
}

/** The status of an answer that has a code and no verdict. */
export function statusOfCode(code: ReasonCode): GrpcStatus {
  return REASON_OUTCOME[code] === 'deny' ? statusOfDenial(code) : GrpcStatus.UNAVAILABLE;
}

function statusOfDenial(code: ReasonCode): GrpcStatus {
  if (code === 'REQUEST_INVALID') return GrpcStatus.INVALID_ARGUMENT;
  return code === 'IMAGE_NOT_FOUND' ? GrpcStatus.NOT_FOUND : GrpcStatus.PERMISSION_DENIED;
}
