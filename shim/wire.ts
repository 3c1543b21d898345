import { status as GrpcStatus, Metadata, type ServiceError } from '@grpc/grpc-js';
import type { Check, CheckState } from '../workflows/checklist.ts';
import { parseDigest } from '../workflows/digest.ts';
import { nameWithoutDigest, parseName } from '../workflows/name.ts';
import type { Outcome } from '../workflows/reason.ts';
import { type Decision, decisionIdOf, outcomeOf, type PullRequest, reasonsOf } from './decision.ts';
import { toJudgement } from './judgement.ts';
import {
  statusMessage,
  verdictMessage,
  type WireCheck,
  type WireVerdict,
  type WireVerifyRequest,
} from './proto/schema.ts';

const WIRE_OUTCOME: Readonly<Record<Outcome, WireVerdict['outcome']>> = {
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

/** Reads a request; a sentence says what is wrong with it. */
export function parseVerifyRequest(wire: WireVerifyRequest): PullRequest | string {
  const name = parseName(wire.name);
  if (name === undefined) return 'name: expected an image name such as docker.io/library/alpine:3.22';
  const digest = parseDigest(wire.descriptor?.digest ?? '');
  if (digest === undefined) return 'descriptor.digest: expected sha256: and 64 lower-case hex digits';
  if (name.digest !== undefined && name.digest !== digest) {
    return `descriptor.digest: expected the digest in the name, ${name.digest}, got ${digest}`;
  }
  return { name: nameWithoutDigest(name), digest };
}

export function toWireVerdict(decision: Decision): WireVerdict {
  const verdict = decision.by === 'verdict' ? decision.verdict : undefined;
  const subject = decision.by === 'verdict' ? decision.verdict : decision.request;
  return {
    decisionId: decisionIdOf(decision) ?? '',
    name: subject?.name ?? '',
    digest: subject?.digest ?? '',
    outcome: WIRE_OUTCOME[outcomeOf(decision)],
    reasons: reasonsOf(decision),
    policyRevision: verdict?.policyRevision ?? '',
    signers: verdict?.signers ?? [],
    workflowId: decision.workflowId ?? '',
    decidedAt: verdict?.decidedAt ?? '',
    expiresAt: verdict?.expiresAt ?? '',
  };
}

export function toWireCheck(check: Check): WireCheck {
  const why = check.code === undefined ? '' : `${check.code}: `;
  return { title: check.title, state: WIRE_STATE[check.state], detail: `${why}${check.detail}` };
}

/** The one switch from a decision to a gRPC status: `undefined` is OK, and only an allow gets it. */
export function toServiceError(decision: Decision, callerLate: boolean): ServiceError | undefined {
  const judgement = toJudgement(decision);
  if (judgement.ok) return undefined;
  const code = statusOf(decision, callerLate);
  const detail = { type_url: verdictMessage.typeUrl, value: verdictMessage.encode(toWireVerdict(decision)) };
  const metadata = new Metadata();
  const status = statusMessage.encode({ code, message: judgement.reason, details: [detail] });
  metadata.set('grpc-status-details-bin', Buffer.from(status));
  return Object.assign(new Error(judgement.reason), { code, details: judgement.reason, metadata });
}

function statusOf(decision: Decision, callerLate: boolean): GrpcStatus {
  if (reasonsOf(decision)[0].code === 'REQUEST_INVALID') return GrpcStatus.INVALID_ARGUMENT;
  if (outcomeOf(decision) === 'deny') return GrpcStatus.PERMISSION_DENIED;
  return callerLate ? GrpcStatus.DEADLINE_EXCEEDED : GrpcStatus.UNAVAILABLE;
}
