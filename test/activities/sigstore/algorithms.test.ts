import assert from 'node:assert/strict';
import { constants, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { describe, it } from 'node:test';
import type { HashAlgorithm } from '../../../activities/sigstore/key/key.ts';
import {
  cosignPayload,
  cosignStatement,
  encodeJson,
  type SigningKey,
  signBundle,
  signSimple,
} from '../../support/signer.ts';
import { createKeyPair } from '../../support/virtual-sigstore/key-pair.ts';
import { BASES } from './negatives/bases.ts';
import { judgementOf } from './negatives/case.ts';
import { DIGEST, goodKey, REPOSITORY, verdictOf } from './verdict-of.ts';

type Sign = (bytes: Uint8Array) => Buffer;

/** Both formats by a key that the tests' signer does not know. */
function verdicts(publicKey: KeyObject, signBytes: Sign, hash?: HashAlgorithm): readonly string[] {
  const publicPem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const own = goodKey(publicPem, hash);
  // The kind is only for the signer's own way of signing, which is replaced.
  const key: SigningKey = { kind: 'Ed25519', privateKey: publicKey, publicPem, keyId: own.keyId, sign: signBytes };
  const bundle = encodeJson(signBundle(key, cosignStatement(DIGEST)));
  const simple = signSimple(key, cosignPayload(DIGEST, REPOSITORY));
  return [verdictOf({ format: 'bundle', bundle }, own), verdictOf(simple, own)];
}

describe('ML-DSA', () => {
  for (const kind of ['ml-dsa-44', 'ml-dsa-65', 'ml-dsa-87'] as const) {
    it(`${kind}: a pure signature holds, one by another key does not`, () => {
      const { privateKey, publicKey } = pairOf(kind);
      const other = pairOf(kind);
      assert.deepEqual(
        verdicts(publicKey, (bytes) => sign(null, bytes, privateKey)),
        ['valid', 'valid'],
      );
      for (const verdict of verdicts(publicKey, (bytes) => sign(null, bytes, other.privateKey))) {
        assert.match(verdict, /^SIGNATURE_INVALID: /);
      }
      assert.equal(goodKey(publicKey.export({ type: 'spki', format: 'pem' }).toString()).algorithm, kind.toUpperCase());
    });
  }
});

describe('RSA-PSS, for a key that is for nothing else', () => {
  it('holds with SHA-256 unless the key names another hash', () => {
    const free = generateKeyPairSync('rsa-pss', { modulusLength: 2048 });
    assert.deepEqual(verdicts(free.publicKey, pss(free.privateKey, 'sha256')), ['valid', 'valid']);
    for (const verdict of verdicts(free.publicKey, pss(free.privateKey, 'sha384'))) {
      assert.match(verdict, /^SIGNATURE_INVALID: /);
    }
    const bound = generateKeyPairSync('rsa-pss', {
      modulusLength: 3072,
      hashAlgorithm: 'sha384',
      mgf1HashAlgorithm: 'sha384',
    });
    assert.deepEqual(verdicts(bound.publicKey, pss(bound.privateKey, 'sha384')), ['valid', 'valid']);
  });

  it('holds with the hash that the policy pins', () => {
    const { publicKey, privateKey } = generateKeyPairSync('rsa-pss', { modulusLength: 2048 });
    assert.deepEqual(verdicts(publicKey, pss(privateKey, 'sha512'), 'sha512'), ['valid', 'valid']);
    for (const verdict of verdicts(publicKey, pss(privateKey, 'sha256'), 'sha512')) {
      assert.match(verdict, /^SIGNATURE_INVALID: /);
    }
  });

  it('is too short below 2,048 bits', () => {
    const { publicKey } = generateKeyPairSync('rsa-pss', { modulusLength: 1024 });
    const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
    assert.throws(() => goodKey(pem), /expected RSA of 2048 to 8192 bits, found 1024/);
  });
});

describe('certificates', () => {
  for (const kind of ['ECDSA P-256', 'ECDSA P-384', 'ECDSA P-521', 'RSA 2048', 'RSA 3072', 'Ed25519'] as const) {
    it(`${kind} signs as a key of its kind does, in every format and log`, () => {
      const bend = { leaf: { key: createKeyPair(kind) } };
      // Rekor hashes before it verifies, and no hash is made of what Ed25519 signs.
      const logged = [BASES.keylessHashed, BASES.tiled, BASES.legacy].filter(() => kind !== 'Ed25519');
      for (const base of [BASES.keyless, BASES.stamped, BASES.attached, BASES.attachedIntoto1, ...logged]) {
        assert.equal(judgementOf(base, bend), 'valid', base.name);
      }
    });
  }
});

function pss(key: KeyObject, hash: HashAlgorithm): Sign {
  return (bytes) =>
    sign(hash, bytes, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST });
}

/** Each kind has an overload of its own. */
function pairOf(kind: 'ml-dsa-44' | 'ml-dsa-65' | 'ml-dsa-87'): { publicKey: KeyObject; privateKey: KeyObject } {
  switch (kind) {
    case 'ml-dsa-44':
      return generateKeyPairSync('ml-dsa-44');
    case 'ml-dsa-65':
      return generateKeyPairSync('ml-dsa-65');
    case 'ml-dsa-87':
      return generateKeyPairSync('ml-dsa-87');
  }
}
