import { sha256 } from '../../../support/virtual-sigstore/key-pair.ts';
import { signedBytes } from '../../../support/virtual-sigstore/log-body.ts';
import { goodKey } from '../verdict-of.ts';
import { BASES } from './bases.ts';
import { payload, recode, sig } from './bends.ts';
import { flip64, otherKey, type Row, releaseKey, rowsOf } from './case.ts';

const HEX = 'a1'.repeat(32);
const BY_KEY = { kind: 'key', key: goodKey(releaseKey.publicPem) } as const;
const hint = sha256(otherKey.spki).toString('base64');

/** What was signed, and the signature. */
export const SIGNATURE_ROWS: readonly Row[] = [
  ...rowsOf(BASES.keyed, [
    ['the last bit of the signature', 'SIGNATURE_INVALID', sig((text) => flip64(text))],
    ['the first bit of the signature', 'SIGNATURE_INVALID', sig((text) => flip64(text, 0))],
    [
      'the signature, cut',
      'SIGNATURE_INVALID',
      sig((text) => Buffer.from(text, 'base64').subarray(0, -1).toString('base64')),
    ],
    [
      'the signature, with a byte behind it',
      'SIGNATURE_INVALID',
      sig((text) => Buffer.concat([Buffer.from(text, 'base64'), Buffer.from([0])]).toString('base64')),
    ],
    [
      'the signature, all zeros',
      'SIGNATURE_INVALID',
      sig((text) => Buffer.alloc(Buffer.from(text, 'base64').length).toString('base64')),
    ],
    ['r and s zero', 'SIGNATURE_INVALID', sig(() => Buffer.from('3006020100020100', 'hex').toString('base64'))],
    ['signed by another key under the right hint', 'SIGNATURE_INVALID', { signWith: otherKey }],
    [
      'signed by another key, which it names',
      'WRONG_KEY',
      {
        signWith: otherKey,
        bundle: (it) => {
          it.verificationMaterial.publicKey = { hint };
        },
      },
    ],
    [
      'signed with SHA-1 by the right key',
      'SIGNATURE_INVALID',
      { signed: (it) => ({ ...it, signature: releaseKey.sign(signedBytes(it), 'sha1') }) },
    ],
    [
      'signed without the pre-authentication encoding',
      'SIGNATURE_INVALID',
      {
        signed: (it) => ({
          ...it,
          signature: it.content.kind === 'envelope' ? releaseKey.sign(it.content.envelope.payload) : it.signature,
        }),
      },
    ],
    ['white space in the payload', 'SIGNATURE_INVALID', payload((text) => recode(text, (json) => `${json} `))],
    [
      'the digest in the payload',
      'SIGNATURE_INVALID',
      payload((text) => recode(text, (json) => json.replace(HEX, 'b2'.repeat(32)))),
    ],
    [
      'the predicate in the payload',
      'SIGNATURE_INVALID',
      payload((text) => recode(text, (json) => json.replace('"predicate":{}', '"predicate":[]'))),
    ],
    [
      'the payload type, afterwards',
      'SIGNATURE_INVALID',
      {
        bundle: ({ dsseEnvelope }) => {
          if (dsseEnvelope) dsseEnvelope.payloadType = 'application/vnd.in-toto+xml';
        },
      },
    ],
    ['the payload type, signed', 'EVIDENCE_UNSUPPORTED', { payloadType: 'text/plain' }],
    ['the payload type in capitals, signed', 'EVIDENCE_UNSUPPORTED', { payloadType: 'application/vnd.in-toto+JSON' }],
  ]),
  ...rowsOf(BASES.stamped, [
    ["a signature by another key than the certificate's", 'SIGNATURE_INVALID', { signWith: otherKey }],
    [
      'a bit of the signature, before it is stamped',
      'SIGNATURE_INVALID',
      { signed: (it) => ({ ...it, signature: Buffer.from(flip64(it.signature.toString('base64')), 'base64') }) },
    ],
    ['a certificate where the policy wants a key', 'WRONG_KEY', { require: (it) => ({ ...it, signer: BY_KEY }) }],
  ]),
  ...rowsOf(BASES.keyless, [
    ["a signature by another key than the certificate's, logged", 'SIGNATURE_INVALID', { signWith: otherKey }],
    [
      'the payload, afterwards',
      'SIGNATURE_INVALID',
      { logged: (it) => it, ...payload((text) => recode(text, (json) => json.replace(HEX, 'b2'.repeat(32)))) },
    ],
  ]),
  ...rowsOf(BASES.keyedStamped, [
    [
      'a key where the policy wants an identity',
      'WRONG_IDENTITY',
      {
        require: (it) => ({ ...it, signer: { kind: 'keyless', identities: [], claims: [], certificateTimestamps: 1 } }),
      },
    ],
  ]),
];
