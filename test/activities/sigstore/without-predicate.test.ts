import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { judgeStatement } from '../../../activities/sigstore/payload/statement.ts';
import { withoutPredicate } from '../../../activities/sigstore/without-predicate.ts';

const HEX = 'ab'.repeat(32);
const TYPE = 'https://in-toto.io/Statement/v1';
const head = `"_type":"${TYPE}","predicateType":"p","subject":[{"name":"x","digest":{"sha256":"${HEX}"}}]`;
const cut = (text: string) => Buffer.from(withoutPredicate(Buffer.from(text))).toString();

describe('a statement without its predicate', () => {
  const CUT: readonly (readonly [string, string])[] = [
    ['{"predicate":{"a":[1,2]}}', '{"predicate":{}}'],
    ['{"predicate":[{"a":1}]}', '{"predicate":[]}'],
    ['{ "predicate"\n:\t{"a":"}\\"]"} ,"b":1}', '{ "predicate"\n:\t{} ,"b":1}'],
    ['{"a":{"predicate":{"b":1}},"predicate":{"c":-1.5e+3}}', '{"a":{"predicate":{"b":1}},"predicate":{}}'],
    ['{"a":"\\"predicate\\":{","predicate":{"é":"ü"}}', '{"a":"\\"predicate\\":{","predicate":{}}'],
    ['{"predicate":{"a":1},"predicate":{"b":1}}', '{"predicate":{},"predicate":{"b":1}}'],
  ];
  for (const [text, expected] of CUT) it(`is ${expected} of ${text}`, () => assert.equal(cut(text), expected));

  const LEFT = [
    '{"predicate":"text"}',
    '{"predicate":null}',
    '{"predic\\u0061te":{"a":1}}',
    '{"predicate":{"a":[}]}',
    '{"predicate":{"a":b}}',
    '{"predicate":{"a":"\n"}}',
    '{"predicate":{"a":"x}',
    '["predicate",{"predicate":{"a":1}}]',
    `{"predicate":${'['.repeat(63)}${']'.repeat(63)}}`,
    '"predicate":{}',
    '',
  ];
  for (const text of LEFT)
    it(`is left to the parser where it is ${text.slice(0, 40)}`, () => assert.equal(cut(text), text));
});

describe('an attestation whose predicate nobody asks for', () => {
  const wanted = { kind: 'attestation', predicateTypes: ['p'] } as const;
  const judged = (text: string, predicate?: 'read' | 'unread') => {
    const step = judgeStatement('application/vnd.in-toto+json', Buffer.from(text), wanted, HEX, predicate);
    return step.ok ? 'valid' : step.refusal.code;
  };

  it('is parsed but for that, as strictly as ever', () => {
    const many = `{${head},"predicate":{"l":[${'0,'.repeat(6_000_000)}0]}}`;
    assert.equal(judged(many, 'read'), 'EVIDENCE_TOO_LARGE');
    assert.equal(judged(many, 'unread'), 'valid');
    for (const predicate of ['read', 'unread'] as const) {
      assert.equal(judged(`{${head},"predicate":{"a":1}}`, predicate), 'valid');
      assert.equal(judged(`{${head},"predicate":{},"predicate":{"a":1}}`, predicate), 'EVIDENCE_MALFORMED');
      assert.equal(judged(`{${head},"predicate":{"a":1},"predic\\u0061te":{}}`, predicate), 'EVIDENCE_MALFORMED');
      assert.equal(judged(`{${head},"predicate":{"a":1},"predicateType":"q"}`, predicate), 'EVIDENCE_MALFORMED');
      assert.equal(judged(`{${head},"predicate":{"a":oops}}`, predicate), 'EVIDENCE_MALFORMED');
      assert.equal(judged(`{${head},"predicate":{"a":[}]}`, predicate), 'EVIDENCE_MALFORMED');
      assert.equal(judged(`{${head},"predicate":{"a":1}} `, predicate), 'valid');
      assert.equal(judged(`{${head},"predicate":{"a":1}}x`, predicate), 'EVIDENCE_MALFORMED');
    }
  });
});
