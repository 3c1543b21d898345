import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import { MAX_DURABLE_CHECKS } from '../../activities/limits.ts';
import { startBlackHole } from '../support/black-hole.ts';
import { createSigningKey } from '../support/signer.ts';
import { createSetting } from './setting.ts';

const PULLS = 300;
const release = createSigningKey('ECDSA P-256');

it('a registry that never answers holds a third of the places: the other checks give way at once, to be retried', async (t) => {
  const setting = await createSetting(t);
  const policyRevision = await setting.writePolicies({ demo: [release] });
  const { name, digest } = await setting.pushSigned(release);
  const hole = await startBlackHole();
  t.after(() => hole.stop());
  const gaveWay: unknown[] = [];
  const others = Array.from({ length: PULLS }, async (_, i) => {
    const asked = { name: `${hole.address}/demo/app:v${i}`, digest, policyRevision, source: {} };
    await setting.activities.fetchSignatures(asked).catch((error: unknown) => gaveWay.push(error));
  });
  const begun = performance.now();
  const found = await setting.activities.fetchSignatures({ name, digest, policyRevision, source: {} });
  assert.equal(found.signatures.length, 1);
  assert.ok(performance.now() - begun < 5_000, 'while the others still wait');
  while (gaveWay.length < PULLS - Math.ceil(MAX_DURABLE_CHECKS / 3))
    await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(performance.now() - begun < 5_000, 'long before the first of them is cut off');
  for (const error of gaveWay) {
    assert.ok(error instanceof ApplicationFailure);
    assert.deepEqual([error.type, error.nonRetryable], ['REGISTRY_TIMEOUT', false]);
    assert.match(error.message, /^many other checks wait for .*, so this one gave way/);
    assert.ok(typeof error.nextRetryDelay === 'number' && error.nextRetryDelay >= 1_000);
  }
  await hole.stop();
  await Promise.all(others);
});
