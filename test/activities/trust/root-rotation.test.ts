import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { cacheFolder, startMirror, storeFor, targetsOf, trustedRootBytes, useAndRefresh } from './setting.ts';
import { createTufKey } from './tuf-repository.ts';

const newer = () => targetsOf(trustedRootBytes((plan) => plan.logs.pop()));
const threeKeys = () => [createTufKey(), createTufKey(), createTufKey()];

describe('the keys of a TUF repository', () => {
  it('may be replaced, all of them, one root.json after the other', async (t) => {
    const { document, repository } = await startMirror(t);
    const { store, events } = storeFor(t);
    await useAndRefresh(store, document);
    repository.publishRoot({ keys: { root: threeKeys() } });
    repository.publishRoot({ keys: { timestamp: [createTufKey()], snapshot: [createTufKey()] } });
    repository.publishRoot({ keys: { targets: [createTufKey()] } });
    repository.publish({ targets: newer() });
    await store.refresh();
    assert.equal(events.at(-1)?.kind, 'refreshed');
    assert.equal(store.find('acme').logs.length, 1);
  });

  it('are followed from the first root.json by whoever comes late', async (t) => {
    const { document, repository } = await startMirror(t);
    for (let i = 0; i < 5; i += 1) repository.publishRoot({ keys: { root: threeKeys() } });
    const { store } = storeFor(t);
    await useAndRefresh(store, document);
    assert.equal(store.find('acme').logs.length, 2);
  });

  it('are proven again, step by step, after a restart with the mirror down', async (t) => {
    const { document, repository, server } = await startMirror(t);
    const directory = await cacheFolder(t);
    const { store: first } = storeFor(t, { directory });
    await useAndRefresh(first, document);
    for (let i = 0; i < 3; i += 1) repository.publishRoot({ keys: { root: threeKeys(), timestamp: [createTufKey()] } });
    repository.publish({ targets: newer() });
    await first.refresh();
    first.stop();
    await server.stop();
    const { store, events } = storeFor(t, { directory });
    await store.use([document], new Set(['acme']));
    assert.equal(store.find('acme').logs.length, 1);
    assert.deepEqual(events, []);
  });

  it('that were lost may be replaced together with the versions they had signed far ahead', async (t) => {
    const { document, repository } = await startMirror(t);
    const { store, events } = storeFor(t);
    await useAndRefresh(store, document);
    // Whoever had the keys published a version that nobody can ever reach (TUF specification 5.3.11).
    repository.publish({ targets: targetsOf(), versions: { timestamp: 1_000_000, snapshot: 1_000_000 } });
    await store.refresh();
    repository.publishRoot({ keys: { timestamp: [createTufKey()], snapshot: [createTufKey()] } });
    repository.publish({ targets: newer(), versions: { timestamp: 2, snapshot: 2 } });
    await store.refresh();
    assert.equal(events.at(-1)?.kind, 'refreshed');
    assert.equal(store.find('acme').logs.length, 1);
  });
});

describe('a TUF repository without versions in its file names', () => {
  it('is read and renewed like another one', async (t) => {
    const { document, repository, server } = await startMirror(t, { consistent: false });
    const directory = await cacheFolder(t);
    const { store } = storeFor(t, { directory });
    await useAndRefresh(store, document);
    assert.equal(store.find('acme').logs.length, 2);
    assert.ok(server.asked.includes('targets/trusted_root.json'));
    repository.publish({ targets: newer() });
    await store.refresh();
    assert.equal(store.find('acme').logs.length, 1);
    store.stop();
    await server.stop();
    const again = storeFor(t, { directory });
    await again.store.use([document], new Set(['acme']));
    assert.equal(again.store.find('acme').logs.length, 1);
  });
});
