import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ASN1Obj } from '@sigstore/core';
import { readLeaf } from '../../../activities/sigstore/certificate/certificate.ts';
import { bitString, der, oid, sequence, setOf, TAG } from '../../support/virtual-sigstore/der.ts';
import { createVirtualSigstore } from '../../support/virtual-sigstore/sigstore.ts';

const { der: leaf } = createVirtualSigstore(new Date('2026-06-01T12:00:00Z')).issueLeaf();
const [signedPart, algorithm, signature] = ASN1Obj.parseBuffer(Buffer.from(leaf)).subs.map((part) => part.toDER());
assert.ok(signedPart !== undefined && algorithm !== undefined && signature !== undefined);

const ECDSA_SHA384 = oid('1.2.840.10045.4.3.3');
const ECDSA_SHA256 = oid('1.2.840.10045.4.3.2');

/** What the issuer signed is the same in all of them. */
const BENT: readonly (readonly [what: string, certificate: Buffer])[] = [
  ['another algorithm than the one that is signed', sequence(signedPart, sequence(ECDSA_SHA256), signature)],
  ['its algorithm twice', sequence(signedPart, sequence(ECDSA_SHA384, ECDSA_SHA384), signature)],
  ['parameters of its algorithm', sequence(signedPart, sequence(ECDSA_SHA384, der(TAG.null)), signature)],
  ['no algorithm', sequence(signedPart, sequence(), signature)],
  ['a fourth part', sequence(signedPart, algorithm, signature, sequence())],
  ['no signature', sequence(signedPart, algorithm)],
  ['a signature with unused bits', sequence(signedPart, algorithm, bitString(signature.subarray(3), 1))],
  ['a set around it', setOf(signedPart, algorithm, signature)],
];

describe('the frame of a certificate', () => {
  it('is read as it was issued', () => {
    assert.equal(readLeaf(sequence(signedPart, algorithm, signature)).ok, true);
  });

  for (const [what, certificate] of BENT) {
    it(`is refused with ${what}`, () => {
      const read = readLeaf(certificate);
      assert.equal(read.ok ? 'read' : read.refusal.code, 'EVIDENCE_MALFORMED');
    });
  }
});
