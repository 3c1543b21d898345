import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { withAddress } from '../../../shim/install/node-files.ts';

describe("the daemon's environment", () => {
  it('keeps what it says besides when Temporal is elsewhere, and is left alone without an address', () => {
    const before = 'TEMPORAL_ADDRESS=a:1\nTEMPORAL_API_KEY=secret\n';
    assert.equal(withAddress(before, 'b:2'), 'TEMPORAL_API_KEY=secret\nTEMPORAL_ADDRESS=b:2\n');
    assert.equal(withAddress('', 'b:2'), 'TEMPORAL_ADDRESS=b:2\n');
    assert.equal(withAddress(before, undefined), before);
  });
});
