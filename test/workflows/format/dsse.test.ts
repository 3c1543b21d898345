import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dsse } from '@sigstore/core';
import fc from 'fast-check';
import { preAuthEncoding } from '../../../workflows/format/dsse.ts';

const encode = (text: string) => new TextEncoder().encode(text);

test('encodes the example of the DSSE protocol', () => {
  const encoded = preAuthEncoding('http://example.com/HelloWorld', encode('hello world'));
  assert.equal(Buffer.from(encoded).toString(), 'DSSEv1 29 http://example.com/HelloWorld 11 hello world');
});

test('counts bytes, not characters', () => {
  assert.equal(Buffer.from(preAuthEncoding('é', encode('€'))).toString(), 'DSSEv1 2 é 3 €');
});

test('is what @sigstore/core encodes, for every payload', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.uint8Array(), (type, payload) => {
      const ours = preAuthEncoding(type, payload);
      assert.deepEqual(Buffer.from(ours), dsse.preAuthEncoding(type, Buffer.from(payload)));
    }),
  );
});

test('two different envelopes are never encoded alike', () => {
  assert.notDeepEqual(preAuthEncoding('a', encode(' 1 b')), preAuthEncoding('a 1 ', encode('b')));
});
