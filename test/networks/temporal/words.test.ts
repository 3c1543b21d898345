import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { connectTemporal } from '../../../activities/temporal-link.ts';
import { BackendProblem } from '../../../shim/backend.ts';
import { connectBackend } from '../../../shim/temporal.ts';
import { CASES, startServers, stopServers } from './cases.ts';
import { quietRuntime, setEnvironment } from './scene.ts';

before(async () => {
  quietRuntime();
  await startServers();
});
after(stopServers);

async function whatShimSays(): Promise<{ readonly code: string; readonly message: string }> {
  const backend = connectBackend('nobody');
  try {
    const asked = backend.exists('verify/x', Date.now() + 1_200);
    const error = await asked.then(
      () => undefined,
      (problem: unknown) => problem,
    );
    assert.ok(error instanceof BackendProblem, `expected a problem, found ${String(error)}`);
    return error;
  } finally {
    await backend.close();
  }
}

async function whatWorkerSays(): Promise<string> {
  const stop = new AbortController();
  const said = Promise.withResolvers<string>();
  const running = connectTemporal(
    process.env,
    (level, message, fields) => {
      assert.deepEqual([level, message], ['warn', 'Temporal is not there yet']);
      said.resolve('error' in fields ? String(fields.error) : '');
      stop.abort();
    },
    stop.signal,
  );
  const link = await running;
  if (link === undefined) return await said.promise;
  await link.close();
  throw new Error('expected no connection, found one');
}

describe('what a person reads when Temporal', () => {
  for (const [what, environment, says, code = 'TEMPORAL_UNREACHABLE'] of CASES) {
    it(what, { timeout: 30_000 }, async () => {
      setEnvironment(await environment());
      const [shim, worker] = [await whatShimSays(), await whatWorkerSays()] as const;
      assert.equal(shim.code, code, shim.message);
      for (const message of [shim.message, worker]) {
        assert.match(message, says);
        assert.doesNotMatch(message, /[\r\n]|hunter2|BEGIN/);
      }
    });
  }
});
