import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { describe, it } from 'node:test';
import { holdsOverDigest } from '../../../activities/cli/ecdsa-over-digest.ts';

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const message = Buffer.from('a message');
const digest = createHash('sha256').update(message).digest();

describe('ECDSA over a digest', () => {
  it('agrees with node:crypto about signatures, with each of many keys and messages', () => {
    for (let i = 0; i < 10; i++) {
      const pair = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
      const bytes = randomBytes(i * 7);
      const hash = createHash('sha256').update(bytes).digest();
      const signature = sign('sha256', bytes, pair.privateKey);
      assert.equal(holdsOverDigest(hash, signature, pair.publicKey), true);
      assert.equal(holdsOverDigest(hash, signature, publicKey), false, 'another key');
      assert.equal(holdsOverDigest(digest, signature, pair.publicKey), false, 'another digest');
    }
  });

  it('refuses a signature with any bit changed', () => {
    const signature = sign('sha256', message, privateKey);
    for (let i = 0; i < signature.byteLength; i++) {
      const changed = Buffer.from(signature);
      changed[i] = (changed[i] ?? 0) ^ (1 << (i % 8));
      assert.equal(holdsOverDigest(digest, changed, publicKey), false, `byte ${i}`);
    }
  });

  const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const FORGED: readonly (readonly [name: string, signature: Buffer])[] = [
    ['nothing', Buffer.alloc(0)],
    ['zeros (CVE-2022-21449)', rs(0n, 0n)],
    ['zero and one', rs(0n, 1n)],
    ['one and zero', rs(1n, 0n)],
    ['the order of the group', rs(N, N)],
    ['more than the order', rs(N + 1n, 1n)],
    ['a negative number', Buffer.from('30060201ff020101', 'hex')],
    ['a number with a zero before it', Buffer.from('300702020001020101', 'hex')],
    ['a length that is not there', Buffer.from('30440220', 'hex')],
    ['bytes behind it', Buffer.concat([sign('sha256', message, privateKey), Buffer.alloc(1)])],
    ['garbage', Buffer.alloc(70, 0xff)],
  ];
  for (const [name, signature] of FORGED) {
    it(`refuses ${name}`, () => {
      assert.equal(holdsOverDigest(digest, signature, publicKey), false);
    });
  }

  it('refuses keys of other kinds, and digests of other lengths', () => {
    const p384 = generateKeyPairSync('ec', { namedCurve: 'secp384r1' });
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
    assert.equal(holdsOverDigest(digest, sign('sha256', message, p384.privateKey), p384.publicKey), false);
    assert.equal(holdsOverDigest(digest, sign('sha256', message, rsa.privateKey), rsa.publicKey), false);
    assert.equal(holdsOverDigest(digest.subarray(1), sign('sha256', message, privateKey), publicKey), false);
  });
});

function rs(r: bigint, s: bigint): Buffer {
  const integers = [r, s].map((value) => {
    const hex = value.toString(16);
    const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
    const content = (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.alloc(1), bytes]) : bytes;
    return Buffer.concat([Buffer.from([0x02, content.byteLength]), content]);
  });
  const content = Buffer.concat(integers);
  return Buffer.concat([Buffer.from([0x30, content.byteLength]), content]);
}
