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
import type { MirrorFault } from './tuf-server.ts';

const HOUR = 60 * 60 * 1000;

/** What a mirror that does this gets a worker that has never seen it better. */
const COLD: readonly (readonly [MirrorFault | 'down', RegExp])[] = [
  [
    'down',
    /could not be had from http:\/\/127\.0\.0\.1:\d+\/: the connection for 2\.root\.json failed \(ECONNREFUSED\); check the mirror/,
  ],
  ['silent', /: no complete answer to 2\.root\.json in time; check the mirror/],
  ['trickle', /: no complete answer to 2\.root\.json in time; check the mirror/],
  ['error', /: it answered 500 to 2\.root\.json; check the mirror/],
  ['reset', /: the connection for 2\.root\.json failed \(UND_ERR_SOCKET\); check the mirror/],
  ['garbage', /: its metadata was refused: "Unexpected token /],
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
      assert.match(message, /^the trust root "acme" could not be had from http:/);
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
        /^the trust root "acme" expired on 2026-01-31T12:00:00\.000Z, and no newer one could be had/,
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
        `the trust root "acme" expired on ${new Date(ends).toISOString()}, and no newer one could be had from`,
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
