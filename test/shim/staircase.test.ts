import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createStaircase } from '../../shim/cli/staircase.ts';
import type { WireVerdict } from '../../shim/proto/schema.ts';
import { plainJson, plainText } from '../../workflows/format/plain-text.ts';

/** Escape, CSI of C1, line feed, carriage return, right-to-left override, zero-width space, line separator. */
const HOSTILE = '\u001b[2J\u009b31m\n\r\u202e\u200b\u2028';
const VERDICT: WireVerdict = {
  decisionId: HOSTILE,
  name: HOSTILE,
  digest: HOSTILE,
  outcome: 'DENY',
  reasons: [{ code: HOSTILE, sentence: HOSTILE }],
  policyRevision: HOSTILE,
  signers: [{ authority: HOSTILE, identity: HOSTILE, evidence: HOSTILE, predicateType: HOSTILE }],
  trustRevision: HOSTILE,
  workflowId: HOSTILE,
  decidedAt: HOSTILE,
  expiresAt: HOSTILE,
};

function written(colour: boolean, use: (staircase: ReturnType<typeof createStaircase>) => void): string {
  let text = '';
  use(createStaircase((part) => (text += part), colour));
  return text;
}

describe('the staircase', () => {
  it('shows text from outside without what would move a cursor or hide something', () => {
    const text = written(false, (staircase) => {
      staircase.show([{ title: HOSTILE, state: 'FAILED', detail: HOSTILE }]);
      staircase.end(VERDICT);
    });
    assert.doesNotMatch(text.replaceAll('\n', ''), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    assert.equal(text.split('\n').length - 1, 7, 'one line for the step, the reason, the signer and four facts');
  });

  it('is coloured on a terminal only', () => {
    const use = (staircase: ReturnType<typeof createStaircase>) =>
      staircase.show([{ title: 'policy', state: 'PASSED', detail: 'found' }]);
    assert.equal(written(false, use), '  ✓ policy: found\n');
    assert.equal(written(true, use), '  \u001b[32m✓\u001b[0m policy: found\n');
  });

  it('shows a step when it ends, and again for each new reason to try it again', () => {
    const step = (state: 'RUNNING' | 'RETRYING' | 'PASSED', detail: string) => [{ title: 'fetch', state, detail }];
    const text = written(false, (staircase) => {
      staircase.show(step('RUNNING', 'asking'));
      staircase.show(step('RETRYING', '503'));
      staircase.show(step('RETRYING', '503'));
      staircase.show(step('RETRYING', '429'));
      staircase.show(step('PASSED', 'one signature'));
    });
    assert.equal(text, '  ↻ fetch: 503\n  ↻ fetch: 429\n  ✓ fetch: one signature\n');
  });
});

describe('plain text', () => {
  it('keeps what people write, whatever the script', () => {
    assert.equal(plainText('naïve 画像 ✓'), 'naïve 画像 ✓');
    assert.equal(plainText(HOSTILE), '\\u{1b}[2J\\u{9b}31m \\u{202e}\\u{200b} ');
  });

  it('is JSON that means the same and holds nothing raw', () => {
    const value = { [HOSTILE]: [HOSTILE, '\u{e0001}'] };
    for (const indent of [undefined, 2]) {
      const json = plainJson(value, indent);
      assert.deepEqual(JSON.parse(json), value);
      assert.doesNotMatch(json.replaceAll('\n', ''), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    }
  });
});
