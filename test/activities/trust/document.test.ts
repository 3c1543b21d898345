import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { toTrustRoot } from '../../../activities/trust/trust-root.ts';
import { readWindow } from '../../../activities/trust/trusted-root/validity-window.ts';
import { type Issuer, issueIntermediate } from '../../support/virtual-sigstore/ca.ts';
import { createKeyPair } from '../../support/virtual-sigstore/key-pair.ts';
import { refusal, SIGSTORE, storeFor, trustedRootBytes } from './setting.ts';
import { mirrorArchive } from './tar.ts';
import {
  AUTHORITY,
  base64,
  documentOf,
  KEYS,
  LOG,
  MIRROR,
  pemOf,
  REPOSITORY,
  ROOT,
  readDocument,
  sourceOf,
} from './trust-document.ts';

describe('a window', () => {
  const [start, end, none] = [new Date(1_000), new Date(2_000), new Date(Number.NaN)];

  it('has a start and an end that are times, the end not before the start', () => {
    assert.deepEqual(readWindow({ start, end }), { validFrom: 1_000, validUntil: 2_000 });
    assert.deepEqual(readWindow({ start, end: start }), { validFrom: 1_000, validUntil: 1_000 });
    assert.deepEqual(readWindow({ start, end: undefined }), { validFrom: 1_000, validUntil: undefined });
    for (const range of [undefined, { start: undefined, end }, { start, end: none }, { start: none, end }]) {
      assert.ok('problem' in readWindow(range), JSON.stringify(range));
    }
    assert.ok('problem' in readWindow({ start: end, end: start }));
  });
});

describe('a chain', () => {
  it('is of certificates that name each other: the right key under another name is another authority', () => {
    const { root } = SIGSTORE;
    const window = { from: new Date('2020-01-01T00:00:00Z'), until: new Date('2040-01-01T00:00:00Z') };
    const chainOf = (issuer: Issuer) =>
      authorityOf(pemOf('CERTIFICATE', issueIntermediate(issuer, 'an authority', window).der, root.der));
    assert.deepEqual(chainOf(root), []);
    const [problem] = chainOf({ key: root.key, subject: SIGSTORE.tsa.root.subject });
    assert.match(problem ?? '', /issued by the next one, found another order at place 1/);
    const [forged] = chainOf({ key: createKeyPair(), subject: root.subject });
    assert.match(forged ?? '', /issued by the next one, found another order at place 1/);
  });

  function authorityOf(chain: string): readonly string[] {
    const certificateAuthorities = [{ ...AUTHORITY, certChain: base64(chain) }];
    return readDocument(documentOf({ sigstoreKeys: { ...KEYS, certificateAuthorities } })).problems;
  }
});

describe('a TrustRoot document', () => {
  it('gives keys of its own', () => {
    const { root, origins } = sourceOf({ sigstoreKeys: KEYS }, 'keys');
    const trust = toTrustRoot('acme', root, origins);
    assert.deepEqual(
      [
        trust.material.certificateAuthorities.length,
        trust.material.timestampAuthorities.length,
        trust.material.ctlogs.length,
      ],
      [1, 1, 1],
    );
    const [log] = trust.logs;
    assert.deepEqual(
      [log?.id, log?.baseUrl.href, log?.version, log?.origin, log?.validFrom, log?.validUntil],
      [
        createHash('sha256').update(SIGSTORE.rekorV1.key.spki).digest('hex'),
        'https://rekor.test/',
        'v1',
        undefined,
        0,
        undefined,
      ],
    );
  });

  it('takes an Ed25519 log for one that serves tiles, by the name in its URL or by the one that is given', () => {
    const key = createKeyPair('Ed25519');
    const publicKey = base64(pemOf('PUBLIC KEY', key.spki));
    for (const [more, name] of [
      [{}, 'log.test'],
      [{ origin: 'other.name/log' }, 'other.name/log'],
    ] as const) {
      const log = { ...LOG, baseURL: 'https://log.test', publicKey, ...more };
      const { root, origins } = sourceOf({ sigstoreKeys: { ...KEYS, tLogs: [log] } }, 'keys');
      const [made] = toTrustRoot('acme', root, origins).logs;
      const id = createHash('sha256')
        .update(name)
        .update('\n')
        .update(Buffer.of(1))
        .update(key.spki.subarray(12))
        .digest('hex');
      assert.deepEqual([made?.version, made?.origin, made?.id], ['v2', name, id]);
    }
  });

  it('lets a private log sign as another host than it is asked at', () => {
    const log = { ...LOG, origin: 'rekor-server-7c9d8' };
    const { root, origins } = sourceOf({ sigstoreKeys: { ...KEYS, tLogs: [log] } }, 'keys');
    const trust = toTrustRoot('acme', root, origins);
    assert.equal(trust.material.tlogs[0]?.baseURL, 'rekor-server-7c9d8');
    assert.equal(trust.logs[0]?.baseUrl.href, 'https://rekor.test/');
    assert.equal(trust.logs[0]?.origin, 'rekor-server-7c9d8');
  });

  it('rotates by windows of its own', () => {
    const validFor = { start: '2026-01-01T00:00:00Z', end: '2026-06-30T23:59:59Z' };
    const { root } = sourceOf(
      { sigstoreKeys: { certificateAuthorities: [{ ...AUTHORITY, validFor }], tLogs: [{ ...LOG, validFor }] } },
      'keys',
    );
    const { material } = toTrustRoot('acme', root);
    const window = { start: new Date(validFor.start), end: new Date(validFor.end) };
    assert.deepEqual(material.certificateAuthorities[0]?.validFor, window);
    assert.deepEqual(material.tlogs[0]?.validFor, window);
  });

  it('gives a trusted_root.json in a string', () => {
    const { root } = sourceOf({ trustedRootJSON: trustedRootBytes().toString() }, 'keys');
    assert.equal(toTrustRoot('acme', root).logs.length, 2);
  });

  it('gives a mirror', () => {
    const source = sourceOf({ remote: { root: ROOT, mirror: 'https://tuf.test/repo/' } }, 'remote');
    assert.deepEqual(
      [source.mirror.href, source.targets, source.target],
      ['https://tuf.test/repo/', 'targets', 'trusted_root.json'],
    );
    const other = sourceOf(
      { remote: { root: ROOT, mirror: 'http://tuf.test', targets: 'a/b', trustedRootTarget: 'c.json' } },
      'remote',
    );
    assert.deepEqual([other.targets, other.target], ['a/b', 'c.json']);
  });

  it('gives a repository, packed below repository/ or not, with targets where they are', async (t) => {
    const plain = mirrorArchive(REPOSITORY.files, '');
    const elsewhere = mirrorArchive(
      new Map([...REPOSITORY.files].map(([path, bytes]) => [path.replace(/^targets/, 'my/files'), bytes])),
    );
    for (const more of [
      { mirrorFS: MIRROR },
      { mirrorFS: base64(plain) },
      { mirrorFS: base64(elsewhere), targets: 'my/files' },
    ]) {
      const source = sourceOf({ repository: { root: ROOT, ...more } }, 'repository');
      const { store } = storeFor(t);
      await store.use([{ name: 'acme', source }], new Set(['acme']));
      assert.equal(store.find('acme').logs.length, 2);
    }
  });

  it('whose repository has another target than it names is unavailable', async (t) => {
    const source = sourceOf(
      { repository: { root: ROOT, mirrorFS: MIRROR, trustedRootTarget: 'other.json' } },
      'repository',
    );
    const { store } = storeFor(t);
    await store.use([{ name: 'acme', source }], new Set(['acme']));
    assert.match(refusal(store).message, /it has no target/);
  });
});
