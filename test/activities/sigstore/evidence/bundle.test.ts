import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_BUNDLE_BYTES } from '../../../../activities/limits.ts';
import {
  type BundleDocument,
  cosignStatement,
  createSigningKey,
  encodeJson,
  signBundle,
} from '../../../support/signer.ts';
import { DIGEST, goodKey, verdictOf } from '../verdict-of.ts';

const signer = createSigningKey('ECDSA P-256');
const other = createSigningKey('ECDSA P-256');
const own = goodKey(signer.publicPem);
const hintOf = (keyId: string) => Buffer.from(keyId, 'hex').toString('base64');

/** A log entry that is whole in form and true in nothing. */
const JUNK_ENTRY = {
  logIndex: '1',
  logId: { keyId: hintOf(other.keyId) },
  kindVersion: { kind: 'hashedrekord', version: '0.0.1' },
  integratedTime: '1',
  inclusionPromise: { signedEntryTimestamp: 'AAAA' },
  inclusionProof: { logIndex: '1', rootHash: 'AAAA', treeSize: '1', hashes: [], checkpoint: { envelope: 'junk' } },
  canonicalizedBody: 'AAAA',
};

type Bend = (bundle: BundleDocument) => unknown;
type Case = readonly [what: string, bend: Bend, expected: RegExp];

/** What may differ from what cosign writes today. */
const VALID: readonly (readonly [string, Bend])[] = [
  ['unbent', (it) => it],
  ['bundle v0.1', (it) => ({ ...it, mediaType: 'application/vnd.dev.sigstore.bundle+json;version=0.1' })],
  ['bundle v0.2', (it) => ({ ...it, mediaType: 'application/vnd.dev.sigstore.bundle+json;version=0.2' })],
  ['bundle v0.3, old name', (it) => ({ ...it, mediaType: 'application/vnd.dev.sigstore.bundle+json;version=0.3' })],
  ['no hint', (it) => withMaterial(it, { publicKey: {} })],
  ['a hint at another key', (it) => withMaterial(it, { publicKey: { hint: hintOf(other.keyId) } })],
  ['a hint in words', (it) => withMaterial(it, { publicKey: { hint: 'release key' } })],
  ['a key id of another key', (it) => withSignatures(it, [{ ...it.dsseEnvelope.signatures[0], keyid: other.keyId }])],
  ['an absent certificate written as null', (it) => withMaterial(it, { certificate: null })],
  ['32 log entries of junk', (it) => withMaterial(it, { tlogEntries: Array(32).fill(JUNK_ENTRY) })],
  ['32 timestamps of junk', (it) => withMaterial(it, { timestampVerificationData: timestamps(32) })],
  ['its original proto names', (it) => originalNames(it)],
  ['bytes in base64url without padding', (it) => JSON.parse(JSON.stringify(it), toUrlSafe)],
  [
    '64-bit numbers as numbers',
    (it) => withMaterial(it, { tlogEntries: [{ ...JUNK_ENTRY, logIndex: 1, integratedTime: 1 }] }),
  ],
  ['a field that is not known yet', (it) => ({ ...it, 'x-note': { toString: null } })],
  ['an own field __proto__', (it) => `{"__proto__":{"dsseEnvelope":null},${JSON.stringify(it).slice(1)}`],
];

const MALFORMED: readonly Case[] = [
  ['nothing', () => '', /it is not JSON/],
  ['a list', () => '[]', /expected a JSON object/],
  ['null', () => 'null', /expected a JSON object/],
  ['a truncated bundle', (it) => JSON.stringify(it).slice(0, -1), /it is not JSON/],
  ['a bundle with more after it', (it) => `${JSON.stringify(it)}{}`, /it is not JSON/],
  ['bytes that are not UTF-8', (it) => Buffer.concat([encodeJson(it), Buffer.from([0xff])]), /not UTF-8/],
  ['a byte order mark', (it) => `\ufeff${JSON.stringify(it)}`, /it is not JSON/],
  ['a million brackets', () => '['.repeat(1_000_000), /deeper than 64 levels/],
  ['deep nesting beside the content', (it) => ({ ...it, x: nest(100) }), /deeper than 64 levels/],
  ['the payload twice', (it) => JSON.stringify(it).replace('"payload":', '"payload":"","payload":'), /one field twice/],
  ['the envelope twice, once escaped', (it) => JSON.stringify(it).replace('{', '{"dsse\\u0045nvelope":{},'), /twice/],
  ['no media type', (it) => ({ ...it, mediaType: undefined }), /expected a mediaType/],
  ['a media type that is a list', (it) => ({ ...it, mediaType: [it.mediaType] }), /expected a mediaType/],
  ['no material', (it) => ({ ...it, verificationMaterial: undefined }), /expected verificationMaterial/],
  [
    'an inherited material',
    (it) => JSON.stringify(it).replace('"verificationMaterial"', '"__proto__"'),
    /verificationM/,
  ],
  ['empty material', (it) => ({ ...it, verificationMaterial: {} }), /exactly one of publicKey, .*found 0/],
  ['key and certificate', (it) => withMaterial(it, { certificate: { rawBytes: 'AAAA' } }), /exactly one of .*found 2/],
  [
    'a key that is a number',
    (it) => withMaterial(it, { publicKey: 7 }),
    /verificationMaterial\.publicKey: expected an object, found 7/,
  ],
  ['no content', (it) => ({ ...it, dsseEnvelope: undefined }), /one of dsseEnvelope, messageSignature, found 0/],
  ['both contents', (it) => ({ ...it, messageSignature: {} }), /one of dsseEnvelope, messageSignature, found 2/],
  [
    'an envelope that is a string',
    (it) => ({ ...it, dsseEnvelope: 'x' }),
    /dsseEnvelope: expected an object, found "x"/,
  ],
  ['no payload type', (it) => withEnvelope(it, { payloadType: undefined }), /expected a payloadType/],
  ['no payload', (it) => withEnvelope(it, { payload: undefined }), /expected a payload, found none/],
  ['an empty payload', (it) => withEnvelope(it, { payload: '' }), /expected a payload, found none/],
  [
    'a payload with junk in it',
    (it) => withEnvelope(it, { payload: `!${it.dsseEnvelope.payload}` }),
    /payload: expected base64, found "!/,
  ],
  ['no signatures', (it) => withEnvelope(it, { signatures: undefined }), /exactly one signature, found 0/],
  ['an empty list of signatures', (it) => withSignatures(it, []), /exactly one signature, found 0/],
  [
    'the good signature twice',
    (it) => withSignatures(it, [...it.dsseEnvelope.signatures, ...it.dsseEnvelope.signatures]),
    /found 2/,
  ],
  ['an empty signature', (it) => withSignatures(it, [{ sig: '' }]), /expected a signature, found none/],
  [
    'a signature that is a number',
    (it) => withSignatures(it, [{ sig: 7 }]),
    /signatures\[0\]\.sig: expected base64, found 7/,
  ],
  ['a signature that is null', (it) => withSignatures(it, [null]), /signatures\[0\]: expected an object, found null/],
  [
    'a signature with half of its padding',
    (it) => withSignatures(it, [{ sig: 'AB=' }]),
    /sig: expected base64, found "AB="/,
  ],
  ['the envelope in both spellings', (it) => ({ ...it, dsse_envelope: it.dsseEnvelope }), /found it in both spellings/],
  ['its media type in both spellings', (it) => ({ ...it, media_type: null }), /found it in both spellings/],
  ['a near miss of a field', (it) => ({ ...it, DSSEEnvelope: {} }), /found "DSSEEnvelope"; write dsseEnvelope/],
  [
    'an index that is an object',
    (it) => withMaterial(it, { tlogEntries: [{ ...JUNK_ENTRY, logIndex: {} }] }),
    /tlogEntries\[0\]\.logIndex: expected a whole number, found an object/,
  ],
  [
    'a time with a fraction',
    (it) => withMaterial(it, { tlogEntries: [{ ...JUNK_ENTRY, integratedTime: '1.5' }] }),
    /tlogEntries\[0\]\.integratedTime: expected a whole number/,
  ],
  ['log entries that are no list', (it) => withMaterial(it, { tlogEntries: {} }), /tlogEntries: expected a list/],
  ['a hint that is no text', (it) => withMaterial(it, { publicKey: { hint: 7 } }), /hint: expected a string/],
  [
    'a log entry without proof',
    (it) => withMaterial(it, { tlogEntries: [{}] }),
    /@sigstore\/bundle refused it: .*tlogEntries/,
  ],
  [
    'a log entry that is null',
    (it) => withMaterial(it, { tlogEntries: [null] }),
    /tlogEntries\[0\]: expected an object, found null/,
  ],
];

const REFUSED: readonly Case[] = [
  ...MALFORMED.map(
    ([what, bend, why]): Case => [
      what,
      bend,
      new RegExp(`^EVIDENCE_MALFORMED: the bundle can't be read: .*${why.source}`),
    ],
  ),
  [
    'a byte too many',
    (it) => Buffer.concat([encodeJson(it), Buffer.alloc(MAX_BUNDLE_BYTES, ' ')]).subarray(0, MAX_BUNDLE_BYTES + 1),
    /^EVIDENCE_TOO_LARGE: the bundle has 134217729 bytes/,
  ],
  [
    '33 log entries',
    (it) => withMaterial(it, { tlogEntries: Array(33).fill(JUNK_ENTRY) }),
    /^EVIDENCE_TOO_LARGE: the bundle has 33 log entries/,
  ],
  [
    '33 timestamps',
    (it) => withMaterial(it, { timestampVerificationData: timestamps(33) }),
    /^EVIDENCE_TOO_LARGE: the bundle has 33 timestamps/,
  ],
  [
    'a bundle of the future',
    (it) => ({ ...it, mediaType: 'application/vnd.dev.sigstore.bundle.v0.4+json' }),
    /^EVIDENCE_UNSUPPORTED: .*v0.4/,
  ],
  [
    'a media type that begins well',
    (it) => ({ ...it, mediaType: `${it.mediaType}\n; x` }),
    /^EVIDENCE_UNSUPPORTED: .*\\u000a; x"/,
  ],
  [
    'a certificate',
    (it) => ({ ...it, verificationMaterial: { certificate: { rawBytes: 'AAAA' } } }),
    /^WRONG_KEY: .*keyless/,
  ],
  [
    'a certificate chain',
    (it) => ({ ...it, verificationMaterial: { x509CertificateChain: { certificates: [{ rawBytes: 'AAAA' }] } } }),
    /^WRONG_KEY: .*keyless/,
  ],
  [
    'a signed blob',
    (it) => ({ ...it, dsseEnvelope: undefined, messageSignature: { signature: 'AAAA' } }),
    /^EVIDENCE_UNSUPPORTED: .*signs a blob/,
  ],
  [
    'another payload type',
    (it) => withEnvelope(it, { payloadType: 'text/plain' }),
    /^SIGNATURE_INVALID: .*another key made it, or it was changed/,
  ],
  ['another payload', (it) => withEnvelope(it, { payload: 'AAAA' }), /^SIGNATURE_INVALID: /],
  ['another signature', (it) => withSignatures(it, [{ sig: 'AAAA' }]), /^SIGNATURE_INVALID: /],
  [
    'a flipped bit and a lying hint',
    (it) => withMaterial(withEnvelope(it, { payload: 'AAAA' }), { publicKey: { hint: hintOf(other.keyId) } }),
    /^WRONG_KEY: signed by the key sha256:/,
  ],
  [
    'a flipped bit and a hint that breaks the line',
    (it) => withMaterial(withEnvelope(it, { payload: 'AAAA' }), { publicKey: { hint: 'a\n\u202eb' } }),
    /^WRONG_KEY: signed by the key "a\\u000a\\u202eb", /,
  ],
];

for (const [what, bend] of VALID) {
  test(`valid: ${what}`, () => assert.equal(verdictOf(bent(bend), own), 'valid'));
}

for (const [what, bend, expected] of REFUSED) {
  test(`refused: ${what}`, () => assert.match(verdictOf(bent(bend), own), expected));
}

test('a bundle by another key that hints at ours is not ours', () => {
  const lying = withMaterial(signBundle(other, cosignStatement(DIGEST)), { publicKey: { hint: hintOf(signer.keyId) } });
  assert.match(verdictOf({ format: 'bundle', bundle: encodeJson(lying) }, own), /^SIGNATURE_INVALID: /);
});

test('the largest bundle that is read is judged', () => {
  const bytes = encodeJson(signBundle(signer, cosignStatement(DIGEST)));
  const bundle = Buffer.alloc(MAX_BUNDLE_BYTES, ' ');
  bundle.set(bytes);
  assert.equal(verdictOf({ format: 'bundle', bundle }, own), 'valid');
});

function bent(bend: Bend) {
  const result = bend(signBundle(signer, cosignStatement(DIGEST)));
  const bundle =
    result instanceof Uint8Array
      ? result
      : new TextEncoder().encode(typeof result === 'string' ? result : JSON.stringify(result));
  return { format: 'bundle', bundle } as const;
}

/** What protobuf's writers answer when they are asked to keep the names of the `.proto` files. */
function originalNames(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(originalNames);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [
      name === 'payloadType' ? name : name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      originalNames(one),
    ]),
  );
}

function toUrlSafe(name: string, value: unknown): unknown {
  return typeof value === 'string' && ['payload', 'sig'].includes(name)
    ? Buffer.from(value, 'base64').toString('base64url')
    : value;
}

function withMaterial(bundle: BundleDocument, material: object): BundleDocument {
  return { ...bundle, verificationMaterial: { ...bundle.verificationMaterial, ...material } };
}

function withEnvelope(bundle: BundleDocument, envelope: object): BundleDocument {
  return { ...bundle, dsseEnvelope: { ...bundle.dsseEnvelope, ...envelope } };
}

function withSignatures(bundle: BundleDocument, signatures: readonly unknown[]): BundleDocument {
  return withEnvelope(bundle, { signatures });
}

function timestamps(count: number): object {
  return { rfc3161Timestamps: Array(count).fill({ signedTimestamp: 'AAAA' }) };
}

function nest(levels: number): unknown {
  return levels === 0 ? 0 : [nest(levels - 1)];
}
