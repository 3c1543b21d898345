import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Decision, refuseAtOnce } from '../../shim/decision.ts';
import { toJudgement } from '../../shim/judgement.ts';
import { REASON_OUTCOME, type ReasonCode } from '../../workflows/verdict/reason.ts';
import { anAllow } from '../support/verdicts.ts';

const CODES = Object.keys(REASON_OUTCOME).filter((code): code is ReasonCode => Object.hasOwn(REASON_OUTCOME, code));
const request = { name: anAllow().name, digest: anAllow().digest };

function byVerdict(changes: Parameters<typeof anAllow>[0]): Decision {
  return { by: 'verdict', verdict: anAllow(changes), from: 'backend', workflowId: undefined };
}

describe('toJudgement', () => {
  it('is no for every refusal of the node, whatever its code', () => {
    for (const code of CODES) {
      assert.equal(toJudgement(refuseAtOnce({ code, sentence: 'of the node' }, request)).ok, false, code);
    }
  });

  it('follows the outcome of the code for a rule of the node', () => {
    for (const code of CODES) {
      const { ok } = toJudgement({ by: 'rule', reason: { code, sentence: 'by a rule' }, request });
      assert.equal(ok, REASON_OUTCOME[code] === 'allow', code);
    }
  });

  it('follows the outcome of a verdict, and puts the code first', () => {
    assert.equal(toJudgement(byVerdict({})).ok, true);
    for (const outcome of ['deny', 'inconclusive'] as const) {
      const { ok, reason } = toJudgement(byVerdict({ outcome, reasons: [{ code: 'UNSIGNED', sentence: 'no' }] }));
      assert.equal(ok, false);
      assert.match(reason, /^UNSIGNED: no/);
    }
  });
});
