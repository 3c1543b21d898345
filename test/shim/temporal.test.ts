import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../infra/stack/ports.ts';
import { BackendProblem } from '../../shim/backend.ts';
import { connectBackend } from '../../shim/temporal.ts';
import { startBlackHole } from '../support/black-hole.ts';

const unreachable = (error: unknown): boolean =>
  error instanceof BackendProblem && error.code === 'TEMPORAL_UNREACHABLE';

describe('a backend that is not there', () => {
  it('is said to be unreachable by the deadline, and closes without a sound', async () => {
    process.env['TEMPORAL_ADDRESS'] = `127.0.0.1:${await freePort()}`;
    const backend = connectBackend('nobody');
    await assert.rejects(backend.checks('verify/x', Date.now() + 700), unreachable);
    await backend.close();
    await delay(600); // a retry that woke up on a shut channel would be an uncaught exception by now
  });

  it('is said to be unreachable when it accepts and never answers', async () => {
    const hole = await startBlackHole();
    process.env['TEMPORAL_ADDRESS'] = hole.address;
    const backend = connectBackend('nobody');
    const begun = performance.now();
    await assert.rejects(backend.policyHead(Date.now() + 1_000), unreachable);
    assert.ok(performance.now() - begun < 2_000);
    await backend.close();
    await hole.stop();
  });
});
