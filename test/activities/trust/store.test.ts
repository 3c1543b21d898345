import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { describe, it } from 'node:test';
import { publicGoodSource } from '../../../activities/trust/public-good.ts';
import { toTrustRoot } from '../../../activities/trust/trust-root.ts';
import type { TrustRootDocument } from '../../../activities/trust/trust-root-document.ts';
import { verifyRoots } from '../../../activities/trust/tuf/metadata.ts';
import { keys, names, refusal, startMirror, storeFor, targetsOf, trustedRootBytes, useAndRefresh } from './setting.ts';
import { createTufKey, TufRepository } from './tuf-repository.ts';

const HOUR = 60 * 60 * 1000;

function inDocument(repository: TufRepository): TrustRootDocument {
  const files = new Map(repository.files);
  return {
    name: 'acme',
    source: { kind: 'repository', root: repository.initialRoot, files, target: 'trusted_root.json' },
  };
}

describe('a trust store', () => {
  it('knows plain keys at once, and only those that policies name', async (t) => {
    const { store } = storeFor(t);
    await store.use([keys('acme'), keys('other')], names('acme'));
    assert.equal(store.find('acme').name, 'acme');
    assert.equal(store.find('acme').material.certificateAuthorities.length, 1);
    const { code, message, retryable } = refusal(store, 'other');
    assert.deepEqual({ code, retryable }, { code: 'POLICY_CHANGED', retryable: false });
    assert.match(message, /^the trust root "other" is named by no policy any more; pull again$/);
  });

  it('asks no mirror for a trust root that no policy names', async (t) => {
    const { document, server } = await startMirror(t);
    const { store } = storeFor(t);
    await store.use([document], names());
    await store.refresh();
    assert.deepEqual(server.asked, []);
  });

  it('asks nothing when a trust root is found', async (t) => {
    const { document, server } = await startMirror(t);
    const { store } = storeFor(t);
    await useAndRefresh(store, document);
    const asked = server.asked.length;
    for (let i = 0; i < 10; i += 1) store.find('acme');
    store.revision();
    assert.equal(server.asked.length, asked);
  });

  it('joins looks that are asked for at the same time', async (t) => {
    const { document, server } = await startMirror(t);
    const { store } = storeFor(t);
    await useAndRefresh(store, document);
    server.asked.length = 0;
    await Promise.all([store.refresh(), store.refresh(), store.refresh()]);
    assert.deepEqual(
      server.asked.filter((path) => path === 'timestamp.json'),
      ['timestamp.json'],
    );
  });

  it('keeps a trust root whose document stays, and lets go of one that is gone', async (t) => {
    const { document, server } = await startMirror(t);
    const { store } = storeFor(t);
    await useAndRefresh(store, document);
    const before = store.find('acme');
    await server.stop();
    await store.use([document, keys('other')], names('acme', 'other'));
    assert.equal(store.find('acme'), before);
    await store.use([keys('other')], names('other'));
    assert.equal(refusal(store).code, 'POLICY_CHANGED');
  });

  it('lets a document of the same name and other keys take the place of the first', async (t) => {
    const { store } = storeFor(t);
    await store.use([keys('acme')], names('acme'));
    const before = store.find('acme').revision;
    await store.use(
      [
        keys(
          'acme',
          trustedRootBytes((plan) => plan.logs.pop()),
        ),
      ],
      names('acme'),
    );
    assert.notEqual(store.find('acme').revision, before);
  });

  it('has a revision while a trust root has no content', async (t) => {
    const { document, server } = await startMirror(t);
    await server.stop();
    const { store } = storeFor(t);
    await useAndRefresh(store, document);
    assert.equal(refusal(store).code, 'TRUST_ROOT_UNAVAILABLE');
    assert.match(store.revision(), /^[0-9a-f]{64}$/);
  });

  it('ends with the last set, in whatever order sets are read', async (t) => {
    const { document } = await startMirror(t);
    const { store } = storeFor(t);
    const first = store.use([document], names('acme'));
    const second = store.use([keys('other')], names('other'));
    await Promise.all([first, second]);
    assert.equal(store.find('other').name, 'other');
    assert.equal(refusal(store).code, 'POLICY_CHANGED');
  });

  it('tells where each trust root comes from and how it is', async (t) => {
    const { document, server } = await startMirror(t);
    const { store } = storeFor(t);
    await store.use([document, keys('other')], names('acme', 'other'));
    await store.refresh();
    const [acme, other] = store.status();
    assert.equal(acme?.from, server.url.href);
    assert.equal(acme?.revision, store.find('acme').revision);
    assert.ok((acme?.expires ?? 0) > Date.now());
    assert.deepEqual(other, { name: 'other', from: 'its document', revision: store.find('other').revision });
  });

  it('has no more than one trust domain in one trust root', async (t) => {
    const { store } = storeFor(t);
    const github = trustedRootBytes((plan) => {
      plan.logs = [];
      plan.ctLogs = [];
    });
    await store.use([keys('acme'), keys('github', github)], names('acme', 'github'));
    assert.equal(store.find('github').logs.length, 0);
    assert.equal(store.find('acme').logs.length, 2);
  });
});

describe('the public-good instance', () => {
  it('is known without a document, begins at the root that @sigstore/tuf ships, and is fetched only when a policy uses it', async (t) => {
    const { document, server } = await startMirror(t);
    const { store } = storeFor(t, { publicGood: document.source });
    await store.use([], names());
    assert.deepEqual(server.asked, []);
    assert.equal(refusal(store, 'public-good').code, 'POLICY_CHANGED');
    await store.use([], names('public-good'));
    await store.refresh();
    assert.equal(store.find('public-good').name, 'public-good');
  });

  it('has a root that its own keys sign, of which three of five are needed', () => {
    const source = publicGoodSource();
    assert.ok(source.kind === 'remote');
    assert.equal(source.mirror.href, 'https://tuf-repo-cdn.sigstore.dev/');
    const { signed } = JSON.parse(Buffer.from(source.root).toString());
    assert.deepEqual([signed.roles.root.threshold, signed.roles.root.keyids.length], [3, 5]);
    assert.equal(verifyRoots(source.root, []).signed.version, signed.version);
  });

  it('has two logs, whose ids follow from their keys: one with the Rekor API, one with tiles', () => {
    const seeds: unknown = createRequire(import.meta.url)('@sigstore/tuf/seeds.json');
    // What the package ships; every step of the way there is checked by the assertions below.
    const [seed] = Object.values(
      seeds as Readonly<Record<string, { readonly targets: Readonly<Record<string, string>> }>>,
    );
    const document = keys('public-good', Buffer.from(seed?.targets['trusted_root.json'] ?? '', 'base64'));
    assert.ok(document.source.kind === 'keys');
    const { logs } = toTrustRoot('public-good', document.source.root);
    assert.deepEqual(
      logs.map(({ baseUrl, version, origin }) => [baseUrl.href, version, origin]),
      [
        ['https://rekor.sigstore.dev/', 'v1', undefined],
        ['https://log2025-1.rekor.sigstore.dev/', 'v2', 'log2025-1.rekor.sigstore.dev'],
      ],
    );
  });
});

describe('a repository in a document', () => {
  it('is there at once, without a network', async (t) => {
    const { store } = storeFor(t);
    await store.use([inDocument(new TufRepository({ targets: targetsOf() }))], names('acme'));
    assert.equal(store.find('acme').logs.length, 2);
  });

  it('past its time: TRUST_ROOT_EXPIRED with the date, and no retry', async (t) => {
    const past = Date.parse('2026-01-31T12:00:00Z');
    const { store } = storeFor(t);
    await store.use(
      [inDocument(new TufRepository({ targets: targetsOf(), expires: { timestamp: past } }))],
      names('acme'),
    );
    const { code, message, retryable } = refusal(store);
    assert.deepEqual({ code, retryable }, { code: 'TRUST_ROOT_EXPIRED', retryable: false });
    assert.equal(
      message,
      'the trust root "acme" expired on 2026-01-31T12:00:00.000Z, and no newer one could be read from its document: its timestamp.json is past its time; bring the document up to date',
    );
  });

  it('that ends while the worker runs: TRUST_ROOT_EXPIRED from that moment', async (t) => {
    const ends = Math.floor(Date.now() / 1000) * 1000 + HOUR;
    let now = Date.now();
    const { store } = storeFor(t, { now: () => now });
    await store.use(
      [inDocument(new TufRepository({ targets: targetsOf(), expires: { snapshot: ends } }))],
      names('acme'),
    );
    assert.equal(store.find('acme').name, 'acme');
    now = ends;
    assert.equal(refusal(store).code, 'TRUST_ROOT_EXPIRED');
  });

  it('that does not hold: TRUST_ROOT_UNAVAILABLE, and no retry', async (t) => {
    const repository = new TufRepository({ targets: targetsOf(), signers: { snapshot: [createTufKey()] } });
    const { store } = storeFor(t);
    await store.use([inDocument(repository)], names('acme'));
    const { code, message, retryable } = refusal(store);
    assert.deepEqual({ code, retryable }, { code: 'TRUST_ROOT_UNAVAILABLE', retryable: false });
    assert.match(message, /could not be read from its document: .*snapshot was signed by 0\/1 keys/);
  });

  it('without the target: TRUST_ROOT_UNAVAILABLE', async (t) => {
    const { store } = storeFor(t);
    await store.use([inDocument(new TufRepository({ targets: {} }))], names('acme'));
    assert.match(refusal(store).message, /it has no target/);
  });

  it('that lacks a file: TRUST_ROOT_UNAVAILABLE that names it', async (t) => {
    const repository = new TufRepository({ targets: targetsOf() });
    repository.files.delete('1.targets.json');
    const { store } = storeFor(t);
    await store.use([inDocument(repository)], names('acme'));
    assert.match(refusal(store).message, /it has no 1\.targets\.json; bring the document up to date/);
  });

  it('may go back with its document: a policy that is reverted is a policy', async (t) => {
    const repository = new TufRepository({ targets: targetsOf() });
    const old = inDocument(repository);
    const oldRevision = trustedRootBytes((plan) => plan.logs.pop());
    repository.publish({ targets: targetsOf(oldRevision) });
    const { store } = storeFor(t);
    await store.use([inDocument(repository)], names('acme'));
    assert.equal(store.find('acme').logs.length, 1);
    await store.use([old], names('acme'));
    assert.equal(store.find('acme').logs.length, 2);
  });
});
