import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  cacheFolder,
  refusal,
  remote,
  startMirror,
  storeFor,
  targetsOf,
  trustedRootBytes,
  useAndRefresh,
} from './setting.ts';
import { createTufKey, TufRepository } from './tuf-repository.ts';

describe('metadata that does not hold', () => {
  const newer = () => targetsOf(trustedRootBytes((plan) => plan.logs.pop()));
  /** Bends what the mirror serves from now on. */
  const BENT: readonly (readonly [string, (repository: TufRepository) => void, RegExp])[] = [
    [
      'an older timestamp.json',
      (r) => r.publish({ targets: newer(), versions: { timestamp: 1, snapshot: 3, targets: 3 } }),
      /New timestamp version 1 is less than current version 2/,
    ],
    [
      'an older snapshot.json',
      (r) => r.publish({ targets: newer(), versions: { timestamp: 3, snapshot: 1, targets: 3 } }),
      /New snapshot version 1 is less than current version 2/,
    ],
    [
      'an older targets.json',
      (r) => r.publish({ targets: newer(), versions: { timestamp: 3, snapshot: 3, targets: 1 } }),
      /New version 1 of targets\.json is less than current version 2/,
    ],
    [
      'a timestamp.json by a strange key',
      (r) => r.publish({ targets: newer(), signers: { timestamp: [createTufKey()] } }),
      /timestamp was signed by 0\/1 keys/,
    ],
    [
      'a snapshot.json by a strange key',
      (r) => r.publish({ targets: newer(), signers: { snapshot: [createTufKey()] } }),
      /snapshot was signed by 0\/1 keys/,
    ],
    [
      'a targets.json by a strange key',
      (r) => r.publish({ targets: newer(), signers: { targets: [createTufKey()] } }),
      /targets was signed by 0\/1 keys/,
    ],
    [
      'a root.json by one key of two',
      (r) => r.publishRoot({ signers: r.keys.root.slice(0, 1) }),
      /root was signed by 1\/2 keys/,
    ],
    [
      'a root.json by its own new keys only',
      (r) => {
        const root = [createTufKey(), createTufKey(), createTufKey()];
        r.publishRoot({ keys: { root }, signers: root });
      },
      /root was signed by 0\/2 keys/,
    ],
    [
      'a root.json that skips a version',
      (r) => {
        r.publishRoot();
        r.publishRoot();
        r.files.set('2.root.json', r.files.get('3.root.json') ?? Buffer.alloc(0));
      },
      /Expected version 2, got 3/,
    ],
    [
      'a target of other bytes',
      (r) => {
        r.publish({ targets: newer() });
        replaceTarget(r, (bytes) => bytes.fill(0x20, 10, 11));
      },
      /hash|length/i,
    ],
    [
      'a target that is cut off',
      (r) => {
        r.publish({ targets: newer() });
        replaceTarget(r, (bytes) => bytes.subarray(0, -1));
      },
      /length/i,
    ],
    ['no target of that name', (r) => r.publish({ targets: { 'other.json': trustedRootBytes() } }), /it has no target/],
    [
      'a target that is no trusted root',
      (r) => r.publish({ targets: targetsOf(Buffer.from('{"mediaType":"text/plain"}')) }),
      /its trusted_root\.json: expected the mediaType/,
    ],
    [
      'a target without a start of validity',
      (r) => r.publish({ targets: targetsOf(withoutStart()) }),
      /its trusted_root\.json: certificateAuthorities\[0\]: expected validFor\.start/,
    ],
    [
      'a target that is too large',
      (r) => r.publish({ targets: targetsOf(Buffer.alloc(1024 * 1024 + 1, ' ')) }),
      /the target is larger than 1048576 bytes/,
    ],
  ];

  for (const [what, bend, problem] of BENT) {
    it(`${what}: the good one stays, and the next is adopted when it holds`, async (t) => {
      const { document, repository } = await startMirror(t);
      repository.publish({ targets: targetsOf() });
      const before = { files: new Map(repository.files), keys: repository.keys, root: repository.versions.root };
      const { store, events } = storeFor(t, { directory: await cacheFolder(t) });
      await useAndRefresh(store, document);
      const good = store.find('acme');
      bend(repository);
      await store.refresh();
      assert.equal(store.find('acme'), good);
      const last = events.at(-1);
      assert.ok(last?.kind === 'failed', 'the bent metadata was adopted');
      assert.match(last.problem, problem);

      repository.restore(before);
      repository.publish({ targets: newer() });
      await store.refresh();
      assert.equal(events.at(-1)?.kind, 'refreshed');
      assert.notEqual(store.find('acme').revision, good.revision);
    });
  }

  it('cold: TRUST_ROOT_UNAVAILABLE that says what did not hold', async (t) => {
    const { document } = await startMirror(t, { signers: { targets: [createTufKey()] } });
    const { store } = storeFor(t);
    await useAndRefresh(store, document);
    const { code, message, retryable } = refusal(store);
    assert.deepEqual({ code, retryable }, { code: 'TRUST_ROOT_UNAVAILABLE', retryable: true });
    assert.match(message, /its metadata was refused: .*targets was signed by 0\/1 keys/);
  });

  it('by another initial root: TRUST_ROOT_UNAVAILABLE', async (t) => {
    const { server } = await startMirror(t);
    const { store } = storeFor(t);
    await useAndRefresh(store, remote(new TufRepository({ targets: targetsOf() }), server.url));
    assert.equal(refusal(store).code, 'TRUST_ROOT_UNAVAILABLE');
  });
});

function replaceTarget(repository: TufRepository, change: (bytes: Buffer) => Buffer): void {
  for (const [path, bytes] of repository.files) {
    if (path.startsWith('targets/')) repository.files.set(path, change(Buffer.from(bytes)));
  }
}

function withoutStart(): Buffer {
  return Buffer.from(
    trustedRootBytes()
      .toString()
      .replace(/("certificateAuthorities".*?"validFor":\{)"start":"[^"]*",/, '$1'),
  );
}
