import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { cacheFolder, refusal, startMirror, storeFor, targetsOf, trustedRootBytes, useAndRefresh } from './setting.ts';
import { createTufKey } from './tuf-repository.ts';

const HOUR = 60 * 60 * 1000;

/** The one file that a store keeps of its one mirror. */
async function cacheFile(directory: string): Promise<string> {
  const files = (await readdir(directory)).filter((file) => file.endsWith('.json'));
  assert.equal(files.length, 1);
  return join(directory, files[0] ?? '');
}

/** A mirror that was seen once, and is down now. */
async function seenMirror(t: TestContext, timestamp?: number) {
  const directory = await cacheFolder(t);
  const mirror = await startMirror(t, timestamp === undefined ? {} : { expires: { timestamp } });
  const { store } = storeFor(t, { directory });
  await useAndRefresh(store, mirror.document);
  store.stop();
  return { ...mirror, directory, good: store.find('acme').revision };
}

describe('a restart', () => {
  it('finds the last good trust root before any mirror answers', async (t) => {
    const { document, directory, good, server } = await seenMirror(t);
    await server.stop();
    const { store } = storeFor(t, { directory });
    await store.use([document], new Set(['acme']));
    assert.equal(store.find('acme').revision, good);
    await store.refresh();
    assert.equal(store.find('acme').revision, good);
  });

  it('leaves nothing but one file in the folder', async (t) => {
    const { directory } = await seenMirror(t);
    assert.deepEqual(
      (await readdir(directory)).map((file) => file.replace(/[0-9a-f]{16}/, 'ID')),
      ['acme.ID.json'],
    );
  });

  it('removes what a killed worker left half done, and nothing else', async (t) => {
    const directory = await cacheFolder(t);
    const draft = 'acme.0123456789abcdef.json.01234567-89ab-cdef-0123-456789abcdef';
    await mkdir(join(directory, '.update-abc123'));
    const others = ['notes.txt', 'x.update-abc123', `${draft}.kept`];
    for (const name of ['.update-abc123/root.json', draft, ...others]) await writeFile(join(directory, name), '{}');
    const { store: early } = storeFor(t, { directory });
    await early.use([], new Set());
    assert.equal((await readdir(directory)).length, 5);
    const { store } = storeFor(t, { directory, now: () => Date.now() + 2 * HOUR });
    await store.use([], new Set());
    assert.deepEqual((await readdir(directory)).toSorted(), others.toSorted());
  });

  it('without a folder begins with the initial root', async (t) => {
    const { document, server } = await startMirror(t);
    const first = storeFor(t);
    await useAndRefresh(first.store, document);
    await server.stop();
    const { store } = storeFor(t);
    await useAndRefresh(store, document);
    assert.equal(refusal(store).code, 'TRUST_ROOT_UNAVAILABLE');
  });

  it('with metadata that has ended meanwhile: TRUST_ROOT_EXPIRED with the date', async (t) => {
    const ends = Math.floor(Date.now() / 1000) * 1000 + HOUR;
    const { document, directory, server } = await seenMirror(t, ends);
    await server.stop();
    const { store } = storeFor(t, { directory, now: () => ends });
    await useAndRefresh(store, document);
    const { code, message } = refusal(store);
    assert.equal(code, 'TRUST_ROOT_EXPIRED');
    assert.ok(message.includes(new Date(ends).toISOString()), message);
  });

  it('does not go back to older metadata than was seen before it', async (t) => {
    const { document, directory, good, repository } = await seenMirror(t);
    repository.publish({ targets: targetsOf() });
    const middle = storeFor(t, { directory });
    await useAndRefresh(middle.store, document);
    middle.store.stop();
    repository.publish({ targets: targetsOf(), versions: { timestamp: 1, snapshot: 1, targets: 1 } });
    const { store, events } = storeFor(t, { directory });
    await useAndRefresh(store, document);
    const last = events.at(-1);
    assert.ok(last?.kind === 'failed' && /timestamp version 1 is less than current version 2/.test(last.problem));
    assert.equal(store.find('acme').revision, good);
  });

  it('remembers a new root even when the rest of that update failed', async (t) => {
    const { document, directory, repository } = await seenMirror(t);
    const revoked = repository.keys.root;
    const next = [createTufKey(), createTufKey(), createTufKey()];
    repository.publishRoot({ keys: { root: next } });
    repository.files.delete('timestamp.json');
    const middle = storeFor(t, { directory });
    await useAndRefresh(middle.store, document);
    middle.store.stop();
    // The keys that were replaced sign a root of their own in its place.
    repository.versions.root = 2;
    repository.files.delete('2.root.json');
    repository.publishRoot({ keys: { root: revoked }, signers: revoked });
    repository.publish({ targets: targetsOf() });
    const { store, events } = storeFor(t, { directory });
    await useAndRefresh(store, document);
    const last = events.at(-1);
    assert.ok(last?.kind === 'failed' && /root was signed by 0\/2 keys/.test(last.problem), JSON.stringify(last));
  });
});

describe('a cache file', () => {
  const BENT: readonly (readonly [string, (bytes: Buffer) => Buffer])[] = [
    ['empty', () => Buffer.alloc(0)],
    ['cut off', (bytes) => bytes.subarray(0, bytes.length / 2)],
    ['garbage', () => Buffer.from([0, 255, 1, 2, 3])],
    ['of another version', (bytes) => edit(bytes, (memory) => ({ ...memory, format: 2 }))],
    ['without roots', (bytes) => edit(bytes, ({ format, seen }) => ({ format, seen }))],
    [
      'with another target',
      (bytes) => edit(bytes, (memory) => ({ ...memory, proven: { ...memory.proven, target: forged() } })),
    ],
    ['with a root of strange keys', (bytes) => edit(bytes, (memory) => ({ ...memory, roots: [strangeRoot()] }))],
    [
      'without the metadata of its target',
      (bytes) => edit(bytes, (memory) => ({ ...memory, proven: { target: memory.proven['target'] } })),
    ],
  ];

  for (const [what, bend] of BENT) {
    it(`${what}: is left aside, told, and replaced`, async (t) => {
      const { document, directory, good, server, repository } = await seenMirror(t);
      repository.publishRoot();
      const path = await cacheFile(directory);
      await writeFile(path, bend(await readFile(path)));
      server.fault = 'error';
      const { store, events } = storeFor(t, { directory });
      await useAndRefresh(store, document);
      assert.equal(refusal(store).code, 'TRUST_ROOT_UNAVAILABLE');
      const [first] = events;
      assert.ok(
        first?.kind === 'failed' && first.problem.startsWith('what was kept of it is left aside'),
        JSON.stringify(first),
      );
      server.fault = undefined;
      await store.refresh();
      assert.equal(store.find('acme').revision, good);
      await server.stop();
      const again = storeFor(t, { directory });
      await again.store.use([document], new Set(['acme']));
      assert.equal(again.store.find('acme').revision, good);
    });
  }

  it('that can not be written does not keep the trust root from use', async (t) => {
    const { document } = await startMirror(t);
    const directory = await cacheFolder(t);
    const { store, events } = storeFor(t, { directory });
    await useAndRefresh(store, document);
    const path = await cacheFile(directory);
    await rm(path);
    await mkdir(path);
    await store.refresh();
    assert.equal(store.find('acme').name, 'acme');
    assert.deepEqual(
      events.map(({ kind }) => kind),
      ['refreshed', 'refreshed', 'not-kept'],
    );
  });
});

interface Memory {
  readonly format: number;
  readonly roots: readonly string[];
  readonly seen: Readonly<Record<string, string>>;
  readonly proven: Readonly<Record<string, string>>;
}

function edit(bytes: Buffer, change: (memory: Memory) => unknown): Buffer {
  // Written a moment ago by the code under test.
  const memory = JSON.parse(bytes.toString()) as Memory;
  return Buffer.from(JSON.stringify(change(memory)));
}

function forged(): string {
  return trustedRootBytes((plan) => plan.logs.pop()).toString('base64');
}

function strangeRoot(): string {
  return Buffer.from('{"signed":{"_type":"root"},"signatures":[]}').toString('base64');
}
