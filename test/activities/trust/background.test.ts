import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { describe, it, type TestContext } from 'node:test';
import type { TrustEvent } from '../../../activities/trust/known-root.ts';
import { createTrustStore } from '../../../activities/trust/store.ts';
import { cacheFolder, refusal, startMirror, storeFor, targetsOf, trustedRootBytes, useAndRefresh } from './setting.ts';

const CHANGED = () => trustedRootBytes((plan) => plan.logs.pop());

/** A store that looks at its mirrors by its own timer alone. */
function timedStore(t: TestContext) {
  const waiting: ((event: TrustEvent) => void)[] = [];
  const onChange = (event: TrustEvent) => {
    for (const tell of waiting.splice(0)) tell(event);
  };
  const store = createTrustStore({ refreshMs: 20, onChange });
  t.after(() => store.stop());
  return { store, next: () => new Promise<TrustEvent>((resolve) => waiting.push(resolve)) };
}

describe('a trust root in use', () => {
  it('is refreshed by the worker on its own', async (t) => {
    const { document, repository } = await startMirror(t);
    const { store, next } = timedStore(t);
    const first = next();
    await store.use([document], new Set(['acme']));
    assert.equal((await first).kind, 'refreshed');
    const before = store.find('acme').revision;
    repository.publish({ targets: targetsOf(CHANGED()) });
    let event = await next();
    while (event.kind === 'refreshed' && !event.changed) event = await next();
    assert.equal(event.kind, 'refreshed');
    assert.notEqual(store.find('acme').revision, before);
  });
});

describe('a restart without a mirror', () => {
  it('after a look that failed finds what was proven before it', async (t) => {
    const directory = await cacheFolder(t);
    const { document, server } = await startMirror(t);
    const { store } = storeFor(t, { directory });
    await useAndRefresh(store, document);
    const good = store.find('acme').revision;
    server.fault = 'error';
    await store.refresh();
    store.stop();
    await server.stop();
    const again = storeFor(t, { directory });
    await again.store.use([document], new Set(['acme']));
    assert.equal(again.store.find('acme').revision, good);
  });

  it('after a target that can not be used finds the one before it', async (t) => {
    const directory = await cacheFolder(t);
    const { document, server, repository } = await startMirror(t);
    const { store, events } = storeFor(t, { directory });
    await useAndRefresh(store, document);
    const good = store.find('acme').revision;
    repository.publish({ targets: targetsOf(Buffer.from('{"mediaType":"of something else"}')) });
    await store.refresh();
    assert.equal(events.at(-1)?.kind, 'failed');
    store.stop();
    await server.stop();
    const again = storeFor(t, { directory });
    await again.store.use([document], new Set(['acme']));
    assert.equal(again.store.find('acme').revision, good);
  });
});

describe('a folder of the worker that can not be used', () => {
  it('is told as a failed look, and the trust root stays in use', async (t) => {
    const directory = await cacheFolder(t);
    const { document } = await startMirror(t);
    const { store, events } = storeFor(t, { directory });
    await useAndRefresh(store, document);
    await rm(directory, { recursive: true });
    await writeFile(directory, 'a file in its place');
    t.after(() => rm(directory, { force: true }));
    await store.refresh();
    const failed = events.find((event) => event.kind === 'failed');
    assert.ok(failed?.kind === 'failed' && /could not be made here/.test(failed.problem), JSON.stringify(events));
    assert.equal(store.find('acme').name, 'acme');
  });

  it('leaves a trust root unavailable that was never fetched, and says that it was tried', async (t) => {
    const directory = await cacheFolder(t);
    const { document, server } = await startMirror(t);
    server.fault = 'error';
    const { store } = storeFor(t, { directory });
    await useAndRefresh(store, document);
    server.fault = undefined;
    await rm(directory, { recursive: true });
    await writeFile(directory, 'a file in its place');
    t.after(() => rm(directory, { force: true }));
    await store.refresh();
    const { code, message } = refusal(store);
    assert.equal(code, 'TRUST_ROOT_UNAVAILABLE');
    assert.match(message, /could not be made here/);
  });
});
