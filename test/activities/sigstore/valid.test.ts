import assert from 'node:assert/strict';
import { constants, sign } from 'node:crypto';
import { test } from 'node:test';
import type { HashAlgorithm } from '../../../activities/sigstore/key/key.ts';
import { preAuthEncoding } from '../../../workflows/format/dsse.ts';
import {
  cosignBundle,
  cosignPayload,
  cosignStatement,
  createSigningKey,
  encodeJson,
  KEY_KINDS,
  signBundle,
  signSimple,
} from '../../support/signer.ts';
import { DIGEST, goodKey, REPOSITORY, verdictOf } from './verdict-of.ts';

const keys = KEY_KINDS.map((kind) => createSigningKey(kind));

for (const key of keys) {
  test(`${key.kind}: a cosign 3 bundle and a cosign 2 signature are valid, under another key they are not`, () => {
    const bundle = { format: 'bundle', bundle: cosignBundle(key, DIGEST) } as const;
    const simple = signSimple(key, cosignPayload(DIGEST, REPOSITORY));
    const own = goodKey(key.publicPem);
    assert.equal(verdictOf(bundle, own), 'valid');
    assert.equal(verdictOf(simple, own), 'valid');
    for (const other of keys.filter((one) => one !== key)) {
      const foreign = goodKey(other.publicPem);
      assert.match(
        verdictOf(bundle, foreign),
        new RegExp(`^WRONG_KEY: signed by the key sha256:${key.keyId}, expected sha256:${other.keyId}$`),
      );
      assert.match(verdictOf(simple, foreign), /^SIGNATURE_INVALID: /);
    }
  });
}

/** Which hashes hold under a key without a pinned hash. */
const HASHES: readonly (readonly [(typeof KEY_KINDS)[number], readonly string[]])[] = [
  ['ECDSA P-256', ['sha256']],
  ['ECDSA P-384', ['sha384', 'sha256']],
  ['ECDSA P-521', ['sha512', 'sha256']],
  ['RSA 2048', ['sha256']],
];

for (const [kind, good] of HASHES) {
  for (const hash of ['sha1', 'sha224', 'sha256', 'sha384', 'sha512', 'sha3-256']) {
    test(`${kind} with ${hash}: ${good.includes(hash) ? 'holds' : 'does not hold'}, in both formats`, () => {
      const key = createSigningKey(kind);
      const own = goodKey(key.publicPem);
      const expected = good.includes(hash) ? /^valid$/ : /^SIGNATURE_INVALID: /;
      assert.match(verdictOf(signSimple(key, cosignPayload(DIGEST, REPOSITORY), hash), own), expected);
      const bundle = encodeJson(signBundle(key, cosignStatement(DIGEST), { hash }));
      assert.match(verdictOf({ format: 'bundle', bundle }, own), expected);
    });
  }
}

test('a hash that the policy pins is the only one that holds', () => {
  const hashes: readonly HashAlgorithm[] = ['sha256', 'sha384', 'sha512'];
  for (const kind of ['ECDSA P-256', 'ECDSA P-384', 'RSA 2048'] as const) {
    const key = createSigningKey(kind);
    for (const pinned of hashes) {
      const own = goodKey(key.publicPem, pinned);
      for (const hash of hashes) {
        const verdict = verdictOf(signSimple(key, cosignPayload(DIGEST, REPOSITORY), hash), own);
        assert.match(verdict, hash === pinned ? /^valid$/ : /^SIGNATURE_INVALID: /, `${kind}, ${hash} for ${pinned}`);
      }
    }
  }
});

test('RSA-PSS is not tried', () => {
  const key = createSigningKey('RSA 2048');
  const padding = { key: key.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
  const pss = { ...key, sign: (bytes: Uint8Array) => sign('sha256', bytes, padding) };
  const own = goodKey(key.publicPem);
  assert.match(verdictOf(signSimple(pss, cosignPayload(DIGEST, REPOSITORY)), own), /^SIGNATURE_INVALID: /);
  const bundle = encodeJson(signBundle(pss, cosignStatement(DIGEST)));
  assert.match(verdictOf({ format: 'bundle', bundle }, own), /^SIGNATURE_INVALID: /);
});

test('ECDSA: the raw form, BER and leading zeros are not the DER of the signature', () => {
  const key = createSigningKey('ECDSA P-256');
  const own = goodKey(key.publicPem);
  const bytes = encodeJson(cosignPayload(DIGEST, REPOSITORY));
  const der = key.sign(bytes);
  const raw = sign('sha256', bytes, { key: key.privateKey, dsaEncoding: 'ieee-p1363' });
  const [tag = 0, length = 0, integer = 0, size = 0] = der;
  const others = {
    raw,
    'long length': Buffer.concat([Buffer.from([tag, 0x81, length]), der.subarray(2)]),
    'indefinite length': Buffer.concat([Buffer.from([tag, 0x80]), der.subarray(2), Buffer.from([0, 0])]),
    'leading zero': Buffer.concat([Buffer.from([tag, length + 1, integer, size + 1, 0]), der.subarray(4)]),
    'bytes after it': Buffer.concat([der, Buffer.from([0])]),
  };
  const simple = (signature: Buffer) =>
    ({ format: 'simple-signing', payload: bytes, signature: signature.toString('base64') }) as const;
  assert.equal(verdictOf(simple(der), own), 'valid');
  for (const [what, signature] of Object.entries(others)) {
    assert.match(verdictOf(simple(signature), own), /^SIGNATURE_INVALID: /, what);
  }
});

test('a broken Ed25519 signature says what cosign would have made, a broken one of another kind does not', () => {
  for (const [kind, expected] of [
    ['Ed25519', /or it is Ed25519ph, which cosign makes/],
    ['RSA 2048', /changed$/],
  ] as const) {
    const own = goodKey(createSigningKey(kind).publicPem);
    const stranger = createSigningKey(kind);
    const document = signBundle(stranger, cosignStatement(DIGEST));
    const bundle = encodeJson({ ...document, verificationMaterial: { publicKey: {} } });
    assert.match(verdictOf({ format: 'bundle', bundle }, own), expected);
    assert.match(verdictOf(signSimple(stranger, cosignPayload(DIGEST, REPOSITORY)), own), expected);
  }
});

test('an envelope signature does not hold for the bare payload, nor the other way round', () => {
  const key = createSigningKey('ECDSA P-256');
  const own = goodKey(key.publicPem);
  const payload = encodeJson(cosignPayload(DIGEST, REPOSITORY));
  const signed = preAuthEncoding('application/vnd.in-toto+json', payload);
  const moved = { format: 'simple-signing', payload, signature: key.sign(signed).toString('base64') } as const;
  assert.match(verdictOf(moved, own), /^SIGNATURE_INVALID: /);
  const document = signBundle(key, cosignStatement(DIGEST));
  const bare = key.sign(Buffer.from(document.dsseEnvelope.payload, 'base64')).toString('base64');
  const bundle = encodeJson({ ...document, dsseEnvelope: { ...document.dsseEnvelope, signatures: [{ sig: bare }] } });
  assert.match(verdictOf({ format: 'bundle', bundle }, own), /^SIGNATURE_INVALID: /);
});
