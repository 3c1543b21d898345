import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerHttp2Session } from 'node:http2';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../../infra/stack/ports.ts';
import { absenceOf, BackendProblem } from '../../../shim/backend/backend.ts';
import { lazyBackend } from '../../../shim/backend/lazy-backend.ts';
import { connectBackend } from '../../../shim/backend/temporal.ts';
import { startBlackHole } from '../../support/black-hole.ts';
import { listenOnLoopback } from '../../support/loopback.ts';
import { anAllow } from '../../support/verdicts.ts';

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

describe('a backend that is slow for a moment', () => {
  /** A server that has answered a call a moment ago, and answers no further one; it may also go. */
  async function startFallingSilent(t: TestContext) {
    let isSilent = false;
    const server = createServer().on('stream', (stream) => {
      stream.on('error', () => {}); // a caller that gave up
      if (isSilent) return;
      const notFound = { 'grpc-status': '5', 'grpc-message': 'workflow not found' };
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...notFound }, { endStream: true });
    });
    const sessions = new Set<ServerHttp2Session>();
    server.on('session', (session) => void sessions.add(session));
    process.env['TEMPORAL_ADDRESS'] = await listenOnLoopback(server);
    const leave = () => {
      for (const session of sessions) session.destroy();
      server.close();
    };
    const backend = connectBackend('nobody');
    t.after(async () => {
      await backend.close();
      leave();
    });
    assert.equal(await backend.exists('verify/x', Date.now() + 2_000), false);
    isSilent = true;
    return { backend, leave };
  }

  it('is not said to be unreachable by a call that has less time than a pull', async (t) => {
    const { backend } = await startFallingSilent(t);
    await assert.rejects(backend.exists('verify/x', Date.now() + 500), (error) => {
      assert.ok(error instanceof BackendProblem);
      assert.deepEqual([error.code, error.isLate], ['TEMPORAL_REFUSED', true], error.message);
      return true;
    });
  });

  it('has not refused a verification that does not end in time', async (t) => {
    const { backend } = await startFallingSilent(t);
    const asking = backend.verify({ workflowId: 'verify/x', input: INPUT, node: 'n' }, Date.now() + 500);
    await assert.rejects(asking, (error) => error instanceof BackendProblem && error.code === 'STILL_VERIFYING');
  });

  it('is unreachable as soon as it takes no connection any more', async (t) => {
    const { backend, leave } = await startFallingSilent(t);
    leave();
    await assert.rejects(backend.exists('verify/x', Date.now() + 700), unreachable);
  });
});

describe('a backend whose client is not loaded yet', () => {
  it('tells each question by its deadline that the daemon still starts, and not that Temporal is gone', async () => {
    const backend = lazyBackend('nobody');
    const asked = { workflowId: 'verify/x', input: INPUT, node: 'n' };
    const begun = performance.now();
    for (const ask of [
      () => backend.verify(asked, Date.now() + 300),
      () => backend.checks('verify/x', Date.now() + 300),
      () => backend.exists('verify/x', Date.now() + 300),
      () => backend.policyHead(Date.now() + 300),
      () => backend.resolve('demo/app', Date.now() + 300),
      () => backend.find('x', Date.now() + 300),
    ]) {
      await assert.rejects(ask, (error) => {
        assert.ok(error instanceof BackendProblem);
        assert.deepEqual([error.code, absenceOf(error)], ['SHIM_BUSY', undefined], error.message);
        return true;
      });
    }
    assert.ok(performance.now() - begun < 2_500);
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
