import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LayerAnnotations, SignatureContent } from '../../../activities/sigstore/evidence/content.ts';
import { signedMaterial } from '../../../activities/sigstore/evidence/signed-material.ts';
import { judge } from '../../../activities/sigstore/signature.ts';
import { decodeBase64, readBase64 } from '../../../activities/text/base64.ts';
import { isRecord } from '../../../workflows/format/record.ts';
import { BASES } from '../sigstore/negatives/bases.ts';
import { asked, type Base, contentOf, judgedAt } from '../sigstore/negatives/case.ts';

const lines = (text: string, length: number, end: string) =>
  text.replaceAll(new RegExp(`.{1,${length}}`, 'g'), (line) => line + end);
const urlSafe = (text: string) => text.replaceAll('+', '-').replaceAll('/', '_');

/** How programs write the same bytes: coreutils, openssl, Windows, editors, RFC 7515. */
const SPELLINGS: readonly (readonly [what: string, spell: (text: string) => string])[] = [
  ['lines of 76 characters, as base64 writes them', (text) => lines(text, 76, '\n')],
  ['lines of 64 characters, as openssl writes them', (text) => lines(text, 64, '\n')],
  ['lines of Windows', (text) => lines(text, 76, '\r\n')],
  ['one line break', (text) => `${text}\n`],
  ['spaces and tabs around it', (text) => ` \t${text}\t `],
  ['indented lines', (text) => lines(`  ${text}`, 76, ' \n\t')],
  ['the other alphabet', urlSafe],
  ['no padding', (text) => text.replaceAll('=', '')],
  ['the other alphabet, in lines, without padding', (text) => lines(urlSafe(text.replaceAll('=', '')), 76, '\n')],
];

/** What is no base64, whatever is taken out of it. */
const BROKEN: readonly (readonly [what: string, spell: (text: string) => string])[] = [
  ['another character', (text) => `${text.slice(0, 4)}!${text.slice(4)}`],
  ['white space of Unicode', (text) => `${text.slice(0, 4)}\u00a0${text.slice(4)}`],
  [
    'a character too many',
    (text) => `${text.replaceAll('=', '').slice(0, -(text.replaceAll('=', '').length % 4) || undefined)}A`,
  ],
  ['both alphabets', (text) => `+-${text.slice(2)}`],
  ['padding in the middle', (text) => `AA==${text}`],
  ['too much padding', (text) => `${text}====`],
];

/** Fields of bytes in bundles and envelopes (protobuf-specs, DSSE), and in cosign's annotations. */
const FIELDS: ReadonlySet<string> = new Set(
  'payload sig rawBytes keyId signedEntryTimestamp rootHash canonicalizedBody signedTimestamp SignedEntryTimestamp body SignedRFC3161Timestamp'.split(
    ' ',
  ),
);

type Spell = (text: string) => string;

function respellJson(text: string, spell: Spell, name: string): string {
  const walk = (value: unknown, key: string): unknown => {
    if (Array.isArray(value)) return value.map((one) => walk(one, key));
    if (isRecord(value)) return Object.fromEntries(Object.entries(value).map(([k, one]) => [k, walk(one, k)]));
    return typeof value === 'string' && key === name ? spell(value) : value;
  };
  return JSON.stringify(walk(JSON.parse(text), ''));
}

function respellPem(pem: string, spell: Spell): string {
  return pem.replaceAll(/(-----BEGIN CERTIFICATE-----\n)(.*?)(-----END)/gs, (_, begin, body: string, end) => {
    return `${begin}${spell(body.replaceAll('\n', '')).trimEnd()}\n${end}`;
  });
}

/** Each way to spell one field of some evidence; the fields that it has. */
function fieldsOf(
  content: SignatureContent,
): readonly (readonly [field: string, (spell: Spell) => SignatureContent])[] {
  const inJson = (bytes: Uint8Array, make: (changed: Uint8Array) => SignatureContent) =>
    [...FIELDS, 'hashes'].flatMap((name) => {
      const text = Buffer.from(bytes).toString();
      const isThere = text.includes(`"${name}":"`) || text.includes(`"${name}":["`);
      return isThere ? [[name, (spell: Spell) => make(Buffer.from(respellJson(text, spell, name)))] as const] : [];
    });
  if (content.format === 'bundle') return inJson(content.bundle, (bundle) => ({ ...content, bundle }));
  const { annotations } = content;
  const annotated = (changed: LayerAnnotations) => ({ ...content, annotations: { ...annotations, ...changed } });
  const inAnnotations = (['bundle', 'timestamp'] as const).flatMap((name) =>
    inJson(Buffer.from(annotations[name] ?? ''), (changed) => annotated({ [name]: Buffer.from(changed).toString() })),
  );
  const { signature, certificate } = annotations;
  return [
    ...(content.format === 'envelope' ? inJson(content.envelope, (envelope) => ({ ...content, envelope })) : []),
    ...inAnnotations,
    ...(signature === undefined || content.format === 'envelope'
      ? []
      : [['signature', (spell: Spell) => annotated({ signature: spell(signature) })] as const]),
    ...(certificate === undefined
      ? []
      : [['certificate', (spell: Spell) => annotated({ certificate: respellPem(certificate, spell) })] as const]),
  ];
}

const SEEN = [BASES.legacy, BASES.legacyKeyed, BASES.keyed, BASES.keyless, BASES.attached, BASES.stamped, BASES.tiled];

function judged(base: Base, content: SignatureContent) {
  const { requirement, expected } = asked(base);
  return judge(content, requirement, expected, { now: judgedAt(base) });
}

for (const base of SEEN) {
  const content = contentOf(base);
  for (const [field, spelled] of fieldsOf(content)) {
    // PEM is standard base64 with its padding.
    const spellings = SPELLINGS.filter(([what]) => field !== 'certificate' || !/alphabet|padding/.test(what));
    describe(`${base.name}: ${field}`, () => {
      for (const [what, spell] of spellings) {
        it(`means the same with ${what}`, () => {
          const respelled = spelled(spell);
          assert.deepEqual(judged(base, respelled), judged(base, content));
          assert.deepEqual(signedMaterial(respelled), signedMaterial(content), 'one signature, not two');
        });
      }
      it('is as if it were empty with nothing but white space', () => {
        const [white, empty] = [' \n', ''].map((text) =>
          judged(
            base,
            spelled(() => text),
          ),
        );
        assert.ok(white?.valid === false && empty?.valid === false);
        assert.equal(white.code, empty.code);
      });
      for (const [what, spell] of BROKEN) {
        it(`is malformed with ${what}, and named`, () => {
          const judgement = judged(base, spelled(spell));
          assert.ok(!judgement.valid);
          assert.equal(judgement.code, 'EVIDENCE_MALFORMED');
          assert.match(
            judgement.sentence,
            field === 'certificate' ? /sigstore\.cosign\/certificate/ : new RegExp(field),
          );
        });
      }
    });
  }
}

describe('base64', () => {
  const READ: readonly (readonly [string, string | undefined])[] = [
    ['', ''],
    ['QQ==', 'A'],
    ['QQ', 'A'],
    ['QUI=', 'AB'],
    ['Q U\tI\r\n=', 'AB'],
    ['QUI', 'AB'],
    ['QR==', 'A'], // Go's decoder does not look at the bits that are left over
    ['QQ=', undefined],
    ['QQ===', undefined],
    ['Q', undefined],
    ['Q===', undefined],
    ['=', undefined],
    ['====', undefined],
    ['QQ==QQ==', undefined],
    ['QQ\u2028==', undefined],
    ['QQ\u0000==', undefined],
    ['QQ\u000b==', undefined],
  ];
  for (const [text, expected] of READ) {
    it(`is read from ${JSON.stringify(text)} as ${JSON.stringify(expected)}`, () => {
      assert.equal(readBase64(text)?.toString(), expected);
    });
  }

  it('of signed text has one spelling', () => {
    assert.equal(decodeBase64('QUI=')?.toString(), 'AB');
    for (const other of ['QUI', 'QUI=\n', 'QR==', '-_-_']) assert.equal(decodeBase64(other), undefined, other);
  });
});
