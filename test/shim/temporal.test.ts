import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerHttp2Session } from 'node:http2';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../infra/stack/ports.ts';
import { absenceOf, BackendProblem } from '../../shim/backend.ts';
import { connectBackend } from '../../shim/temporal.ts';
import { startBlackHole } from '../support/black-hole.ts';
import { anAllow } from '../support/verdicts.ts';

const { name, digest, policyRevision } = anAllow();
const INPUT = { decisionId: 'x', name, digest, policyRevision };

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

/** A server that answers every call of gRPC with this status, and those whose path matches `silent` never. */
async function startRefusing(t: TestContext, status: number, message: string, silent?: RegExp): Promise<string> {
  const server = createServer().on('stream', (stream, headers) => {
    stream.on('error', () => {}); // a caller that gave up
    if (silent?.test(headers[':path'] ?? '') === true) return;
    const said = { 'grpc-status': `${status}`, 'grpc-message': message };
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...said }, { endStream: true });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sessions = new Set<ServerHttp2Session>();
  server.on('session', (session) => void sessions.add(session));
  t.after(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  const bound = server.address();
  assert.ok(bound !== null && typeof bound === 'object');
  return `127.0.0.1:${bound.port}`;
}

describe('a backend that answers and refuses', () => {
  const cases = [
    ['throttles', 8, 'namespace rate limit exceeded'],
    ['does not permit it', 7, 'Request unauthorized.'],
    ['does not know the caller', 16, 'no such client'],
    ['fails', 13, 'unexpected'],
  ] as const;
  for (const [what, status, message] of cases) {
    it(`is not said to be unreachable when it ${what}`, async (t) => {
      process.env['TEMPORAL_ADDRESS'] = await startRefusing(t, status, message);
      const backend = connectBackend('nobody');
      t.after(() => backend.close());
      for (const ask of [
        () => backend.policyHead(Date.now() + 1_000),
        () => backend.exists('verify/x', Date.now() + 700),
        () => backend.verify({ workflowId: 'verify/x', input: INPUT, node: 'n' }, Date.now() + 700),
      ]) {
        await assert.rejects(ask, (error) => {
          assert.ok(error instanceof BackendProblem);
          assert.deepEqual([error.code, absenceOf(error)], ['TEMPORAL_REFUSED', 'silent'], error.message);
          assert.ok(error.message.includes(message), error.message);
          return true;
        });
      }
    });
  }

  it('is not said to be unreachable when it answers other calls meanwhile', async (t) => {
    process.env['TEMPORAL_ADDRESS'] = await startRefusing(t, 5, 'workflow not found', /QueryWorkflow/);
    const backend = connectBackend('nobody');
    t.after(() => backend.close());
    const asking = backend.checks('verify/x', Date.now() + 1_000);
    asking.catch(() => {}); // it is looked at below
    await delay(300);
    assert.equal(await backend.exists('verify/x', Date.now() + 500), false);
    await assert.rejects(asking, (error) => error instanceof BackendProblem && error.code === 'TEMPORAL_REFUSED');
  });
});

describe('a policy statement that no worker gives', () => {
  it('is not taken for a network that is gone when its workflow was deleted meanwhile', async (t) => {
    process.env['TEMPORAL_ADDRESS'] = await startRefusing(t, 5, 'workflow not found', /QueryWorkflow/);
    const backend = connectBackend('nobody');
    t.after(() => backend.close());
    await assert.rejects(
      backend.policyHead(Date.now() + 1_500),
      (error) => error instanceof BackendProblem && error.code === 'TEMPORAL_REFUSED',
    );
  });
});

describe('a backend whose server says that it is not available', () => {
  it('is unreachable, as one is that is shut down', async (t) => {
    process.env['TEMPORAL_ADDRESS'] = await startRefusing(t, 14, 'shutting down');
    const backend = connectBackend('nobody');
    t.after(() => backend.close());
    await assert.rejects(backend.exists('verify/x', Date.now() + 700), unreachable);
  });
});
