import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cosignStatement, createSigningKey, encodeJson, signBundle } from '../../../support/signer.ts';
import { DIGEST, goodKey, verdictOf } from '../verdict-of.ts';

const signer = createSigningKey('ECDSA P-256');
const own = goodKey(signer.publicPem);
const HEX = DIGEST.slice('sha256:'.length);
const OTHER = 'b2'.repeat(32);

type Statement = ReturnType<typeof cosignStatement>;
type Bend = (statement: Statement) => object | string;

const subject = (sha256: unknown) => ({ digest: { sha256 } });

const VALID: readonly (readonly [string, Bend])[] = [
  ['unbent', (it) => it],
  ['statement v0.1', (it) => ({ ...it, _type: 'https://in-toto.io/Statement/v0.1' })],
  ['no predicate, as early cosign 3', (it) => ({ ...it, predicate: undefined })],
  [
    'a subject with name and annotations',
    (it) => ({ ...it, subject: [{ name: 'x', ...subject(HEX), annotations: { a: 'b' } }] }),
  ],
  ['ours among other subjects', (it) => ({ ...it, subject: [subject(OTHER), subject(HEX)] })],
  ['1024 subjects', (it) => ({ ...it, subject: [...Array(1023).fill(subject(OTHER)), subject(HEX)] })],
  ['another hash beside ours', (it) => ({ ...it, subject: [{ digest: { sha512: 'x', sha256: HEX } }] })],
];

const REFUSED: readonly (readonly [string, Bend, RegExp])[] = [
  [
    'a payload that is not JSON',
    () => 'hello',
    /^EVIDENCE_MALFORMED: the signed statement can't be read: it is not JSON/,
  ],
  ['a list', () => '[]', /^EVIDENCE_MALFORMED: .*expected a _type/],
  ['the subject twice', (it) => JSON.stringify(it).replace('{', '{"subject":[],'), /^EVIDENCE_MALFORMED: .*twice/],
  [
    'deep nesting',
    (it) => ({ ...it, predicate: JSON.parse('['.repeat(80) + ']'.repeat(80)) }),
    /^EVIDENCE_MALFORMED: .*deeper/,
  ],
  ['no _type', (it) => ({ ...it, _type: undefined }), /^EVIDENCE_MALFORMED: .*expected a _type/],
  [
    'another _type',
    (it) => ({ ...it, _type: 'https://in-toto.io/Statement/v2' }),
    /^EVIDENCE_UNSUPPORTED: .*Statement\/v2"/,
  ],
  ['no predicate type', (it) => ({ ...it, predicateType: undefined }), /^EVIDENCE_MALFORMED: .*predicateType/],
  [
    'an attestation',
    (it) => ({ ...it, predicateType: 'https://slsa.dev/provenance/v1' }),
    /^EVIDENCE_UNSUPPORTED: an attestation is not a signature: .*provenance\/v1"/,
  ],
  [
    'a predicate type that begins well',
    (it) => ({ ...it, predicateType: `${it.predicateType}1` }),
    /^EVIDENCE_UNSUPPORTED: an attestation/,
  ],
  ['no subject', (it) => ({ ...it, subject: undefined }), /^EVIDENCE_MALFORMED: .*at least one subject/],
  ['no subjects', (it) => ({ ...it, subject: [] }), /^EVIDENCE_MALFORMED: .*at least one subject/],
  [
    'a subject that is no list',
    (it) => ({ ...it, subject: subject(HEX) }),
    /^EVIDENCE_MALFORMED: .*at least one subject/,
  ],
  [
    'a subject that is null',
    (it) => ({ ...it, subject: [null, subject(HEX)] }),
    /^EVIDENCE_MALFORMED: .*every subject/,
  ],
  ['a subject without digest', (it) => ({ ...it, subject: [{ name: HEX }] }), /^EVIDENCE_MALFORMED: .*every subject/],
  [
    '1025 subjects',
    (it) => ({ ...it, subject: Array(1025).fill(subject(HEX)) }),
    /^EVIDENCE_TOO_LARGE: .*1025 subjects/,
  ],
  [
    '33 digests in a subject',
    (it) => ({
      ...it,
      subject: [
        { digest: { sha256: HEX, ...Object.fromEntries(Array.from({ length: 32 }, (_, i) => [`h${i}`, ''])) } },
      ],
    }),
    /^EVIDENCE_TOO_LARGE: .*32 digests/,
  ],
  ['no sha256', (it) => ({ ...it, subject: [{ digest: { sha512: HEX } }] }), /^SUBJECT_MISMATCH: .*no sha256 digest/],
  ['a sha256 that is a list', (it) => ({ ...it, subject: [subject([HEX])] }), /^SUBJECT_MISMATCH: .*no sha256 digest/],
  [
    'an inherited sha256',
    () => encodeRaw({ digest: `{"__proto__":{"sha256":"${HEX}"}}` }),
    /^SUBJECT_MISMATCH: .*no sha256 digest/,
  ],
  [
    'another digest',
    (it) => ({ ...it, subject: [subject(OTHER)] }),
    new RegExp(`^SUBJECT_MISMATCH: .*expected ${HEX}, it names "${OTHER}"$`),
  ],
  [
    'two other digests',
    (it) => ({ ...it, subject: [subject(OTHER), subject('')] }),
    /^SUBJECT_MISMATCH: .* and 1 others$/,
  ],
  ['our digest in capitals', (it) => ({ ...it, subject: [subject(HEX.toUpperCase())] }), /^SUBJECT_MISMATCH: /],
  ['our digest with its algorithm', (it) => ({ ...it, subject: [subject(DIGEST)] }), /^SUBJECT_MISMATCH: /],
  ['the start of our digest', (it) => ({ ...it, subject: [subject(HEX.slice(0, 32))] }), /^SUBJECT_MISMATCH: /],
];

for (const [what, bend] of VALID) {
  test(`valid: ${what}`, () => assert.equal(judged(bend), 'valid'));
}

for (const [what, bend, expected] of REFUSED) {
  test(`refused though the key signed it: ${what}`, () => assert.match(judged(bend), expected));
}

test('refused though the key signed it: another payload type', () => {
  const payloadType = 'application/vnd.portcullis.policy-head.v1+json';
  const bundle = encodeJson(signBundle(signer, cosignStatement(DIGEST), { payloadType }));
  assert.match(
    verdictOf({ format: 'bundle', bundle }, own),
    /^EVIDENCE_UNSUPPORTED: the envelope holds "application\/vnd.portcullis.policy-head.v1\+json", expected "application/,
  );
});

test('what a stranger states is not even read', () => {
  const stranger = createSigningKey('ECDSA P-256');
  const bundle = encodeJson(signBundle(stranger, new TextEncoder().encode('not JSON')));
  assert.match(verdictOf({ format: 'bundle', bundle }, own), /^WRONG_KEY: /);
});

function judged(bend: Bend): string {
  const statement = bend(cosignStatement(DIGEST));
  const payload = new TextEncoder().encode(typeof statement === 'string' ? statement : JSON.stringify(statement));
  return verdictOf({ format: 'bundle', bundle: encodeJson(signBundle(signer, payload)) }, own);
}

/** A statement whose only subject has the given JSON as its digest. */
function encodeRaw({ digest }: { readonly digest: string }): string {
  const statement = JSON.stringify({ ...cosignStatement(DIGEST), subject: [] });
  return statement.replace('"subject":[]', `"subject":[{"digest":${digest}}]`);
}
