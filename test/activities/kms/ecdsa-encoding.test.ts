import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, it } from 'node:test';
import { fromDer, toDer } from '../../../activities/kms/ecdsa-encoding.ts';

describe('the two encodings of an ECDSA signature', () => {
  for (const [namedCurve, size] of [
    ['P-256', 32],
    ['P-384', 48],
    ['P-521', 66],
  ] as const) {
    it(`are the same numbers for ${namedCurve}, short ones among them`, () => {
      const { privateKey } = generateKeyPairSync('ec', { namedCurve });
      for (let at = 0; at < 200; at++) {
        const der = sign('sha256', Buffer.from(`${at}`), privateKey);
        const raw = fromDer(der, size);
        assert.ok(raw !== undefined);
        assert.equal(raw.length, 2 * size);
        assert.deepEqual(toDer(raw), der);
      }
    });
  }

  it('of numbers with leading zeros, and of zero, are the shortest', () => {
    const raw = Buffer.concat([Buffer.alloc(31), Buffer.of(0x80), Buffer.alloc(32)]);
    const der = Buffer.from('3007020200800201' + '00', 'hex');
    assert.deepEqual(toDer(raw), der);
    assert.deepEqual(fromDer(der, 32), raw);
  });

  it('are told from what is neither', () => {
    for (const raw of [0, 63, 134]) assert.equal(toDer(Buffer.alloc(raw)), undefined);
    const good = '3006020101020102';
    assert.ok(fromDer(Buffer.from(good, 'hex'), 32) !== undefined);
    for (let length = 0; length < good.length; length += 2) {
      assert.equal(fromDer(Buffer.from(good.slice(0, length), 'hex'), 32), undefined, good.slice(0, length));
    }
    const bad = [`${good}00`, '3106020101020102', '300602010104010200', '3081060201010201', '30820006020101020102'];
    for (const hex of bad) assert.equal(fromDer(Buffer.from(hex, 'hex'), 32), undefined, hex);
    const tooLong = Buffer.concat([
      Buffer.from('302602', 'hex'),
      Buffer.of(33),
      Buffer.alloc(33, 1),
      Buffer.from('020101', 'hex'),
    ]);
    assert.equal(fromDer(tooLong, 32), undefined);
  });
});
