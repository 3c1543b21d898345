import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { agreementOn } from '../../support/independent-judge/agreement.ts';
import { asBundle } from '../../support/independent-judge/as-bundle.ts';
import { EXCEPTIONS, renamed } from '../../support/independent-judge/exceptions.ts';
import { type IndependentQuestion, independentJudge } from '../../support/independent-judge/judge.ts';
import { questionOf } from '../../support/independent-judge/question.ts';
import { stampOf } from '../../support/virtual-sigstore/evidence.ts';
import { createKeyPair } from '../../support/virtual-sigstore/key-pair.ts';
import { chainTrust, trustedRootJson } from '../../support/virtual-sigstore/trusted-root.ts';
import { BASES, wants } from './negatives/bases.ts';
import { BESIDE_POSITIVES } from './negatives/beside.ts';
import {
  asked,
  type Base,
  type Bend,
  contentOf,
  flip,
  judgementOf,
  SIGNED_AT,
  sigstore,
  stranger,
  trustPlan,
} from './negatives/case.ts';
import { IDENTITY_POSITIVES } from './negatives/identity.ts';
import { POSITIVES } from './negatives/positives.ts';

type Positive = readonly [base: Base, what: string, bend: Bend];

/** Certificates for keys of every kind, in the formats and logs that take them (`algorithms.test.ts`). */
const KEY_KINDS: readonly Positive[] = (
  ['ECDSA P-384', 'ECDSA P-521', 'RSA 2048', 'RSA 3072', 'Ed25519'] as const
).flatMap((kind) => {
  const hashed = [BASES.keylessHashed, BASES.tiled, BASES.legacy].filter(() => kind !== 'Ed25519');
  const bases = [BASES.keyless, BASES.stamped, BASES.attached, ...hashed];
  return bases.map((base): Positive => [base, kind, { leaf: { key: createKeyPair(kind) } }]);
});

const minutesAfter = (minutes: number) => new Date(SIGNED_AT.getTime() + minutes * 60_000);

/** Times and certificate timestamps at the edges (`observation.test.ts`). */
const TIMES: readonly Positive[] = [
  [
    BASES.keyless,
    'a timestamp of four minutes later beside the log',
    { stamps: (_, signed) => [stampOf(sigstore.tsa, signed, minutesAfter(4))] },
  ],
  [
    BASES.stamped,
    'two timestamps of one authority',
    { stamps: (_, signed) => [0, 1].map((minutes) => stampOf(sigstore.tsa, signed, minutesAfter(minutes))) },
  ],
  [BASES.twoLogs, 'two observers of three', { require: wants({ timestamps: 0, observers: 2 }) }],
  [
    BASES.keyless,
    'the certificate timestamp of a stranger where none is wanted',
    { leaf: { scts: { logs: [stranger.ctLog] } }, require: wants({ scts: 0 }) },
  ],
];

const { intermediate, window } = sigstore;

/** Authorities that are trusted without the root above them (`pinned-authority.test.ts`). */
const PINNED: readonly Positive[] = [
  ...[BASES.keyless, BASES.tiled, BASES.legacy, BASES.attached, BASES.stamped].map(
    (base): Positive => [
      base,
      'an authority without its root',
      {
        trust: (plan) => {
          plan.authorities = [chainTrust('https://fulcio.test', [intermediate], window)];
        },
      },
    ],
  ),
];

/** The name of a field in the proto file; `payloadType` is one there already. */
const protoName = (name: string): string =>
  name === 'payloadType' ? name : name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Fields by their original proto names, which protobuf JSON allows (`bundle.test.ts`). */
const SPELLED: readonly Positive[] = [
  [BASES.keyless, 'original names of fields', { bundle: (document) => renamed(document, protoName) }],
];

/** Everything that holds by a certificate, by the name that `EXCEPTIONS` has for it. */
const EVIDENCE: readonly (readonly [name: string, base: Base, bend: Bend])[] = [
  ...Object.values<Base>(BASES).map((base) => [base.name, base, {}] as const),
  ...[...POSITIVES, ...BESIDE_POSITIVES, ...IDENTITY_POSITIVES, ...KEY_KINDS, ...TIMES, ...PINNED, ...SPELLED].map(
    ([base, what, bend]) => [`${base.name}: ${what}`, base, bend] as const,
  ),
].filter(([, base]) => base.signer === 'certificate');

/** What `test/activities/conformance` judges. */
const ELSEWHERE = new Set(['othername.sigstore.json, by its digest', 'blob-v1.json, by its digest']);

describe('what holds by a certificate, the package sigstore accepts', () => {
  for (const [name, base, bend] of EVIDENCE) {
    it(name, async () => {
      assert.equal(judgementOf(base, bend), 'valid');
      const agree = await agreementOn(name, questionOf(asked(base, bend).requirement, trustPlan(bend)));
      agree(contentOf(base, bend));
    });
  }

  it('is at least fifty pieces of evidence', () => assert.ok(EVIDENCE.length >= 50, `${EVIDENCE.length}`));
});

describe('the package', () => {
  const right = questionOf(asked(BASES.keyless).requirement, trustPlan());
  const { bundle } = asBundle(contentOf(BASES.keyless));
  const foreign = JSON.stringify(trustedRootJson(stranger.trustPlan()));
  const WRONG: readonly (readonly [what: string, question: Partial<IndependentQuestion>, says: RegExp])[] = [
    ['another subject', { subject: `${right.subject}x` }, /^certificate identity error/],
    ['a part of the subject', { subject: right.subject?.slice(0, -1) ?? '' }, /^certificate identity error/],
    ['another issuer', { issuer: `${right.issuer}/` }, /^invalid certificate extension/],
    ["a stranger's trust root", { trustedRoot: foreign }, /^Failed to verify certificate chain$/],
    ['two log entries', { entries: 2 }, /^expected 2 tlog entries, got 1$/],
    ['two certificate timestamps', { certificateTimestamps: 2 }, /^expected 2 SCTs, got 1$/],
  ];
  for (const [what, question, says] of WRONG) {
    it(`refuses when it is asked for ${what}`, async () => {
      const judge = await independentJudge({ ...right, ...question });
      assert.match(judge(bundle), says);
      assert.equal((await independentJudge(right))(bundle), 'accepted');
    });
  }

  it('refuses a changed signature', async () => {
    const { bundle: changed } = asBundle(
      contentOf(BASES.keyless, { signed: (it) => ({ ...it, signature: flip(it.signature) }) }),
    );
    assert.notEqual((await independentJudge(right))(changed), 'accepted');
  });
});

describe('the exceptions', () => {
  it('are about evidence that there is, each about another', () => {
    const names = EXCEPTIONS.flatMap(({ evidence }) => evidence);
    assert.equal(new Set(names).size, names.length);
    const known = new Set(EVIDENCE.map(([name]) => name));
    assert.deepEqual(
      names.filter((name) => !known.has(name) && !ELSEWHERE.has(name)),
      [],
    );
  });

  it('are documented with their reasons', () => {
    const readme = readFileSync(new URL('../../support/independent-judge/README.md', import.meta.url), 'utf8');
    for (const { reason } of EXCEPTIONS) assert.ok(readme.includes(`| ${reason} |`), reason);
  });
});
