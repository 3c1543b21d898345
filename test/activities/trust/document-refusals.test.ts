import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SIGSTORE } from './setting.ts';
import { mirrorArchive } from './tar.ts';
import {
  AUTHORITY,
  base64,
  CT_LOG,
  documentOf,
  KEYS,
  LOG,
  MIRROR,
  type Parts,
  pemOf,
  REPOSITORY,
  ROOT,
  readDocument,
  TSA,
} from './trust-document.ts';

describe('a TrustRoot document with a problem', () => {
  const keyed = (more: Parts): Parts => ({ sigstoreKeys: { ...KEYS, ...more } });
  const authority = (more: Parts): Parts => keyed({ certificateAuthorities: [{ ...AUTHORITY, ...more }] });
  const tsa = (more: Parts): Parts => keyed({ timestampAuthorities: [{ ...TSA, ...more }] });
  const log = (more: Parts): Parts => keyed({ tLogs: [{ ...LOG, ...more }] });
  const remote = (more: Parts): Parts => ({ remote: { root: ROOT, mirror: 'https://tuf.test', ...more } });
  const repository = (more: Parts): Parts => ({ repository: { root: ROOT, mirrorFS: MIRROR, ...more } });
  const stripped = (source: Parts, name: string): Parts =>
    Object.fromEntries(Object.entries(source).filter(([key]) => key !== name));

  const REFUSED: readonly (readonly [string, Parts, RegExp])[] = [
    [
      'nothing to trust',
      {},
      /^trust\.yaml:\d+:\d+ spec: expected one of remote, repository, sigstoreKeys, trustedRootJSON, found none/,
    ],
    [
      'two sources',
      { ...remote({}), ...keyed({}) },
      /spec\.sigstoreKeys: expected one of .* found remote and sigstoreKeys; make two/,
    ],
    [
      'an unknown source',
      { kubernetes: {} },
      /^trust\.yaml:6:3 spec\.kubernetes: .*found the unknown field "kubernetes"/,
    ],
    [
      'no authority at all',
      { sigstoreKeys: { tLogs: [LOG] } },
      /spec\.sigstoreKeys: expected certificateAuthorities or timestampAuthorities/,
    ],
    [
      'the name that a list had before',
      { sigstoreKeys: { certificateAuthority: [AUTHORITY] } },
      /calls it certificateAuthorities now/,
    ],
    ['an empty list', keyed({ tLogs: [] }), /spec\.sigstoreKeys\.tLogs: expected at least one item/],
    [
      'too many logs',
      keyed({ tLogs: Array.from({ length: 65 }, () => LOG) }),
      /tLogs: expected at most 64 items, found 65/,
    ],
    [
      'no subject',
      keyed({ certificateAuthorities: [stripped(AUTHORITY, 'subject')] }),
      /certificateAuthorities\[0\]\.subject: expected a value/,
    ],
    ['half a subject', authority({ subject: { organization: 'acme' } }), /subject\.commonName: expected a value/],
    [
      'no uri',
      keyed({ certificateAuthorities: [stripped(AUTHORITY, 'uri')] }),
      /certificateAuthorities\[0\]\.uri: expected a value/,
    ],
    [
      'PEM that is not encoded',
      authority({ certChain: pemOf('CERTIFICATE', SIGSTORE.root.der) }),
      /certChain: expected base64, found the text itself/,
    ],
    [
      'a chain that is no PEM',
      authority({ certChain: base64('hello') }),
      /certChain: expected PEM blocks "CERTIFICATE", found 0 of 0/,
    ],
    [
      'a key among certificates',
      authority({
        certChain: base64(
          `${pemOf('CERTIFICATE', SIGSTORE.root.der)}${pemOf('PUBLIC KEY', SIGSTORE.rekorV1.key.spki)}`,
        ),
      }),
      /found 1 of 2/,
    ],
    [
      'a certificate that is none',
      authority({ certChain: base64(pemOf('CERTIFICATE', Buffer.from('hello'))) }),
      /certChain: expected an X\.509 certificate, found other bytes at place 1/,
    ],
    [
      'a certificate with bytes behind it',
      authority({ certChain: base64(pemOf('CERTIFICATE', Buffer.concat([SIGSTORE.root.der, Buffer.from('x')]))) }),
      /other bytes at place 1/,
    ],
    [
      'a chain in the wrong order',
      authority({ certChain: base64(pemOf('CERTIFICATE', SIGSTORE.root.der, SIGSTORE.intermediate.der)) }),
      /issued by the next one, found another order at place 1/,
    ],
    [
      'a chain of two roots',
      authority({ certChain: base64(pemOf('CERTIFICATE', SIGSTORE.intermediate.der, SIGSTORE.tsa.root.der)) }),
      /another order at place 1/,
    ],
    [
      'a leaf among authorities',
      authority({ certChain: base64(pemOf('CERTIFICATE', SIGSTORE.tsa.leaf.der, SIGSTORE.tsa.root.der)) }),
      /certificates of authorities \(CA:TRUE\), found another one at place 1/,
    ],
    [
      'a chain of eleven',
      authority({ certChain: base64(pemOf('CERTIFICATE', ...Array.from({ length: 11 }, () => SIGSTORE.root.der))) }),
      /at most 10 certificates in a chain, found 11/,
    ],
    [
      'a timestamp authority without its leaf',
      tsa({ certChain: base64(pemOf('CERTIFICATE', SIGSTORE.tsa.root.der)) }),
      /timestampAuthorities\[0\]\.certChain: expected the certificate that signs timestamps in first place/,
    ],
    [
      'two leaves',
      tsa({ certChain: base64(pemOf('CERTIFICATE', SIGSTORE.tsa.leaf.der, SIGSTORE.tsa.leaf.der)) }),
      /another one at place 2|another order/,
    ],
    [
      'a window without a start',
      authority({ validFor: { end: '2026-01-01T00:00:00Z' } }),
      /validFor\.start: expected a value/,
    ],
    [
      'a window that ends before it starts',
      authority({ validFor: { start: '2026-01-02T00:00:00Z', end: '2026-01-01T00:00:00Z' } }),
      /expected validFor\.end after validFor\.start/,
    ],
    [
      'a time that is a date',
      authority({ validFor: { start: '2026-01-01' } }),
      /validFor\.start: expected a time like/,
    ],
    [
      'a time that is none',
      authority({ validFor: { start: '2026-13-01T00:00:00Z' } }),
      /validFor\.start: expected a time like/,
    ],
    ['a log without a key', keyed({ tLogs: [stripped(LOG, 'publicKey')] }), /tLogs\[0\]\.publicKey: expected a value/],
    ['a log without a URL', keyed({ tLogs: [stripped(LOG, 'baseURL')] }), /tLogs\[0\]\.baseURL: expected a value/],
    [
      'a log with a password in its URL',
      log({ baseURL: 'https://a:b@rekor.test' }),
      /baseURL: expected an http or https URL without credentials/,
    ],
    [
      'a log with another hash',
      log({ hashAlgorithm: 'sha512' }),
      /hashAlgorithm: expected sha256 or sha-256, found "sha512"/,
    ],
    ['a log with an id', log({ logID: 'abc' }), /tLogs\[0\]\.logID: .*it follows from the key; remove it/],
    [
      'a log with a private key',
      log({ publicKey: base64('-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n') }),
      /publicKey: the key is not usable: it holds a private key/,
    ],
    [
      'a log key that is no PEM',
      log({ publicKey: base64('hello') }),
      /publicKey: expected one PEM block "PUBLIC KEY", found other text/,
    ],
    [
      'a log key with text behind it',
      log({ publicKey: base64(`${pemOf('PUBLIC KEY', SIGSTORE.rekorV1.key.spki)}more`) }),
      /tLogs\[0\]\.publicKey: /,
    ],
    [
      'a log with a query in its URL',
      log({ baseURL: 'https://rekor.test/?a=b' }),
      /tLogs\[0\]\.(?:baseURL|publicKey): expected/,
    ],
    [
      'a log with a fragment in its URL',
      log({ baseURL: 'https://rekor.test/#a' }),
      /tLogs\[0\]\.(?:baseURL|publicKey): expected/,
    ],
    [
      'a time with text behind it',
      authority({ validFor: { start: '2026-01-01T00:00:00Z, or later' } }),
      /validFor\.start: expected a time like/,
    ],
    [
      'a log key that is none',
      log({ publicKey: base64(pemOf('PUBLIC KEY', Buffer.from('hello'))) }),
      /publicKey: the key is not usable/,
    ],
    [
      'an origin with white space',
      log({ origin: 'a b' }),
      /tLogs\[0\]\.origin: expected the name that the log signs checkpoints by/,
    ],
    [
      'an origin of a CT log',
      keyed({ ctLogs: [{ ...CT_LOG, origin: 'a' }] }),
      /ctLogs\[0\]\.origin: .*found the unknown field "origin"/,
    ],
    [
      'a root that is not encoded',
      remote({ root: Buffer.from(REPOSITORY.initialRoot).toString() }),
      /spec\.remote\.root: expected base64, found the text itself/,
    ],
    [
      'a root that is no JSON',
      remote({ root: base64('hello') }),
      /spec\.remote\.root: expected base64 of a root\.json/,
    ],
    [
      'a root that is bent',
      remote({ root: base64(Buffer.from(REPOSITORY.initialRoot).toString().replace('"version":1', '"version":2')) }),
      /signed by its own keys, found another one/,
    ],
    ['a mirror that is no URL', remote({ mirror: 'tuf.test' }), /spec\.remote\.mirror: expected an http or https URL/],
    ['a mirror of another scheme', remote({ mirror: 'file:///etc' }), /mirror: expected an http or https URL/],
    ['a mirror with a query', remote({ mirror: 'https://tuf.test/?a=b' }), /mirror: expected the URL of a directory/],
    ['a mirror with a fragment', remote({ mirror: 'https://tuf.test/#a' }), /mirror: expected the URL of a directory/],
    ...['a b', 'a%2f..', 'a/b?c', 'a//b', './a', `${'a'.repeat(128)}/${'b'.repeat(127)}`].map(
      (targets) =>
        [
          `targets at ${targets.slice(0, 12)}`,
          remote({ targets }),
          /remote\.targets: expected a relative path/,
        ] as const,
    ),
    ['targets above the mirror', remote({ targets: '../x' }), /spec\.remote\.targets: expected a relative path/],
    [
      'a target with an absolute path',
      remote({ trustedRootTarget: '/etc/passwd' }),
      /trustedRootTarget: expected a relative path/,
    ],
    ['a mirrorFS in a remote', remote({ mirrorFS: MIRROR }), /spec\.remote\.mirrorFS: .*unknown field/],
    ['no mirrorFS', { repository: { root: ROOT } }, /spec\.repository\.mirrorFS: expected a value/],
    [
      'a mirrorFS that is no archive',
      repository({ mirrorFS: base64('hello') }),
      /spec\.repository\.mirrorFS: expected a tar\.gz/,
    ],
    [
      'a mirrorFS without metadata',
      repository({ mirrorFS: base64(mirrorArchive(new Map([['a.json', Buffer.from('{}')]]))) }),
      /expected timestamp\.json in the mirror/,
    ],
    ['a trusted root that is none', { trustedRootJSON: '{}' }, /spec\.trustedRootJSON: expected the mediaType/],
    [
      'a trusted root whose media type is a list',
      { trustedRootJSON: '{"mediaType":["application/vnd.dev.sigstore.trustedroot+json;version=0.1"]}' },
      /spec\.trustedRootJSON: expected the mediaType/,
    ],
    [
      'a trusted root that is a mapping',
      { trustedRootJSON: {} },
      /spec\.trustedRootJSON: expected a string, found a mapping/,
    ],
  ];
  for (const [what, spec, problem] of REFUSED) {
    it(`is refused with ${what}`, () => {
      const { problems } = readDocument(documentOf(spec));
      assert.match(problems.join('\n'), problem);
      assert.match(problems[0] ?? '', /^trust\.yaml:\d+:\d+ /);
    });
  }

  it('is refused with another version, kind or name', () => {
    const spec = { sigstoreKeys: KEYS };
    for (const [more, problem] of [
      [{ apiVersion: 'policy.sigstore.dev/v1beta1' }, /apiVersion: expected policy\.sigstore\.dev\/v1alpha1/],
      [{ kind: 'Trustroot' }, /kind: expected TrustRoot/],
      [{ metadata: { name: '../etc' } }, /metadata\.name: expected lower-case letters/],
      [{ metadata: {} }, /metadata\.name: expected a value/],
      [{ status: {} }, /status: .*a cluster writes it/],
    ] as const) {
      const { problems } = readDocument(documentOf(spec, more));
      assert.match(problems.join('\n'), problem);
    }
  });
});
