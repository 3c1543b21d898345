import assert from 'node:assert/strict';
import { createServer, type ServerResponse } from 'node:http';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { EvidenceError } from '../../../activities/evidence-error.ts';
import { anonymous } from '../../../activities/registry/credentials/credential.ts';
import { createRegistry } from '../../../activities/registry/registry.ts';
import { RequestShare } from '../../../activities/registry/request-share.ts';
import { listenOnLoopback } from '../../support/loopback.ts';
import { digestOf } from '../../support/verdicts.ts';

/** What one question costs the registry, in ms: it answers 25 a second, and works on those that were abandoned too. */
const COST_MS = 40;
const ATTEMPT_MS = 300;

/** A registry that answers one question after the other, and does not look whether its client still waits. */
async function startSlowRegistry(t: TestContext) {
  const queue: { readonly url: string; readonly response: ServerResponse }[] = [];
  let longest = 0;
  let stopped = false;
  const server = createServer((request, response) => {
    queue.push({ url: request.url ?? '', response });
    longest = Math.max(longest, queue.length);
  });
  const address = await listenOnLoopback(server);
  const work = (async () => {
    while (!stopped) {
      const next = queue.shift();
      await delay(next?.url.includes('/quick/') === true ? 0 : COST_MS);
      next?.response.writeHead(404).end();
    }
  })();
  t.after(async () => {
    stopped = true;
    await work;
    server.closeAllConnections();
    server.close();
  });
  return { registry: address, queued: () => queue.length, longest: () => longest };
}

describe('a registry that is asked more than it can answer', () => {
  it('is asked less, so that it answers again', async (t) => {
    const slow = await startSlowRegistry(t);
    const reader = createRegistry({ credentials: anonymous });
    const name = { registry: slow.registry, repository: 'demo/app' };
    const end = performance.now() + 4_000;
    const pull = async () => {
      while (performance.now() < end) {
        const asking = reader.listReferrers(name, digestOf('ab'), AbortSignal.timeout(ATTEMPT_MS));
        await asking.then(
          () => undefined,
          (error) => assert.ok(error instanceof EvidenceError && error.code === 'REGISTRY_TIMEOUT', String(error)),
        );
      }
    };
    await Promise.all(Array.from({ length: 60 }, pull));
    assert.ok(slow.longest() <= 200, `${slow.longest()} questions waited at the registry`);
    assert.equal(await reader.listReferrers(name, digestOf('ab'), AbortSignal.timeout(15_000)), undefined);
  });
});

describe('a share of requests', () => {
  const name = { registry: 'registry.example', repository: 'demo/app' };
  const signal = new AbortController().signal;
  const timeout = () => new EvidenceError('REGISTRY_TIMEOUT', 'late', { retryable: true });

  /** Requests that end as they are told to, in the order of their begin. */
  function startRequests(share: RequestShare, count: number, reference = 'v1') {
    const begun: PromiseWithResolvers<void>[] = [];
    const ended = Array.from({ length: count }, () =>
      share.ask({ what: 'GET x', name, reference, signal }, () => {
        const request = Promise.withResolvers<void>();
        begun.push(request);
        return request.promise;
      }),
    );
    for (const one of ended) one.catch(() => {}); // it is told to
    return begun;
  }

  const settled = () => new Promise(setImmediate);
  /** Longer than any request of these tests took. */
  const LONG_MS = 10_000;

  it('has fewer requests at once of those that are late, and more with each answer', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const share = new RequestShare();
    const first = startRequests(share, 8);
    await settled();
    assert.equal(first.length, 8);
    for (const one of first) one.reject(timeout());
    await settled();
    const second = startRequests(share, 20);
    await settled();
    assert.equal(second.length, 0, 'what was abandoned counts for a while');
    t.mock.timers.tick(LONG_MS);
    await settled();
    assert.equal(second.length, 4, 'eight that were late together halve the number once');
    for (const one of second) one.resolve();
    await settled();
    assert.equal(second.length, 4 + 8, 'four answers let eight begin');
  });

  it('goes on with one request when none is answered', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const share = new RequestShare();
    for (let round = 0; round < 6; round++) {
      const requests = startRequests(share, 2);
      for (let turn = 0; turn < 2; turn++) {
        await settled();
        for (const one of requests) one.reject(timeout());
        await settled();
        t.mock.timers.tick(LONG_MS);
      }
    }
    const after = startRequests(share, 3);
    await settled();
    assert.equal(after.length, 1);
  });

  it('does not hold other questions back, nor after other failures', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const share = new RequestShare();
    const late = startRequests(share, 6);
    await settled();
    for (const one of late) one.reject(timeout());
    const other = startRequests(share, 6, 'other');
    const failing = startRequests(share, 6, 'failing');
    await settled();
    assert.deepEqual([other.length, failing.length], [6, 6]);
    for (const one of failing) one.reject(new EvidenceError('REGISTRY_ERROR', '503', { retryable: true }));
    await settled();
    const again = startRequests(share, 6, 'failing');
    await settled();
    assert.equal(again.length, 6);
  });

  it('leaves a request that waits for its turn when its caller leaves', async () => {
    const share = new RequestShare();
    const requests = startRequests(share, 2);
    await settled();
    for (const one of requests) one.reject(timeout());
    await delay(100);
    startRequests(share, 1);
    const left = share.ask(
      { what: 'GET x', name, reference: 'v1', signal: AbortSignal.timeout(30) },
      async () => 'asked',
    );
    await assert.rejects(left, /too many other requests wait for registry\.example; check whether it answers/);
  });
});
