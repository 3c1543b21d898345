import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { describe, it } from 'node:test';
import { listenOnLoopback } from '../../support/loopback.ts';
import { refusal, remote, startMirror, storeFor, targetsOf, useAndRefresh } from './setting.ts';
import type { MirrorFault } from './tuf-server.ts';

const HOUR = 60 * 60 * 1000;

/** What a mirror that does this gets a worker that has never seen it better. */
const COLD: readonly (readonly [MirrorFault | 'down', RegExp])[] = [
  [
    'down',
    /could not be read from http:\/\/127\.0\.0\.1:\d+\/: the connection for 2\.root\.json failed \(ECONNREFUSED\); check the mirror/,
  ],
  ['silent', /: no complete answer to 2\.root\.json in time; check the mirror/],
  ['trickle', /: no complete answer to 2\.root\.json in time; check the mirror/],
  ['error', /: it answered 500 to 2\.root\.json; check the mirror/],
  ['reset', /: the connection for 2\.root\.json failed \(UND_ERR_SOCKET\); check the mirror/],
  ['garbage', /: its metadata was refused: "Unexpected token /],
  ['bomb', /: it answered more than \d+ bytes to 2\.root\.json; check the mirror/],
  ['flood', /: it answered more than \d+ bytes to 2\.root\.json; check the mirror/],
];

/** Short only where nothing else ends the request. */
function limitFor(fault: MirrorFault | 'down'): { readonly requestMs?: number } {
  return fault === 'silent' || fault === 'trickle' ? { requestMs: 1_000 } : {};
}

describe('a mirror that fails', () => {
  for (const [fault, sentence] of COLD) {
    it(`cold, ${fault}: TRUST_ROOT_UNAVAILABLE, retryable`, async (t) => {
      const { document, server } = await startMirror(t);
      const { store, events } = storeFor(t, limitFor(fault));
      if (fault === 'down') await server.stop();
      else server.fault = fault;
      await useAndRefresh(store, document);
      const { code, message, retryable } = refusal(store);
      assert.deepEqual({ code, retryable }, { code: 'TRUST_ROOT_UNAVAILABLE', retryable: true });
      assert.match(message, sentence);
      assert.match(message, /^the trust root "acme" could not be read from http:/);
      assert.deepEqual(
        events.map(({ kind }) => kind),
        ['failed'],
      );
    });

    it(`warm, ${fault}: the last good one stays in use`, async (t) => {
      const { document, server } = await startMirror(t);
      const { store, events } = storeFor(t, limitFor(fault));
      await useAndRefresh(store, document);
      const before = { root: store.find('acme'), revision: store.revision() };
      if (fault === 'down') await server.stop();
      else server.fault = fault;
      await store.refresh();
      assert.equal(store.find('acme'), before.root);
      assert.equal(store.revision(), before.revision);
      const last = events.at(-1);
      assert.ok(last?.kind === 'failed' && last.usableUntil !== undefined);
      assert.equal(store.status()[0]?.problem, last.problem);
    });
  }

  it('is asked in the background: before it answers the trust root is unavailable, not waited for', async (t) => {
    const { document, server } = await startMirror(t);
    server.fault = 'trickle';
    const { store } = storeFor(t);
    await store.use([document], new Set(['acme']));
    const { code, message, retryable } = refusal(store);
    assert.deepEqual({ code, retryable }, { code: 'TRUST_ROOT_UNAVAILABLE', retryable: true });
    assert.match(message, /^the trust root "acme" is being fetched from http:.* for the first time/);
  });

  it('may send its clients elsewhere', async (t) => {
    const { repository, server } = await startMirror(t);
    const front = createServer((request, response) => {
      response.writeHead(302, { location: new URL(request.url ?? '/', server.url).href }).end();
    });
    const address = await listenOnLoopback(front);
    t.after(() => front.close());
    const { store } = storeFor(t);
    await useAndRefresh(store, remote(repository, new URL(`http://${address}`)));
    assert.equal(store.find('acme').name, 'acme');
  });

  it('is asked again until it answers', async (t) => {
    const { document, server } = await startMirror(t);
    server.fault = 'error';
    const { store } = storeFor(t);
    await useAndRefresh(store, document);
    assert.equal(refusal(store).code, 'TRUST_ROOT_UNAVAILABLE');
    server.fault = undefined;
    await store.refresh();
    assert.equal(store.find('acme').name, 'acme');
    assert.equal(store.status()[0]?.problem, undefined);
  });
});

describe('metadata past its time', () => {
  const past = Date.parse('2026-01-31T12:00:00Z');

  for (const role of ['root', 'timestamp', 'snapshot', 'targets'] as const) {
    it(`cold, ${role}.json: TRUST_ROOT_EXPIRED with the date`, async (t) => {
      const { document } = await startMirror(t, { expires: { [role]: past } });
      const { store } = storeFor(t);
      await useAndRefresh(store, document);
      const { code, message, retryable } = refusal(store);
      assert.deepEqual({ code, retryable }, { code: 'TRUST_ROOT_EXPIRED', retryable: true });
      assert.match(
        message,
        /^the trust root "acme" expired on 2026-01-31T12:00:00\.000Z, and no newer one could be read/,
      );
      assert.match(message, new RegExp(`its ${role}\\.json is past its time`));
    });
  }

  it('warm, mirror down: in use until that moment, then TRUST_ROOT_EXPIRED, and the revision changes', async (t) => {
    const ends = Math.floor(Date.now() / 1000) * 1000 + HOUR;
    const { document, server } = await startMirror(t, { expires: { timestamp: ends } });
    let now = Date.now();
    const { store } = storeFor(t, { now: () => now });
    await useAndRefresh(store, document);
    await server.stop();
    await store.refresh();
    const revision = store.revision();
    now = ends - 1;
    assert.equal(store.find('acme').name, 'acme');
    assert.equal(store.revision(), revision);
    now = ends;
    const { code, message, retryable } = refusal(store);
    assert.deepEqual({ code, retryable }, { code: 'TRUST_ROOT_EXPIRED', retryable: true });
    assert.ok(
      message.startsWith(
        `the trust root "acme" expired on ${new Date(ends).toISOString()}, and no newer one could be read from`,
      ),
    );
    assert.match(message, /ECONNREFUSED/);
    assert.notEqual(store.revision(), revision);
  });

  it('is believed a while longer only where an operator says so', async (t) => {
    const ends = Math.floor(Date.now() / 1000) * 1000 + HOUR;
    const { document } = await startMirror(t, { expires: { timestamp: ends } });
    let now = Date.now();
    const { store } = storeFor(t, { now: () => now, graceMs: HOUR });
    await useAndRefresh(store, document);
    now = ends + HOUR - 1;
    assert.equal(store.find('acme').name, 'acme');
    now = ends + HOUR;
    assert.equal(refusal(store).code, 'TRUST_ROOT_EXPIRED');
  });

  it('is replaced as soon as the mirror has newer metadata', async (t) => {
    const { document, repository } = await startMirror(t, { expires: { timestamp: past } });
    const { store } = storeFor(t);
    await useAndRefresh(store, document);
    assert.equal(refusal(store).code, 'TRUST_ROOT_EXPIRED');
    repository.publish({ targets: targetsOf() });
    await store.refresh();
    assert.equal(store.find('acme').name, 'acme');
  });
});
