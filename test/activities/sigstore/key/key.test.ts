import assert from 'node:assert/strict';
import { createHash, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { parsePublicKey } from '../../../../activities/sigstore/key/key.ts';
import { createSigningKey, KEY_KINDS } from '../../../support/signer.ts';
import { goodKey } from '../verdict-of.ts';

for (const kind of KEY_KINDS) {
  test(`reads ${kind} and names it by the hash of its SPKI`, () => {
    const { publicPem, keyId } = createSigningKey(kind);
    const key = goodKey(publicPem);
    assert.equal(key.algorithm, kind);
    assert.equal(key.keyId, keyId);
    assert.equal(goodKey(`\r\n${publicPem.replaceAll('\n', '\r\n')}\n`).keyId, keyId);
  });
}

test('reads RSA in PKCS#1 under the same id', () => {
  const { publicPem, keyId } = createSigningKey('RSA 2048');
  const pkcs1 = createPublicKey(publicPem).export({ type: 'pkcs1', format: 'pem' }).toString();
  assert.match(pkcs1, /BEGIN RSA PUBLIC KEY/);
  assert.equal(goodKey(pkcs1).keyId, keyId);
});

test('tries the hash of the curve, then SHA-256, unless the policy pins one', () => {
  const hashes = (kind: (typeof KEY_KINDS)[number], hash?: 'sha384') =>
    goodKey(createSigningKey(kind).publicPem, hash).schemes.map((scheme) => ('hash' in scheme ? scheme.hash : ''));
  assert.deepEqual(hashes('ECDSA P-256'), ['sha256']);
  assert.deepEqual(hashes('ECDSA P-384'), ['sha384', 'sha256']);
  assert.deepEqual(hashes('ECDSA P-521'), ['sha512', 'sha256']);
  assert.deepEqual(hashes('RSA 2048'), ['sha256']);
  assert.deepEqual(hashes('ECDSA P-521', 'sha384'), ['sha384']);
  assert.deepEqual(hashes('RSA 2048', 'sha384'), ['sha384']);
  assert.deepEqual(hashes('Ed25519', 'sha384'), ['']);
});

const good = createSigningKey('ECDSA P-256');
const spki = createPublicKey(good.publicPem).export({ type: 'spki', format: 'der' });
const rsa = createPublicKey(createSigningKey('RSA 2048').publicPem);

const REFUSED: readonly (readonly [string, string, RegExp])[] = [
  ['nothing', '', /exactly one PEM block, found 0/],
  ['garbage', 'not a key', /found 0/],
  ['two keys', good.publicPem + good.publicPem, /exactly one PEM block, found 2/],
  ['text before the key', `ssh-rsa AAAA\n${good.publicPem}`, /nothing around it/],
  ['text after the key', `${good.publicPem}more`, /nothing around it/],
  ['a block that is cut off', good.publicPem.slice(0, -20), /cut off/],
  ['a block that ends as another', good.publicPem.replace('END PUBLIC', 'END RSA PUBLIC'), /cut off/],
  ['an empty block', '-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n', /cut off/],
  ['a certificate', good.publicPem.replaceAll('PUBLIC KEY', 'CERTIFICATE'), /found "CERTIFICATE"/],
  ['PKCS#1 that is SPKI', block('RSA PUBLIC KEY', rsa.export({ type: 'spki', format: 'der' })), /no public key/],
  ['SPKI that is PKCS#1', block('PUBLIC KEY', rsa.export({ type: 'pkcs1', format: 'der' })), /no public key/],
  ['bytes after the key', block('PUBLIC KEY', Buffer.concat([spki, Buffer.from([0])])), /no public key, or more/],
  ['a truncated key', block('PUBLIC KEY', spki.subarray(0, -1)), /no public key/],
  ['base64 with stray bits', good.publicPem.replace(/.(=*)\n-----END/, '=$1\n-----END'), /no public key/],
  ['too much', good.publicPem.padEnd(16 * 1024 + 1), /at most 16384 characters, found 16385/],
  ['P-224', pem(generateKeyPairSync('ec', { namedCurve: 'P-224' })), /P-256, P-384 or P-521, found "secp224r1"/],
  ['secp256k1', pem(generateKeyPairSync('ec', { namedCurve: 'secp256k1' })), /found "secp256k1"/],
  ['Brainpool', pem(generateKeyPairSync('ec', { namedCurve: 'brainpoolP256r1' })), /found "brainpoolP256r1"/],
  ['explicit curve', pem(generateKeyPairSync('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' })), /named curve/],
  ['a compressed point', block('PUBLIC KEY', compressed(spki)), /uncompressed point/],
  ['RSA 1024', pem(generateKeyPairSync('rsa', { modulusLength: 1024 })), /RSA of 2048 to 8192 bits, found 1024/],
  [
    'RSA with exponent 3',
    pem(generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 })),
    /65537, found 3/,
  ],
  [
    'RSA-PSS for SHA-1',
    pem(generateKeyPairSync('rsa-pss', { modulusLength: 2048, hashAlgorithm: 'sha1' })),
    /found "sha1"/,
  ],
  ['Ed448', pem(generateKeyPairSync('ed448')), /found ed448/],
  ['X25519', pem(generateKeyPairSync('x25519')), /found x25519/],
];

for (const [what, text, expected] of REFUSED) {
  test(`refuses ${what}`, () => {
    const result = parsePublicKey(text);
    assert.ok(!result.ok);
    assert.match(result.problem, expected);
  });
}

test('refuses a private key without repeating any of it', () => {
  const pkcs8 = good.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const labels = ['PRIVATE KEY', 'EC PRIVATE KEY', 'ENCRYPTED SIGSTORE PRIVATE KEY', 'OPENSSH PRIVATE KEY'];
  for (const text of [...labels.map((label) => pkcs8.replaceAll('PRIVATE KEY', label)), good.publicPem + pkcs8]) {
    const result = parsePublicKey(text);
    assert.ok(!result.ok);
    assert.match(result.problem, /holds a private key: replace it/);
    for (const line of text.split('\n')) if (line.length > 20) assert.ok(!result.problem.includes(line.slice(0, 20)));
  }
});

test('an RSA key too long to be checked quickly is refused', () => {
  // A modulus need not be a product of primes to be read as one.
  const modulus = Buffer.alloc(1025, 0xff);
  const jwk = { kty: 'RSA', n: modulus.toString('base64url'), e: 'AQAB' };
  const result = parsePublicKey(
    createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' }).toString(),
  );
  assert.ok(!result.ok);
  assert.match(result.problem, /found 8200/);
});

test('no text makes it throw, and no bent key keeps its id', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => !parsePublicKey(text).ok));
  const id = createHash('sha256').update(spki).digest('hex');
  fc.assert(
    fc.property(fc.nat(spki.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
      const bent = Buffer.from(spki);
      bent[at] = (bent[at] ?? 0) ^ mask;
      const result = parsePublicKey(block('PUBLIC KEY', bent));
      return !result.ok || result.key.keyId !== id;
    }),
  );
});

function pem({ publicKey }: { readonly publicKey: KeyObject }): string {
  return publicKey.export({ type: 'spki', format: 'pem' }).toString();
}

function block(label: string, der: Uint8Array): string {
  return `-----BEGIN ${label}-----\n${Buffer.from(der).toString('base64')}\n-----END ${label}-----\n`;
}

/** The SPKI of a P-256 key with its point compressed (SEC 1 section 2.3.3): 32 bytes shorter. */
function compressed(der: Buffer): Buffer {
  const sign = 2 + ((der.at(-1) ?? 0) & 1);
  const header = Buffer.from(der.subarray(0, 26));
  header[1] = (header[1] ?? 0) - 32;
  header[24] = (header[24] ?? 0) - 32;
  return Buffer.concat([header, Buffer.from([sign]), der.subarray(27, 59)]);
}
