import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  readKeyRequest,
  readNameRequest,
  readPolicyRequest,
  readSignaturesRequest,
  readVerdictRequest,
  readVerificationRequest,
} from '../../../activities/border/request.ts';
import { EvidenceError } from '../../../activities/evidence-error.ts';
import { digestOf } from '../../support/verdicts.ts';

const NAME = '127.0.0.1:5000/demo/app:v1';
const REVISION = 'c'.repeat(64);
const key = { policy: 'demo', authority: 'release', policyRevision: REVISION };
const image = { name: NAME, digest: digestOf('ab') };
const bundle = { format: 'bundle', place: 'referrers', source: {}, manifest: digestOf('11'), blob: digestOf('ee') };
const elsewhere = {
  ...bundle,
  format: 'envelope',
  place: 'attestation-tag',
  layer: 1,
  source: { repository: 'ghcr.io/demo/signatures', tagPrefix: 'v1.', pullSecrets: ['ghcr'], coversIndexChildren: true },
  index: digestOf('22'),
};
const simple = { ...bundle, format: 'simple-signing', place: 'signature-tag', layer: 0 };
const verification = { ...key, ...image, keyId: '12'.repeat(32), signatures: [bundle, simple, elsewhere] };
const allowed = { code: 'SIGNATURE_VERIFIED', sentence: 'signed' };
const signer = { authority: 'demo/release', identity: `key sha256:${'12'.repeat(32)}`, evidence: digestOf('ee') };
const attester = {
  ...signer,
  identity:
    'https://github.com/demo/app/.github/workflows/release.yml@refs/heads/main (https://token.actions.githubusercontent.com)',
  predicateType: 'https://slsa.dev/provenance/v1',
};
const claim = {
  decisionId: '0123456789abc',
  ...image,
  policyRevision: REVISION,
  outcome: 'allow',
  reasons: [allowed],
  signers: [signer, attester],
};

/** What every reader reads, and the fields it must not do without. */
const READERS: readonly [string, (value: unknown) => unknown, object][] = [
  ['readPolicyRequest', readPolicyRequest, { name: NAME, digest: digestOf('ab'), policyRevision: REVISION }],
  ['readSignaturesRequest', readSignaturesRequest, { ...image, policyRevision: REVISION, source: elsewhere.source }],
  [
    'readSignaturesRequest of the usual place',
    readSignaturesRequest,
    { ...image, policyRevision: REVISION, source: {} },
  ],
  ['readKeyRequest', readKeyRequest, key],
  ['readVerificationRequest', readVerificationRequest, verification],
  ['readVerdictRequest', readVerdictRequest, { claim, evidence: [bundle, simple, elsewhere] }],
  ['readNameRequest', readNameRequest, { name: NAME }],
];

function assertRefused(read: () => unknown): void {
  assert.throws(read, (error) => {
    assert.ok(error instanceof EvidenceError, String(error));
    assert.equal(error.code, 'REQUEST_INVALID');
    assert.equal(error.retryable, false);
    assert.match(error.message, /^expected .+, found .+; compare the versions/);
    assert.ok(error.message.length < 500, error.message);
    return true;
  });
}

for (const [title, read, genuine] of READERS) {
  describe(title, () => {
    it('reads what our workflows ask, and nothing beside it', () => {
      assert.deepEqual(read({ ...genuine, more: 'x'.repeat(1_000) }), genuine);
    });

    it('refuses each field that is missing, of another type or garbage', () => {
      for (const field of Object.keys(genuine)) {
        for (const bad of [undefined, null, 7, true, '', '\n', 'x'.repeat(100_000), {}, [7], [null], [{}]]) {
          // An empty source is the image's own repository.
          if (field === 'source' && JSON.stringify(bad) === '{}') continue;
          assertRefused(() => read({ ...genuine, [field]: bad }));
        }
      }
    });

    it('refuses anything else', () => {
      fc.assert(fc.property(fc.anything(), (value) => assertRefused(() => read(value))));
    });
  });
}

const PINNED = `${NAME}@${digestOf('ab')}`;

describe('a name', () => {
  const hostile = [
    'demo/app:v1',
    'index.docker.io/library/alpine:3',
    '127.0.0.1:05000/demo/app:v1',
    'LOCALHOST:5000/demo/app:v1',
    'ghcr.io:443/demo/app:v1',
    '[0:0::1]:5000/demo/app:v1',
    PINNED,
    '127.0.0.1:5000/../../v2/_catalog',
    '127.0.0.1:5000/demo/app:v1\r\nHost: evil',
    '127.0.0.1:5000/demo/app?x=y',
    'user:password@127.0.0.1:5000/demo/app',
    'http://127.0.0.1:5000/demo/app',
  ];
  for (const name of hostile) {
    it(`is refused in the form ${JSON.stringify(name.slice(0, 60))}`, () => {
      for (const [, read, genuine] of READERS.filter(([, , fields]) => 'name' in fields)) {
        // A look-up alone may be about a digest.
        if (name === PINNED && read === readNameRequest) assert.deepEqual(read({ name }), { name });
        else assertRefused(() => read({ ...genuine, name }));
      }
      assertRefused(() => readVerdictRequest({ claim: { ...claim, name }, evidence: [] }));
    });
  }
});

describe('a signature reference', () => {
  const bent: readonly object[] = [
    { ...bundle, format: 'pgp' },
    { ...bundle, place: 'elsewhere' },
    { ...bundle, blob: '../../../etc/passwd' },
    { ...bundle, manifest: `sha512:${'ab'.repeat(64)}` },
    { ...bundle, source: undefined },
    { ...bundle, source: { repository: 7 } },
    { ...bundle, source: { repository: 'demo' } },
    { ...bundle, source: { repository: 'ghcr.io/demo:v1' } },
    { ...bundle, source: { repository: 'GHCR.io/demo' } },
    { ...bundle, source: { repository: 'ghcr.io/../demo' } },
    { ...bundle, source: { tagPrefix: '../' } },
    { ...bundle, source: { tagPrefix: 'x'.repeat(60) } },
    { ...bundle, source: { pullSecrets: 'all' } },
    { ...bundle, source: { pullSecrets: ['../verdict.key'] } },
    { ...bundle, source: { pullSecrets: Array(11).fill('a') } },
    { ...elsewhere, index: 'latest' },
    { ...elsewhere, layer: undefined },
    { ...simple, layer: -1 },
    { ...simple, layer: 0.5 },
    { ...simple, layer: '0' },
    { ...simple, layer: 1e9 },
    { ...simple, layer: Number.NaN },
  ];
  for (const reference of bent) {
    it(`is refused as ${JSON.stringify(reference).slice(0, 90)}`, () => {
      assertRefused(() => readVerificationRequest({ ...verification, signatures: [reference] }));
      assertRefused(() => readVerdictRequest({ claim, evidence: [bundle, reference] }));
    });
  }

  it('is refused among more than are looked at', () => {
    const most = Array.from({ length: 400 }, () => bundle);
    assert.equal(readVerificationRequest({ ...verification, signatures: most }).signatures.length, 400);
    assertRefused(() => readVerificationRequest({ ...verification, signatures: [...most, bundle] }));
    assertRefused(() => readVerdictRequest({ claim, evidence: [...most, bundle] }));
  });
});

describe('a text of a request', () => {
  const signature = { keyid: 'k', sig: 'AAAA' };
  const statement = { payloadType: 'application/json', payload: 'e30=', signatures: [signature] };
  const read = (changes: object) => readVerificationRequest({ ...verification, ...changes });

  it('is a statement as it was carried', () => {
    assert.deepEqual(read({ statement }).statement, statement);
    const most = {
      ...statement,
      signatures: Array.from({ length: 8 }, () => ({ ...signature, keyid: 'k'.repeat(200) })),
    };
    assert.deepEqual(read({ statement: most }).statement, most);
  });

  const bent: readonly [string, object][] = [
    ['a hash with more behind it', { keyId: `${'12'.repeat(32)}0` }],
    ['a hash with a line break behind it', { policyRevision: `${REVISION}\n` }],
    ['a hash with more before it', { policyRevision: `0${REVISION}` }],
    [
      'a key id with a line break behind it',
      { statement: { ...statement, signatures: [{ ...signature, keyid: 'k\n' }] } },
    ],
    ['a key id with a blank before it', { statement: { ...statement, signatures: [{ ...signature, keyid: ' k' }] } }],
    [
      'a key id of 201 characters',
      { statement: { ...statement, signatures: [{ ...signature, keyid: 'k'.repeat(201) }] } },
    ],
    ['a payload type with more behind it', { statement: { ...statement, payloadType: 'application/json x' } }],
    ['a payload type with a blank before it', { statement: { ...statement, payloadType: ' application/json' } }],
    ['a payload in other base64', { statement: { ...statement, payload: 'e30=-' } }],
    ['a signature in other base64', { statement: { ...statement, signatures: [{ ...signature, sig: '-AAA' }] } }],
    ['nine signatures', { statement: { ...statement, signatures: Array.from({ length: 9 }, () => signature) } }],
  ];
  for (const [what, changes] of bent) {
    it(`is refused with ${what}`, () => assertRefused(() => read(changes)));
  }
});

describe('a claim', () => {
  const read = (changes: object) => readVerdictRequest({ claim: { ...claim, ...changes }, evidence: [] }).claim;
  const denied = { outcome: 'deny', reasons: [{ code: 'UNSIGNED', sentence: 'no signature' }], signers: [] };

  const bent: readonly [string, object][] = [
    ['an outcome that is none', { outcome: 'ALLOW' }],
    ['the outcome of an object', { outcome: 'constructor' }],
    ['no reason', { reasons: [] }],
    ['more reasons than a verdict has', { reasons: Array.from({ length: 9 }, () => allowed) }],
    ['a reason that is no code', { reasons: [{ code: 'BECAUSE', sentence: 'x' }] }],
    ['a code that every object has', { reasons: [{ code: 'toString', sentence: 'x' }] }],
    ['a reason without a sentence', { reasons: [{ code: 'SIGNATURE_VERIFIED' }] }],
    ['an allow for a reason that denies', { reasons: [allowed, ...denied.reasons] }],
    ['a deny for a reason that allows', { ...denied, reasons: [allowed] }],
    ['an inconclusive for a reason that allows', { ...denied, outcome: 'inconclusive', reasons: [allowed] }],
    ['a deny for a reason that is no code', { ...denied, reasons: [{ code: 'BECAUSE', sentence: 'x' }] }],
    ['a deny with signers', { ...denied, signers: [signer] }],
    ['more signers than there can be', { signers: Array.from({ length: 401 }, () => signer) }],
    ['a signer without a name', { signers: [{ ...signer, identity: '' }] }],
    ['a signer whose name breaks the line', { signers: [{ ...signer, identity: 'release\nteam' }] }],
    ['a signer whose name reads backwards', { signers: [{ ...signer, identity: 'release\u202eteam' }] }],
    ['a signer with an endless name', { signers: [{ ...signer, identity: 'x'.repeat(2_049) }] }],
    ['an attestation of no type', { signers: [{ ...attester, predicateType: 7 }] }],
    ['a decision id that is no id', { decisionId: "' OR 1=1 --" }],
    ['a policy revision that is none', { policyRevision: 'latest' }],
  ];
  for (const [what, changes] of bent) {
    it(`is refused with ${what}`, () => assertRefused(() => read(changes)));
  }

  it('says its reasons in one bounded line, whatever they hold', () => {
    const sentence = `no\nsignature\u001b[2K\u202e\u2028here\ud800${'x'.repeat(10_000)}`;
    const [reason] = read({ ...denied, reasons: [{ code: 'UNSIGNED', sentence }] }).reasons;
    assert.match(reason.sentence, /^no signature\\u\{1b\}\[2K\\u\{202e\} here\\u\{d800\}x+$/);
    assert.equal(reason.sentence.length < 4_001, true);
  });

  it('may be inconclusive for a reason that would deny', () => {
    const reasons = [{ code: 'REQUEST_INVALID', sentence: 'no such name' }];
    assert.deepEqual(read({ ...denied, outcome: 'inconclusive', reasons }).reasons, reasons);
  });
});
