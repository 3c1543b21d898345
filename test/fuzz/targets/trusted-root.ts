import assert from 'node:assert/strict';
import { toTrustRoot } from '../../../activities/trust/trust-root.ts';
import { readTrustedRootJson } from '../../../activities/trust/trusted-root/trusted-root-json.ts';
import { corpus } from '../corpus.ts';
import { assertInert, partOf, type Target } from '../target.ts';

/** A `trusted_root.json`: what its reader takes can be used, and no log is believed without a beginning. */
export const trustedRootTarget: Target = {
  name: 'trusted-root',
  seeds: [{ seed: 'trusted root', parts: { json: Buffer.from(JSON.stringify(corpus.trustedRoot)) } }],
  run(input) {
    const read = readTrustedRootJson('fuzzed', partOf(input, 'json'), 'refuse');
    if (!read.ok) {
      assertInert(read.problem);
      return 'refused';
    }
    assert.equal(read.document.source.kind, 'keys');
    if (read.document.source.kind !== 'keys') return 'refused';
    const root = toTrustRoot('fuzzed', read.document.source.root, read.document.source.origins);
    assert.match(root.revision, /^[0-9a-f]{64}$/);
    for (const { validFrom, validUntil = Number.MAX_SAFE_INTEGER } of root.logs) {
      assert.ok(Number.isSafeInteger(validFrom) && validFrom <= validUntil, 'a log without a beginning was accepted');
    }
    return 'accepted';
  },
};
