import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { status } from '@grpc/grpc-js';
import { type Decision, refuseAtOnce } from '../../../shim/decision.ts';
import { toServiceError, toWireVerdict } from '../../../shim/grpc/wire.ts';
import { statusMessage, verdictMessage } from '../../../shim/proto/schema.ts';
import { REASON_OUTCOME, type ReasonCode } from '../../../workflows/verdict/reason.ts';
import { anAllow, digestOf } from '../../support/verdicts.ts';

const CODES = Object.keys(REASON_OUTCOME) as ReasonCode[]; // the keys of a const object

function verdictDecision(changes: Parameters<typeof anAllow>[0]): Decision {
  return { by: 'verdict', verdict: anAllow(changes), from: 'backend', workflowId: 'verify/demo' };
}

describe('a decision as a gRPC status', () => {
  it('is OK for the allow of a checked verdict alone', () => {
    assert.equal(toServiceError(verdictDecision({}), false), undefined);
    assert.equal(toServiceError(verdictDecision({ outcome: 'deny' }), false)?.code, status.PERMISSION_DENIED);
    assert.equal(toServiceError(verdictDecision({ outcome: 'inconclusive' }), true)?.code, status.UNAVAILABLE);
  });

  for (const code of CODES) {
    it(`is none of OK when the node itself says ${code}`, () => {
      const decision = refuseAtOnce({ code, sentence: 'because' });
      const refusing = REASON_OUTCOME[code] === 'deny' ? status.PERMISSION_DENIED : status.UNAVAILABLE;
      const own = { REQUEST_INVALID: status.INVALID_ARGUMENT, IMAGE_NOT_FOUND: status.NOT_FOUND };
      const expected = own[code as keyof typeof own] ?? refusing; // most codes have no status of their own
      assert.equal(toServiceError(decision, false)?.code, expected);
      const late = expected === status.UNAVAILABLE ? status.DEADLINE_EXCEEDED : expected;
      assert.equal(toServiceError(decision, true)?.code, late);
      assert.notEqual(toWireVerdict(decision).outcome, 'ALLOW');
    });
  }

  it('stays within what a peer takes, whatever the reasons', () => {
    const reason = { code: 'EVIDENCE_MALFORMED', sentence: 'x'.repeat(10_000) } as const;
    const reasons: [typeof reason, ...(typeof reason)[]] = [reason, ...Array.from({ length: 99 }, () => reason)];
    const error = toServiceError(verdictDecision({ outcome: 'deny', reasons, signers: [] }), false);
    const [bytes] = error?.metadata.get('grpc-status-details-bin') ?? [];
    assert.ok(Buffer.isBuffer(bytes));
    assert.ok((bytes.length * 4) / 3 + (error?.details.length ?? 0) < 8 * 1024, `${bytes.length} bytes`);
    const [detail] = statusMessage.decode(bytes).details;
    const verdict = verdictMessage.decode(detail?.value ?? new Uint8Array());
    assert.equal(verdict.outcome, 'DENY');
    assert.equal(verdict.digest, digestOf('ab'));
    assert.equal(verdict.reasons[0]?.code, 'EVIDENCE_MALFORMED');
  });
});
