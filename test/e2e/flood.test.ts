import assert from 'node:assert/strict';
import { it } from 'node:test';
import { endureFlood } from '../endurance/flood.ts';
import { faultsOf } from '../endurance/flood-report.ts';

/** More of them by hand: test/endurance. */
const PUSHES = 24;

it('hostile pushes of every kind let nothing in, refuse nothing that is signed, and do not keep the worker from stopping', async () => {
  const flooded = await endureFlood({ pushes: PUSHES, seed: 5, hostilePulls: 8 });
  const codes = [...flooded.putOff].map(([code, count]) => `${code} ${count}`).join(', ') || 'none';
  console.log(`${flooded.pulls} pulls of signed images, put off: ${codes}; stopped in ${flooded.stoppedMs} ms`);
  assert.ok(flooded.artefacts >= PUSHES, `${flooded.artefacts} artefacts`);
  assert.ok(flooded.pulls >= 10, `${flooded.pulls} pulls`);
  assert.ok(flooded.hostilePulls >= 10, `${flooded.hostilePulls} pulls of flooded images`);
  assert.deepEqual(faultsOf(flooded), []);
});
