import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { attemptSignal } from '../../../activities/border/attempt.ts';
import { createRegistry } from '../../../activities/registry/registry.ts';
import { ATTEMPT_RESERVE_MS } from '../../../workflows/verdict/deadlines.ts';
import { startFakeRegistry } from '../../support/registry.ts';
import { digestOf } from '../../support/verdicts.ts';

/** The SDK reports each failed activity as a warning. */
const logger = new DefaultLogger('ERROR');

describe('attemptSignal', () => {
  it('fires before Temporal gives up, and not at once', async () => {
    const startToCloseTimeoutMs = ATTEMPT_RESERVE_MS + 300;
    const environment = new MockActivityEnvironment({ startToCloseTimeoutMs });
    const alive = setTimeout(() => {}, 60_000);
    const took: number = await environment.run(async () => {
      const started = performance.now();
      const signal = attemptSignal();
      assert.equal(signal.aborted, false);
      await once(signal, 'abort');
      return performance.now() - started;
    });
    clearTimeout(alive);
    assert.ok(took > 250, `fired after ${took} ms`);
  });

  it('fires when the activity is cancelled', async () => {
    const environment = new MockActivityEnvironment({ startToCloseTimeoutMs: 60_000 });
    const signal: AbortSignal = await environment.run(async () => attemptSignal());
    assert.equal(signal.aborted, false);
    environment.cancel();
    assert.equal(signal.aborted, true);
  });

  it('leaves time for a signal in an attempt that is shorter than the reserve', async () => {
    const environment = new MockActivityEnvironment({ startToCloseTimeoutMs: 50 });
    const alive = setTimeout(() => {}, 60_000);
    const signal: AbortSignal = await environment.run(async () => attemptSignal());
    if (!signal.aborted) await once(signal, 'abort');
    clearTimeout(alive);
    assert.equal(signal.reason.name, 'TimeoutError');
  });

  it('lets an attempt say what it was waiting for', async (t) => {
    const fake = await startFakeRegistry();
    t.after(() => fake.stop());
    fake.setFault({ effect: { kind: 'hang' } });
    const registry = createRegistry({ credentials: async () => ({ kind: 'anonymous' }) });
    const environment = new MockActivityEnvironment({ startToCloseTimeoutMs: ATTEMPT_RESERVE_MS + 200 }, { logger });
    const name = { registry: fake.address, repository: 'demo/app' };
    await assert.rejects(
      environment.run(() => registry.getBlob(name, digestOf('ab'), attemptSignal())),
      { code: 'REGISTRY_TIMEOUT', message: /GET blob sha256:abab.* of 127\.0\.0\.1/ },
    );
  });
});
