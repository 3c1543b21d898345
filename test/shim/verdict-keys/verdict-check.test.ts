import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { KeyWindow } from '../../../shim/verdict-keys/key-window.ts';
import { checkVerdict, type VerdictCheck } from '../../../shim/verdict-keys/verdict-check.ts';
import type { Verdict } from '../../../workflows/verdict/verdict.ts';
import { STATEMENT_PAYLOAD_TYPE, toStatement } from '../../../workflows/verdict/verification-summary.ts';
import { anAllow, createTestVerdictKey, digestOf, TEST_FLEET } from '../../support/verdicts.ts';

const key = createTestVerdictKey();
const keys = key.accepted();
const genuine = anAllow();
const { name, digest, policyRevision } = genuine;
const expected = { name, digest, policyRevision, fleet: TEST_FLEET };
const check = (answer: unknown): VerdictCheck => checkVerdict(answer, expected, keys, Date.now());

function assertRefused(answer: unknown, code: string): void {
  const checked = check(answer);
  assert.equal(checked.kind, 'refused');
  assert.equal(checked.kind === 'refused' && checked.reason.code, code);
}

describe('checkVerdict', () => {
  it('passes a genuine verdict, and reads it from the signed payload', () => {
    const checked = check(key.verdict(genuine));
    assert.partialDeepStrictEqual(checked, { kind: 'good', verdict: genuine, keyId: key.keyId });
  });

  it('passes one that is signed by an Ed25519 key', () => {
    const other = createTestVerdictKey('ed25519');
    const checked = checkVerdict(other.verdict(genuine), expected, other.accepted(), Date.now());
    assert.equal(checked.kind, 'good');
  });

  it('passes a deny as a deny', () => {
    const deny = anAllow({ outcome: 'deny', reasons: [{ code: 'UNSIGNED', sentence: 'no signature' }], signers: [] });
    assert.partialDeepStrictEqual(check(key.verdict(deny)), { kind: 'good', verdict: deny, keyId: key.keyId });
  });

  it('believes nothing beside the envelope', () => {
    const deny = anAllow({ outcome: 'deny', reasons: [{ code: 'UNSIGNED', sentence: 'no signature' }], signers: [] });
    const checked = check({ verdict: genuine, envelope: key.verdict(deny).envelope });
    assert.equal(checked.kind === 'good' && checked.verdict.outcome, 'deny');
  });

  it('calls a genuine verdict past its time stale', () => {
    const old = anAllow({ expiresAt: new Date(Date.now() - 1).toISOString() });
    assert.equal(check(key.verdict(old)).kind, 'stale');
  });

  const bentVerdicts: readonly [string, Partial<Verdict>][] = [
    ['another digest', { digest: digestOf('cd') }],
    ['its name in another spelling', { name: '127.0.0.1:05000/demo/app:v1' }],
    ['another tag', { name: '127.0.0.1:5000/demo/app:v2' }],
    ['another repository', { name: '127.0.0.1:5000/demo/other:v1' }],
    ['another policy', { policyRevision: 'd'.repeat(64) }],
    ['another fleet', { fleet: 'staging' }],
    ['no fleet', { fleet: undefined }],
    ['the future', { decidedAt: new Date(Date.now() + 60_000).toISOString() }],
  ];
  for (const [what, bend] of bentVerdicts) {
    it(`refuses a signed verdict about ${what}`, () => assertRefused(key.verdict(anAllow(bend)), 'VERDICT_MISMATCH'));
  }

  it('names both fleets', () => {
    const checked = check(key.verdict(anAllow({ fleet: 'staging' })));
    const sentence =
      /^the verdict was signed for fleet "staging", and this node belongs to fleet "test-fleet"; compare/;
    assert.match(checked.kind === 'refused' ? checked.reason.sentence : '', sentence);
  });

  it('refuses a verdict signed by another key', () => {
    assertRefused(createTestVerdictKey().verdict(genuine), 'VERDICT_FORGED');
  });

  it('refuses another key that claims to be ours', () => {
    const forged = createTestVerdictKey().verdict(genuine);
    const signatures = forged.envelope.signatures.map((signature) => ({ ...signature, keyid: key.keyId }));
    assertRefused({ ...forged, envelope: { ...forged.envelope, signatures } }, 'VERDICT_FORGED');
  });

  const now = Date.now();
  const windows: readonly [string, Partial<KeyWindow>, Partial<Verdict>, RegExp][] = [
    ['has ended', { notAfter: now - 60_000 }, {}, /known to this node and outside its window, which ended at 2/],
    [
      'has ended, though the verdict says that it is older than that',
      { notAfter: now - 60_000 },
      { decidedAt: new Date(now - 120_000).toISOString() },
      /outside its window, which ended at/,
    ],
    ['has not begun', { notBefore: now + 60_000 }, {}, /outside its window, which begins at/],
    [
      'had not begun when it was reached',
      { notBefore: now - 60_000 },
      { decidedAt: new Date(now - 120_000).toISOString() },
      /outside its window, which begins at/,
    ],
  ];
  for (const [what, window, changes, sentence] of windows) {
    it(`refuses a verdict by a known key whose window ${what}, and says so`, () => {
      const checked = checkVerdict(key.verdict(anAllow(changes)), expected, key.accepted(window), now);
      assert.equal(checked.kind === 'refused' && checked.reason.code, 'VERDICT_FORGED');
      assert.match(checked.kind === 'refused' ? checked.reason.sentence : '', sentence);
      assert.equal(checked.kind === 'refused' && checked.outlived, true);
    });
  }

  it('passes a verdict within the window of its key, and names the key', () => {
    const window = { notBefore: now - 60_000, notAfter: now + 60_000 };
    const checked = checkVerdict(key.verdict(genuine), expected, key.accepted(window), now);
    assert.equal(checked.kind === 'good' && checked.keyId, key.keyId);
  });

  it('passes a verdict by two keys when one of them is in its window', () => {
    const next = createTestVerdictKey();
    const both = new Map([...key.accepted({ notAfter: now - 60_000 }), ...next.accepted()]);
    const { envelope } = key.verdict(genuine);
    const signatures = [...envelope.signatures, ...next.verdict(genuine).envelope.signatures];
    const checked = checkVerdict({ envelope: { ...envelope, signatures } }, expected, both, now);
    assert.equal(checked.kind === 'good' && checked.keyId, next.keyId);
  });

  it('believes nobody without a verdict key, and says so', () => {
    const checked = checkVerdict(key.verdict(genuine), expected, new Map(), now);
    assert.equal(checked.kind === 'refused' && checked.reason.code, 'VERDICT_FORGED');
    assert.match(checked.kind === 'refused' ? checked.reason.sentence : '', /no verdict key any more/);
  });

  it('refuses a statement that was signed as something else', () => {
    const envelope = key.envelope('application/json', toStatement(genuine));
    assertRefused({ verdict: genuine, envelope }, 'VERDICT_FORGED');
    assertRefused(
      { verdict: genuine, envelope: { ...envelope, payloadType: STATEMENT_PAYLOAD_TYPE } },
      'VERDICT_FORGED',
    );
  });

  it('refuses a changed payload', () => {
    const signed = key.verdict(
      anAllow({ outcome: 'deny', reasons: [{ code: 'UNSIGNED', sentence: 'no' }], signers: [] }),
    );
    const payload = Buffer.from(JSON.stringify(toStatement(genuine))).toString('base64');
    assertRefused({ ...signed, envelope: { ...signed.envelope, payload } }, 'VERDICT_FORGED');
  });

  const unsigned: readonly [string, unknown][] = [
    ['nothing', undefined],
    ['null', null],
    ['a text', 'allow'],
    ['true', true],
    ['an empty object', {}],
    ['a verdict without an envelope', { verdict: genuine }],
    ['an envelope without signatures', { envelope: { ...key.verdict(genuine).envelope, signatures: [] } }],
    ['an envelope of numbers', { envelope: { payloadType: 1, payload: 2, signatures: 3 } }],
    ['signatures that are none', { envelope: { ...key.verdict(genuine).envelope, signatures: [null, 1, {}] } }],
  ];
  for (const [what, answer] of unsigned) {
    it(`refuses ${what} as unsigned`, () => assertRefused(answer, 'VERDICT_UNSIGNED'));
  }

  const otherStatements: readonly [string, unknown][] = [
    ['no JSON', 'allow'],
    ['an array', []],
    ['another predicate', { ...toStatement(genuine), predicateType: 'https://slsa.dev/provenance/v1' }],
    ['two subjects', { ...toStatement(genuine), subject: [{}, {}] }],
    ['no subject', { ...toStatement(genuine), subject: [] }],
  ];
  for (const [what, content] of otherStatements) {
    it(`refuses a signed statement that is ${what}`, () => {
      assertRefused({ envelope: key.envelope(STATEMENT_PAYLOAD_TYPE, content) }, 'VERDICT_MISMATCH');
    });
  }

  it('refuses a payload larger than any verdict before it looks at it', () => {
    const large = key.verdict(anAllow({ reasons: [{ code: 'SIGNATURE_VERIFIED', sentence: 'x'.repeat(300_000) }] }));
    assertRefused(large, 'VERDICT_FORGED');
  });

  it('refuses when any byte of the envelope is changed', () => {
    const { envelope } = key.verdict(genuine);
    const bytes = Buffer.from(envelope.payload, 'base64');
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const bent = Buffer.from(bytes);
        bent[at] = (bent[at] ?? 0) ^ change;
        assert.equal(check({ envelope: { ...envelope, payload: bent.toString('base64') } }).kind, 'refused');
      }),
    );
  });

  it('never throws and never passes for an arbitrary answer', () => {
    fc.assert(fc.property(fc.anything(), (answer) => assert.equal(check(answer).kind, 'refused')));
    fc.assert(fc.property(fc.anything(), (envelope) => assert.equal(check({ envelope }).kind, 'refused')));
  });
});
