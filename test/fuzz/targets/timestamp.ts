import assert from 'node:assert/strict';
import type { Evidence } from '../../../activities/sigstore/evidence/evidence.ts';
import { bytesAsSigned } from '../../../activities/sigstore/evidence/signed.ts';
import { proveTimestamp } from '../../../activities/sigstore/timestamp.ts';
import { corpus } from '../corpus.ts';
import { partOf, refused, type Target } from '../target.ts';
import { signingKey, trustRoot } from './evidence.ts';

const signature = Buffer.from(corpus.timestamp.signature, 'base64');

/** A signed timestamp (RFC 3161), and the signature that it is over. */
export const timestampTarget: Target = {
  name: 'timestamp',
  seeds: [{ seed: 'timestamp', parts: { token: Buffer.from(corpus.timestamp.token, 'base64'), signature } }],
  run(input) {
    const stamped = partOf(input, 'signature');
    const evidence: Evidence = {
      signer: { kind: 'key', hint: '' },
      signature: stamped,
      signed: bytesAsSigned(stamped),
      payload: { kind: 'artifact' },
      entries: [],
      timestamps: [],
    };
    const signing = { evidence, key: signingKey, certificate: undefined };
    const proven = proveTimestamp(partOf(input, 'token'), signing, trustRoot.material);
    if (!proven.ok) return refused(proven.refusal);
    assert.ok(stamped.equals(signature), 'a signature that was never stamped was accepted');
    assert.equal(proven.value.time.toISOString(), corpus.signedAt, 'a time that nobody signed was accepted');
    return 'accepted';
  },
};
