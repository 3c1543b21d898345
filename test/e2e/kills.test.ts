import assert from 'node:assert/strict';
import { it } from 'node:test';
import { endure } from '../endurance/kills.ts';

/** More of them by hand: test/endurance. */
const MOMENTS = 8;

it('parts that are killed at any moment let nothing in, deny nothing that is signed, and lose nothing', async () => {
  const endured = await endure(MOMENTS, 7);
  const codes = [...endured.putOff].map(([code, count]) => `${code} ${count}`).join(', ');
  console.log(`${endured.pulls} pulls, ${endured.allowed} allowed; put off: ${codes}`);
  assert.equal(endured.moments.length, MOMENTS);
  assert.ok(endured.allowed > 10 && endured.allowed < endured.pulls, `${endured.allowed} of ${endured.pulls} allowed`);
  assert.deepEqual([endured.falseAllows, endured.falseDenies, endured.lost], [[], [], []]);
});
