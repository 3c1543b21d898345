import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { toTrustRoot } from '../../../activities/trust/trust-root.ts';
import { readTrustedRootJson } from '../../../activities/trust/trusted-root-json.ts';
import { createKeyPair, type KeyPair } from '../../support/virtual-sigstore/key-pair.ts';
import { trustedRootJson } from '../../support/virtual-sigstore/trusted-root.ts';
import { keys, SIGSTORE, trustedRootBytes } from './setting.ts';

type Json = Record<string, unknown>;

/** A trusted root as JSON that may be bent at will; what is bent is what its type says. */
function bentJson(bend: (json: ReturnType<typeof trustedRootJson>) => unknown): Buffer {
  const json = trustedRootJson(SIGSTORE.trustPlan());
  return Buffer.from(JSON.stringify(bend(json) ?? json));
}

function problemOf(bytes: Uint8Array): string {
  const read = readTrustedRootJson('acme', bytes);
  assert.ok(!read.ok, 'it was read');
  assert.doesNotMatch(read.problem, /[\n\r]/);
  return read.problem;
}

function logsOf(bytes: Uint8Array) {
  const { source } = keys('acme', bytes);
  assert.ok(source.kind === 'keys');
  return toTrustRoot('acme', source.root, source.origins).logs;
}

describe('a trusted_root.json', () => {
  it('is read by either spelling of its media type, 0.1 and 0.2', () => {
    for (const mediaType of [
      'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
      'application/vnd.dev.sigstore.trustedroot.v0.1+json',
      'application/vnd.dev.sigstore.trustedroot.v0.2+json',
    ]) {
      assert.equal(logsOf(bentJson((json) => ({ ...json, mediaType }))).length, 2);
    }
  });

  it('may lack logs altogether, as that of GitHub for private repositories does', () => {
    const bytes = bentJson(({ mediaType, certificateAuthorities, timestampAuthorities }) => ({
      mediaType,
      certificateAuthorities,
      timestampAuthorities,
    }));
    assert.deepEqual(logsOf(bytes), []);
  });

  it('may have fields of the future', () => {
    assert.equal(
      logsOf(
        bentJson((json) => ({
          ...json,
          later: 1,
          tlogs: json.tlogs.map((log) => ({ ...log, operator: 'acme', later: {} })),
        })),
      ).length,
      2,
    );
  });

  it('goes without a log whose kind of key is not known here', () => {
    const unknown = (json: ReturnType<typeof trustedRootJson>) => ({
      ...json,
      tlogs: json.tlogs.map((log, i) =>
        i === 0 ? log : { ...log, publicKey: { ...log.publicKey, keyDetails: 'PKIX_OF_THE_FUTURE' } },
      ),
    });
    assert.deepEqual(
      logsOf(bentJson(unknown)).map(({ version }) => version),
      ['v1'],
    );
  });

  const REFUSED: readonly (readonly [string, () => Uint8Array, RegExp])[] = [
    ['no bytes', () => Buffer.alloc(0), /^expected the JSON of a trusted root, found other bytes: it is not JSON/],
    ['bytes that are no text', () => Buffer.from([0xff, 0xfe]), /it is not UTF-8/],
    ['a cut', () => trustedRootBytes().subarray(0, -10), /it is not JSON/],
    ['a field twice', () => Buffer.from('{"mediaType":"a","mediaType":"b"}'), /names one field twice/],
    ['deep nesting', () => Buffer.from('['.repeat(100_000)), /deeper than 64 levels/],
    [
      'too many bytes',
      () => Buffer.alloc(1024 * 1024 + 1, ' '),
      /at most 1048576 bytes of trusted root, found 1048577/,
    ],
    ['a list', () => Buffer.from('[]'), /expected a JSON object/],
    ['no media type', () => bentJson(({ mediaType: _, ...json }) => json), /expected the mediaType .*, found none/],
    [
      'another media type',
      () => bentJson((json) => ({ ...json, mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json' })),
      /found "application\/vnd\.dev\.sigstore\.bundle/,
    ],
    [
      'a version of the future',
      () => bentJson((json) => ({ ...json, mediaType: 'application/vnd.dev.sigstore.trustedroot.v1+json' })),
      /expected the mediaType/,
    ],
    [
      'nothing in it',
      () => bentJson(({ mediaType }) => ({ mediaType })),
      /expected an authority or a transparency log, found none/,
    ],
    [
      'an authority that is text',
      () => bentJson((json) => ({ ...json, certificateAuthorities: ['a'] })),
      /certificateAuthorities\[0\]: expected a chain of certificates, found none/,
    ],
    [
      'an authority that is null',
      () => bentJson((json) => ({ ...json, certificateAuthorities: [null] })),
      /expected the fields of a trusted root/,
    ],
    [
      'an authority without a start',
      () =>
        bentJson((json) => ({
          ...json,
          certificateAuthorities: json.certificateAuthorities.map(({ validFor: _, ...one }) => one),
        })),
      /certificateAuthorities\[0\]: expected validFor\.start/,
    ],
    [
      'an authority that only ends',
      () =>
        bentJson((json) => ({
          ...json,
          timestampAuthorities: json.timestampAuthorities.map((one) => ({
            ...one,
            validFor: { end: '2027-01-01T00:00:00Z' },
          })),
        })),
      /timestampAuthorities\[0\]: expected validFor\.start/,
    ],
    [
      'a time that is none',
      () =>
        bentJson((json) => ({
          ...json,
          certificateAuthorities: json.certificateAuthorities.map((one) => ({
            ...one,
            validFor: { start: 'yesterday' },
          })),
        })),
      /expected a time like/,
    ],
    [
      'a log without a start',
      () =>
        bentJson((json) => ({
          ...json,
          tlogs: json.tlogs.map((log) => ({ ...log, publicKey: { ...log.publicKey, validFor: {} } })),
        })),
      /tlogs\[0\]: expected validFor\.start/,
    ],
    [
      'a log without a key',
      () => bentJson((json) => ({ ...json, tlogs: json.tlogs.map(({ publicKey: _, ...log }) => log) })),
      /tlogs\[0\]: the key is not usable/,
    ],
    [
      'a log with half a key',
      () =>
        bentJson((json) => ({
          ...json,
          tlogs: json.tlogs.map((log) => ({
            ...log,
            publicKey: { ...log.publicKey, rawBytes: log.publicKey.rawBytes.slice(0, 40) },
          })),
        })),
      /tlogs\[0\]: the key is not usable/,
    ],
    [
      'a log without a URL',
      () => bentJson((json) => ({ ...json, tlogs: json.tlogs.map((log) => ({ ...log, baseUrl: '' })) })),
      /tlogs\[0\]: expected an http or https baseUrl, found ""/,
    ],
    [
      'a log at a file',
      () => bentJson((json) => ({ ...json, tlogs: json.tlogs.map((log) => ({ ...log, baseUrl: 'file:///etc' })) })),
      /tlogs\[0\]: expected an http or https baseUrl/,
    ],
    [
      'a log with another hash',
      () => bentJson((json) => ({ ...json, tlogs: json.tlogs.map((log) => ({ ...log, hashAlgorithm: 'SHA2_512' })) })),
      /tlogs\[0\]: expected the hash algorithm SHA2_256/,
    ],
    [
      'a hash of the future',
      () => bentJson((json) => ({ ...json, tlogs: json.tlogs.map((log) => ({ ...log, hashAlgorithm: 'SHA9' })) })),
      /expected the fields of a trusted root/,
    ],
    [
      'the id of another log',
      () =>
        bentJson((json) => ({
          ...json,
          tlogs: json.tlogs.map((log) => ({ ...log, logId: { keyId: Buffer.alloc(32, 1).toString('base64') } })),
        })),
      /tlogs\[0\]: expected the log id that follows from the key/,
    ],
    [
      'the id of another CT log',
      () =>
        bentJson((json) => ({
          ...json,
          ctlogs: json.ctlogs.map((log) => ({ ...log, logId: { keyId: Buffer.alloc(32, 1).toString('base64') } })),
        })),
      /ctlogs\[0\]: expected the log id that follows from the key/,
    ],
    [
      'too many logs',
      () => bentJson((json) => ({ ...json, ctlogs: Array.from({ length: 65 }, () => json.ctlogs[0]) })),
      /ctlogs: expected at most 64, found 65/,
    ],
  ];
  for (const [what, bytes, problem] of REFUSED) {
    it(`is refused with ${what}`, () => assert.match(problemOf(bytes()), problem));
  }

  it('never makes its reader fail, whatever byte is bent', () => {
    const bytes = trustedRootBytes();
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, by) => {
        const bent = Buffer.from(bytes);
        bent.writeUInt8(bent.readUInt8(at) ^ by, at);
        const read = readTrustedRootJson('acme', bent);
        if (read.ok)
          assert.ok(
            read.document.source.kind === 'keys' &&
              toTrustRoot('acme', read.document.source.root).revision.length === 64,
          );
        else assert.doesNotMatch(read.problem, /[\n\r]/);
      }),
      { numRuns: 300 },
    );
  });
});

describe('the id of a log', () => {
  const host = 'log.test';
  const plain = ({ spki }: KeyPair) => createHash('sha256').update(spki).digest();
  const named = ({ spki }: KeyPair, name: string) =>
    createHash('sha256').update(name).update('\n').update(Buffer.of(1)).update(spki.subarray(12)).digest();
  const namedRsa = ({ spki }: KeyPair, name: string) =>
    createHash('sha256')
      .update(name)
      .update('\n')
      .update(Buffer.of(0xff))
      .update('PKIX-RSA-PKCS#1v1.5')
      .update(spki)
      .digest();
  const ed = createKeyPair('Ed25519');
  const ec = createKeyPair('ECDSA P-256');
  const rsa = createKeyPair('RSA 2048');
  const id = (bytes: Uint8Array) => ({ keyId: Buffer.from(bytes).toString('base64') });
  const DETAILS = new Map([
    [ed, 'PKIX_ED25519'],
    [ec, 'PKIX_ECDSA_P256_SHA_256'],
    [rsa, 'PKIX_RSA_PKCS1V15_2048_SHA256'],
  ]);

  function read(key: KeyPair, more: Json) {
    return bentJson((json) => {
      const [log] = json.tlogs;
      assert.ok(log !== undefined);
      const publicKey = { ...log.publicKey, rawBytes: key.spki.toString('base64'), keyDetails: DETAILS.get(key) };
      return { ...json, tlogs: [{ ...log, baseUrl: `https://${host}`, publicKey, logId: undefined, ...more }] };
    });
  }

  const KNOWN: readonly (readonly [string, KeyPair, Json, 'v1' | 'v2', Buffer])[] = [
    ['ECDSA, the hash of the key', ec, { logId: id(plain(ec)) }, 'v1', plain(ec)],
    ['ECDSA, the same id twice', ec, { logId: id(plain(ec)), checkpointKeyId: id(plain(ec)) }, 'v2', plain(ec)],
    [
      'ECDSA, four bytes for the checkpoint beside it',
      ec,
      { logId: id(plain(ec)), checkpointKeyId: id(plain(ec).subarray(0, 4)) },
      'v1',
      plain(ec),
    ],
    ['ECDSA, no id', ec, {}, 'v1', plain(ec)],
    ['Ed25519, the hash of the key', ed, { logId: id(plain(ed)) }, 'v1', plain(ed)],
    ['Ed25519, the hash of name and key', ed, { logId: id(named(ed, host)) }, 'v2', named(ed, host)],
    [
      'Ed25519, the same cut to four bytes',
      ed,
      { checkpointKeyId: id(named(ed, host).subarray(0, 4)) },
      'v2',
      named(ed, host),
    ],
    [
      'Ed25519, a name with port',
      ed,
      { baseUrl: `https://${host}:8443/`, logId: id(named(ed, `${host}:8443`)) },
      'v2',
      named(ed, `${host}:8443`),
    ],
    [
      'Ed25519, a name with path',
      ed,
      { baseUrl: `https://${host}/a/b/`, logId: id(named(ed, `${host}/a/b`)) },
      'v2',
      named(ed, `${host}/a/b`),
    ],
    ['Ed25519, a name without scheme', ed, { baseUrl: host, logId: id(named(ed, host)) }, 'v2', named(ed, host)],
    ['Ed25519, a declared name', ed, { origin: 'pod-7', logId: id(named(ed, 'pod-7')) }, 'v2', named(ed, 'pod-7')],
    ['Ed25519, no id', ed, {}, 'v2', named(ed, host)],
    ['RSA, the hash of the key', rsa, { logId: id(plain(rsa)) }, 'v1', plain(rsa)],
    ['RSA, the hash of name and key', rsa, { logId: id(namedRsa(rsa, host)) }, 'v2', namedRsa(rsa, host)],
  ];
  for (const [what, key, more, version, expected] of KNOWN) {
    it(`is known: ${what}`, () => {
      const [log] = logsOf(read(key, more));
      assert.deepEqual([log?.version, log?.id], [version, expected.toString('hex')]);
      assert.equal(log?.origin === undefined, version === 'v1');
    });
  }

  const STRANGE: readonly (readonly [string, KeyPair, Json])[] = [
    ['of another name', ed, { logId: id(named(ed, 'other.test')) }],
    ['of another name than is declared', ed, { origin: 'pod-7', logId: id(named(ed, host)) }],
    ['of another key', ec, { logId: id(plain(ed)) }],
    ['of four bytes', ec, { logId: id(plain(ec).subarray(0, 4)) }],
    ['and for the checkpoint another one', ec, { logId: id(plain(ec)), checkpointKeyId: id(plain(ed)) }],
    [
      'and for the checkpoint one of five bytes',
      ed,
      { logId: id(named(ed, host)), checkpointKeyId: id(named(ed, host).subarray(0, 5)) },
    ],
    ['for the checkpoint only, of another key', ed, { checkpointKeyId: id(named(ed, 'other.test')) }],
  ];
  for (const [what, key, more] of STRANGE) {
    it(`is refused: ${what}`, () =>
      assert.match(problemOf(read(key, more)), /^tlogs\[0\]: expected the log id that follows from the key/));
  }
});
