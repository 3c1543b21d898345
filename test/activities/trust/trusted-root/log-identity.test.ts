import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { createKeyPair, type KeyPair } from '../../../support/virtual-sigstore/key-pair.ts';
import { bentJson, type Json, logsOf, problemOf } from '../trusted-root.ts';

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
    ...[host, `${host}:8443`, `${host}/a`, `${host}:8443/a`].map(
      (name) =>
        [
          `Ed25519 on a port and a path, the name ${name}`,
          ed,
          { baseUrl: `https://${host}:8443/a/`, logId: id(named(ed, name)) },
          'v2',
          named(ed, name),
        ] as const,
    ),
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

  it('is known for an RSA key in the form of PKCS #1', () => {
    const pkcs1 = rsa.publicKey.export({ type: 'pkcs1', format: 'der' }).toString('base64');
    const keyDetails = 'PKCS1_RSA_PKCS1V5';
    const bytes = bentJson((json) => ({
      ...json,
      tlogs: json.tlogs.slice(0, 1).map((log) => ({
        ...{ ...log, publicKey: { ...log.publicKey, rawBytes: pkcs1, keyDetails }, logId: id(plain(rsa)) },
      })),
    }));
    assert.deepEqual(
      logsOf(bytes).map((log) => log.id),
      [plain(rsa).toString('hex')],
    );
  });

  it('is known where the hash algorithm is not specified', () => {
    for (const more of [{ hashAlgorithm: undefined }, { hashAlgorithm: 'HASH_ALGORITHM_UNSPECIFIED' }]) {
      assert.equal(logsOf(read(ec, more)).length, 1);
    }
  });

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
