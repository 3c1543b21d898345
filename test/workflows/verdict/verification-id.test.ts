import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseDigest } from '../../../workflows/format/digest.ts';
import { decisionId, verificationId } from '../../../workflows/verdict/verification-id.ts';

const digest = parseDigest(`sha256:${'ab'.repeat(32)}`);
assert.ok(digest);
const key = { name: '127.0.0.1:5000/demo/app:v1', digest, policyRevision: 'c'.repeat(64), fleet: 'production' };
const at = (text: string): number => Date.parse(text);

describe('verificationId', () => {
  it('can be read by a person', () => {
    assert.equal(
      verificationId(key, 'quarter-hour', at('2026-11-23T22:44:59.999Z')),
      `verify/127.0.0.1:5000/demo/app:v1@${digest}/production/cccccccccccc/2026-11-23T22:30`,
    );
  });

  it('is shared within an epoch and by nobody outside it', () => {
    const id = verificationId(key, 'ten-seconds', at('2026-11-23T22:44:50.000Z'));
    assert.equal(verificationId(key, 'ten-seconds', at('2026-11-23T22:44:59.999Z')), id);
    assert.notEqual(verificationId(key, 'ten-seconds', at('2026-11-23T22:45:00.000Z')), id);
    assert.notEqual(verificationId(key, 'quarter-hour', at('2026-11-23T22:44:50.000Z')), id);
  });

  const other = parseDigest(`sha256:${'cd'.repeat(32)}`);
  assert.ok(other);
  const changes = {
    name: { ...key, name: '127.0.0.1:5000/demo/app:v2' },
    digest: { ...key, digest: other },
    policyRevision: { ...key, policyRevision: 'd'.repeat(64) },
    fleet: { ...key, fleet: 'staging' },
  };
  for (const [field, changed] of Object.entries(changes)) {
    it(`differs by ${field}`, () => {
      assert.notEqual(verificationId(changed, 'quarter-hour', 0), verificationId(key, 'quarter-hour', 0));
    });
  }
});

describe('decisionId', () => {
  it('is 13 letters and digits that follow from the workflow id', () => {
    const id = decisionId(verificationId(key, 'quarter-hour', 0));
    assert.match(id, /^[0-9a-z]{13}$/);
    assert.equal(decisionId(verificationId(key, 'quarter-hour', 0)), id);
  });

  it('differs for neighbouring ids', () => {
    const ids = Array.from({ length: 1_000 }, (_, i) => decisionId(`verify/app:${i}`));
    assert.equal(new Set(ids).size, ids.length);
  });
});
