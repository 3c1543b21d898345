import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { CASES, startServers, stopServers } from './cases.ts';
import { quietRuntime, setEnvironment, whatShimSays, whatWorkerSays } from './scene.ts';

before(async () => {
  quietRuntime();
  await startServers();
});
after(stopServers);

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
