import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_BUNDLE_BYTES } from '../../../../activities/limits.ts';
import {
  cosignPayload,
  createSigningKey,
  encodeJson,
  type SimpleSigning,
  signSimple,
} from '../../../support/signer.ts';
import { DIGEST, goodKey, REPOSITORY, verdictOf } from '../verdict-of.ts';

const signer = createSigningKey('ECDSA P-256');
const own = goodKey(signer.publicPem);
const OTHER = `sha256:${'b2'.repeat(32)}`;

type Payload = ReturnType<typeof cosignPayload>;
type Bend = (payload: Payload) => object | string;

const withCritical = (it: Payload, part: object) => ({ ...it, critical: { ...it.critical, ...part } });
const withDigest = (it: Payload, digest: unknown) => withCritical(it, { image: { 'docker-manifest-digest': digest } });
const withReference = (it: Payload, reference: unknown) =>
  withCritical(it, { identity: { 'docker-reference': reference } });

const VALID: readonly (readonly [string, Bend])[] = [
  ['unbent', (it) => it],
  ['annotations', (it) => ({ ...it, optional: { creator: 'x', timestamp: 1.5, __proto__: { a: 1 } } })],
  ['the reference with a tag', (it) => withReference(it, `${REPOSITORY}:1.0`)],
  ['the reference with another digest', (it) => withReference(it, `${REPOSITORY}@${OTHER}`)],
  ['white space', (it) => JSON.stringify(it, null, 2)],
];

const REFUSED: readonly (readonly [string, Bend, RegExp])[] = [
  ['nothing', () => '', /^EVIDENCE_MALFORMED: the signed payload can't be read: it is not JSON/],
  ['null', () => 'null', /^EVIDENCE_MALFORMED: .*critical and optional/],
  ['a truncated payload', (it) => JSON.stringify(it).slice(0, -1), /^EVIDENCE_MALFORMED: .*not JSON/],
  [
    'deep nesting',
    (it) => ({ ...it, optional: { a: JSON.parse('['.repeat(80) + ']'.repeat(80)) } }),
    /^EVIDENCE_MALFORMED: .*deeper/,
  ],
  ['no optional', (it) => ({ critical: it.critical }), /^EVIDENCE_MALFORMED: .*critical and optional/],
  ['optional of another kind', (it) => ({ ...it, optional: 'x' }), /^EVIDENCE_MALFORMED: .*object or null/],
  ['no critical', (it) => ({ optional: it.optional }), /^EVIDENCE_MALFORMED: .*critical and optional/],
  ['a third field', (it) => ({ ...it, x: 1 }), /^EVIDENCE_MALFORMED: .*critical and optional/],
  ['a fourth critical field', (it) => withCritical(it, { x: 1 }), /^EVIDENCE_MALFORMED: .*identity, image and type/],
  [
    'a field in capitals',
    (it) => JSON.stringify(it).replace('critical', 'Critical'),
    /^EVIDENCE_MALFORMED: .*critical and/,
  ],
  [
    'the digest twice',
    (it) => JSON.stringify(it).replace('{"docker-m', `{"docker-manifest-digest":"${OTHER}","docker-m`),
    /^EVIDENCE_MALFORMED: .*twice/,
  ],
  ['critical twice', (it) => JSON.stringify(it).replace('{', '{"critical":{},'), /^EVIDENCE_MALFORMED: .*twice/],
  [
    'an own __proto__',
    (it) => JSON.stringify(it).replace('"optional"', '"__proto__"'),
    /^EVIDENCE_MALFORMED: .*critical and/,
  ],
  ['no type', (it) => withCritical(it, { type: null }), /^EVIDENCE_UNSUPPORTED: .*found none/],
  [
    'the type of atomic',
    (it) => withCritical(it, { type: 'atomic container signature' }),
    /^EVIDENCE_UNSUPPORTED: .*found "atomic container signature"/,
  ],
  ['no digest', (it) => withCritical(it, { image: {} }), /^EVIDENCE_MALFORMED: .*docker-manifest-digest/],
  ['a digest that is a list', (it) => withDigest(it, [DIGEST]), /^EVIDENCE_MALFORMED: .*docker-manifest-digest/],
  [
    'another field beside the digest',
    (it) => withCritical(it, { image: { 'docker-manifest-digest': DIGEST, x: 1 } }),
    /^EVIDENCE_MALFORMED: /,
  ],
  [
    'another digest',
    (it) => withDigest(it, OTHER),
    new RegExp(`^SUBJECT_MISMATCH: .*expected ${DIGEST}, it names "${OTHER}"$`),
  ],
  ['the digest in capitals', (it) => withDigest(it, DIGEST.toUpperCase()), /^SUBJECT_MISMATCH: /],
  ['the digest with a line break', (it) => withDigest(it, `${DIGEST}\n`), /^SUBJECT_MISMATCH: .*\\u000a"$/],
  ['an empty digest', (it) => withDigest(it, ''), /^SUBJECT_MISMATCH: /],
  ['no identity', (it) => withCritical(it, { identity: {} }), /^EVIDENCE_MALFORMED: .*docker-reference/],
  ['an empty reference', (it) => withReference(it, ''), /^REPOSITORY_MISMATCH: .*it names ""$/],
  [
    'another repository',
    (it) => withReference(it, 'registry.example/team/app2'),
    /^REPOSITORY_MISMATCH: .*expected registry.example\/team\/app, it names "registry.example\/team\/app2"/,
  ],
  ['another registry', (it) => withReference(it, 'registry2.example/team/app'), /^REPOSITORY_MISMATCH: /],
  ['another port', (it) => withReference(it, 'registry.example:5000/team/app'), /^REPOSITORY_MISMATCH: /],
  ['the repository below ours', (it) => withReference(it, `${REPOSITORY}/debug`), /^REPOSITORY_MISMATCH: /],
  ['a reference that is no name', (it) => withReference(it, `${REPOSITORY} `), /^REPOSITORY_MISMATCH: /],
];

for (const [what, bend] of VALID) {
  test(`valid: ${what}`, () => assert.equal(verdictOf(bent(bend), own), 'valid'));
}

for (const [what, bend, expected] of REFUSED) {
  test(`refused though the key signed it: ${what}`, () => assert.match(verdictOf(bent(bend), own), expected));
}

const good = signSimple(signer, cosignPayload(DIGEST, REPOSITORY));

const BROKEN: readonly (readonly [string, Partial<SimpleSigning>, RegExp])[] = [
  [
    'no signature',
    { signature: '' },
    /^EVIDENCE_MALFORMED: expected base64 in annotation dev\.cosignproject\.cosign\/signature, found ""/,
  ],
  ['a signature that is not base64', { signature: 'hello, world' }, /^EVIDENCE_MALFORMED: .*"hello, world"/],
  ['a signature with a dot', { signature: `${good.signature}.` }, /^EVIDENCE_MALFORMED: /],
  ['another signature with stray bits', { signature: 'AB==' }, /^SIGNATURE_INVALID: /],
  ['another signature without padding', { signature: 'AA' }, /^SIGNATURE_INVALID: /],
  ['half a signature', { signature: good.signature.slice(0, 48) }, /^SIGNATURE_INVALID: /],
  ['a signature of 8193 characters', { signature: 'A'.repeat(8193) }, /^EVIDENCE_TOO_LARGE: the signature has 8193/],
  ['a space more in the payload', { payload: Buffer.concat([good.payload, Buffer.from(' ')]) }, /^SIGNATURE_INVALID: /],
  ['an empty payload', { payload: new Uint8Array() }, /^SIGNATURE_INVALID: /],
  ['a payload that is too large', { payload: Buffer.alloc(MAX_BUNDLE_BYTES + 1) }, /^EVIDENCE_TOO_LARGE: .*134217729/],
];

for (const [what, part, expected] of BROKEN) {
  test(`refused: ${what}`, () => assert.match(verdictOf({ ...good, ...part }, own), expected));
}

test('a registry has one repository under all spellings of its host and port', () => {
  const expected = { digest: DIGEST, repository: 'localhost:5000/prod/app' };
  for (const reference of ['LOCALHOST:5000/prod/app', 'localhost.:05000/prod/app:v1']) {
    assert.equal(verdictOf(signSimple(signer, cosignPayload(DIGEST, reference)), own, expected), 'valid', reference);
  }
  for (const reference of ['localhost/prod/app', 'localhost:5001/prod/app', '127.0.0.1:5000/prod/app']) {
    const judged = verdictOf(signSimple(signer, cosignPayload(DIGEST, reference)), own, expected);
    assert.match(judged, /^REPOSITORY_MISMATCH: /, reference);
  }
});

test('Docker Hub has one repository under all its names', () => {
  for (const reference of [
    'alpine',
    'docker.io/alpine',
    'index.docker.io/library/alpine',
    'docker.io/library/alpine:3',
  ]) {
    const simple = signSimple(signer, cosignPayload(DIGEST, reference));
    const expected = { digest: DIGEST, repository: 'docker.io/library/alpine' };
    assert.equal(verdictOf(simple, own, expected), 'valid', reference);
    const other = verdictOf(simple, own, { digest: DIGEST, repository: 'docker.io/someone/alpine' });
    assert.match(other, /^REPOSITORY_MISMATCH: /, reference);
  }
});

function bent(bend: Bend): SimpleSigning {
  const payload = bend(cosignPayload(DIGEST, REPOSITORY));
  return signSimple(signer, typeof payload === 'string' ? new TextEncoder().encode(payload) : encodeJson(payload));
}
