import { createHash } from 'node:crypto';
import { der, integer, sequence, TAG } from '../../../support/virtual-sigstore/der.ts';
import type { Signed } from '../../../support/virtual-sigstore/log-body.ts';
import { tsaTrust } from '../../../support/virtual-sigstore/trusted-root.ts';
import { answerAs, createTsa, type StampRequest } from '../../../support/virtual-sigstore/tsa.ts';
import { BASES, wants } from './bases.ts';
import { type Base, type Bend, flip, otherKey, type Row, rowsOf, SIGNED_AT, sigstore, stranger } from './case.ts';

const at = (seconds: number) => new Date(SIGNED_AT.getTime() + seconds * 1000);
const { tsa, window } = sigstore;
const token = (change: (token: Buffer) => Uint8Array): Bend => ({
  stamps: (usual) => usual.map((text) => Buffer.from(change(Buffer.from(text, 'base64'))).toString('base64')),
});
const made = (make: (signed: Signed) => Uint8Array): Bend => ({
  stamps: (_, signed) => [Buffer.from(make(signed)).toString('base64')],
});
const request = (bytes: Uint8Array): StampRequest => ({
  hash: 'sha256',
  imprint: createHash('sha256').update(bytes).digest(),
});
const authority = (change: { from?: Date; until?: Date }): Bend => ({
  trust: (plan) => {
    for (const one of plan.timestampAuthorities) one.window = { ...one.window, ...change };
  },
});

/** The one place where these bytes stand, with the last of them changed. */
function bitIn(token: Buffer, part: Uint8Array): Buffer {
  const found = token.indexOf(part);
  if (found < 0) throw new Error('expected the part in the token');
  return flip(token, found + part.length - 1);
}
/** The signed attributes under another tag; they begin with the content type. */
function withoutAttributes(token: Buffer): Buffer {
  const copy = Buffer.from(token);
  const tag = copy.indexOf(Buffer.from('06092a864886f70d010903', 'hex')) - 5;
  if (copy[tag] !== 0xa0) throw new Error('expected the attributes there');
  copy[tag] = 0xa1;
  return copy;
}
const genTime = Buffer.from('20260601120000Z');
const shortLived = createTsa({ name: 'short-lived', window: { from: at(-600), until: at(-1) } });
const unstamping = createTsa({ name: 'not for stamping', window, extensions: [] });

const anywhere = (base: Base): readonly Row[] =>
  rowsOf(base, [
    ['no timestamp', 'TIMESTAMP_MISSING', { stamps: () => [] }],
    ["a bit of the token's signature", 'TIMESTAMP_INVALID', token((it) => flip(it))],
    ['the time in the token', 'TIMESTAMP_INVALID', token((it) => flip(it, it.indexOf(genTime) + genTime.length - 2))],
    [
      'a timestamp over the payload',
      'TIMESTAMP_INVALID',
      made(({ content }) => tsa.stamp(content.kind === 'blob' ? content.bytes : content.envelope.payload, SIGNED_AT)),
    ],
    ['a timestamp over another signature', 'TIMESTAMP_INVALID', made(() => tsa.stamp(Buffer.from('other'), SIGNED_AT))],
    [
      'a timestamp by a stranger',
      'TIMESTAMP_UNTRUSTED',
      made(({ signature }) => stranger.tsa.stamp(signature, SIGNED_AT)),
    ],
    [
      'no timestamp authority in the trust root',
      'TIMESTAMP_UNTRUSTED',
      {
        trust: (plan) => {
          plan.timestampAuthorities = [];
        },
      },
    ],
    ['an authority that is trusted until before', 'TIMESTAMP_UNTRUSTED', authority({ until: at(-1) })],
    ['an authority that is trusted from after', 'TIMESTAMP_UNTRUSTED', authority({ from: at(1) })],
  ]);

/** When, by whom and over what somebody saw the signature. */
export const TIMESTAMP_ROWS: readonly Row[] = [
  ...anywhere(BASES.stamped),
  ...anywhere(BASES.keyedStamped),
  ...anywhere(BASES.tiled),
  ...rowsOf(BASES.stamped, [
    [
      "a token in the authority's name by another key",
      'TIMESTAMP_INVALID',
      made(({ signature }) => answerAs({ ...tsa.leaf, key: otherKey }, [], request(signature), SIGNED_AT)),
    ],
    [
      "a token in the authority's name that brings its own certificate",
      'TIMESTAMP_INVALID',
      made(({ signature }) =>
        answerAs(
          { ...tsa.leaf, key: stranger.tsa.leaf.key },
          [stranger.tsa.leaf, stranger.tsa.root],
          { ...request(signature), certificates: true },
          SIGNED_AT,
        ),
      ),
    ],
    [
      'a token by the root of the authority',
      'TIMESTAMP_UNTRUSTED',
      made(({ signature }) => answerAs(tsa.root, [], request(signature), SIGNED_AT)),
    ],
    [
      'a token by the certificate authority',
      'TIMESTAMP_UNTRUSTED',
      made(({ signature }) => answerAs(sigstore.intermediate, [], request(signature), SIGNED_AT)),
    ],
    [
      'an authority under another root',
      'TIMESTAMP_INVALID',
      {
        trust: (plan) => {
          plan.timestampAuthorities = [
            { ...tsaTrust('x', tsa, window), certificates: [tsa.leaf.der, stranger.tsa.root.der] },
          ];
        },
      },
    ],
    [
      'an authority whose certificate had ended',
      'TIMESTAMP_UNTRUSTED',
      {
        ...made(({ signature }) => shortLived.stamp(signature, SIGNED_AT)),
        trust: (plan) => {
          plan.timestampAuthorities = [tsaTrust('x', shortLived, window)];
        },
      },
    ],
    [
      'an authority whose certificate is not for timestamps',
      'TIMESTAMP_UNTRUSTED',
      {
        ...made(({ signature }) => unstamping.stamp(signature, SIGNED_AT)),
        trust: (plan) => {
          plan.timestampAuthorities = [tsaTrust('x', unstamping, window)];
        },
      },
    ],
    [
      'a bit of the imprint',
      'TIMESTAMP_INVALID',
      {
        stamps: ([text = ''], { signature }) => [
          bitIn(Buffer.from(text, 'base64'), request(signature).imprint).toString('base64'),
        ],
      },
    ],
    [
      'an imprint by another algorithm',
      'TIMESTAMP_INVALID',
      made(({ signature }) => tsa.answer({ ...request(signature), hash: 'sha384' }, SIGNED_AT)),
    ],
    ['a byte behind the token', 'TIMESTAMP_INVALID', token((it) => Buffer.concat([it, Buffer.from([0])]))],
    ['the token, cut', 'TIMESTAMP_INVALID', token((it) => it.subarray(0, -1))],
    ['a token that is junk', 'TIMESTAMP_INVALID', token(() => Buffer.from('junk'))],
    ['an answer without a token', 'TIMESTAMP_INVALID', token(() => sequence(sequence(integer(0))))],
    ['a refusal of the authority', 'TIMESTAMP_INVALID', token(() => sequence(sequence(integer(2))))],
    [
      'a refusal of the authority around a good token',
      'TIMESTAMP_INVALID',
      token((it) =>
        Buffer.concat([it.subarray(0, it.indexOf(integer(0))), integer(2), it.subarray(it.indexOf(integer(0)) + 3)]),
      ),
    ],
    [
      'a token of another content type',
      'TIMESTAMP_INVALID',
      token((it) => bitIn(it, Buffer.from('2a864886f70d010702', 'hex'))),
    ],
    [
      'a token over another kind of content',
      'TIMESTAMP_INVALID',
      token((it) => bitIn(it, Buffer.from('2a864886f70d0109100104', 'hex'))),
    ],
    ['a token without its signed attributes', 'TIMESTAMP_INVALID', token(withoutAttributes)],
    ['an empty timestamp', 'TIMESTAMP_INVALID', token(() => Buffer.alloc(0))],
    [
      'a timestamp that is null',
      'EVIDENCE_MALFORMED',
      { bytes: (text) => text.replace('"rfc3161Timestamps":[', '"rfc3161Timestamps":[null,') },
    ],
    ['a timestamp that is a null of DER', 'TIMESTAMP_INVALID', token(() => der(TAG.null))],
    ['one timestamp where the policy wants two', 'TIMESTAMP_MISSING', { require: wants({ timestamps: 2 }) }],
    [
      'the same timestamp twice where the policy wants two',
      'EVIDENCE_MALFORMED',
      { require: wants({ timestamps: 2 }), stamps: (usual) => [...usual, ...usual] },
    ],
    [
      'two of one authority where the policy wants two',
      'TIMESTAMP_MISSING',
      {
        require: wants({ timestamps: 2 }),
        stamps: (usual, { signature }) => [...usual, tsa.stamp(signature, at(1)).toString('base64')],
      },
    ],
    ['one observer where the policy wants two', 'TIMESTAMP_MISSING', { require: wants({ observers: 2 }) }],
  ]),
  ...rowsOf(BASES.keyless, [
    ['no timestamp where the policy wants one', 'TIMESTAMP_MISSING', { require: wants({ timestamps: 1 }) }],
    ['the log alone where the policy wants two observers', 'TIMESTAMP_MISSING', { require: wants({ observers: 2 }) }],
  ]),
  ...rowsOf(BASES.tiled, [
    [
      'a log without a time, where the policy wants two observers',
      'TIMESTAMP_MISSING',
      { require: wants({ observers: 2 }) },
    ],
  ]),
  ...rowsOf(BASES.keyedTiled, [
    [
      'a log without a time, where the policy wants an observer',
      'TIMESTAMP_MISSING',
      { require: wants({ observers: 1 }) },
    ],
  ]),
];
