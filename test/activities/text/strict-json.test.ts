import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseStrictJson } from '../../../activities/text/strict-json.ts';

const parse = (text: string) => parseStrictJson(new TextEncoder().encode(text));

test('reads every JSON that JSON.parse reads, to the same value', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 8 }), (json) => {
      const value: unknown = JSON.parse(json);
      assert.deepEqual(parse(json), { ok: true, value });
      assert.deepEqual(parse(JSON.stringify(value, null, '\t')), { ok: true, value });
    }),
  );
});

test('refuses a name that comes twice in one object, however it is spelt', () => {
  for (const twice of [
    '{"a":1,"a":1}',
    '{"a":1,"\\u0061":2}',
    '[{"b":{"a":1 , "a"\r\n\t :2}}]',
    '{"":0,"":0}',
    '{"a\\"":{},"a\\u0022":1}',
  ]) {
    assert.deepEqual(parse(twice), { ok: false, problem: 'it names one field twice' }, twice);
  }
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }), { minKeys: 1 }), (object) => {
      const [name] = Object.keys(object);
      const text = JSON.stringify(object);
      return !parse(`${text.slice(0, -1)},${JSON.stringify(name)}:null}`).ok;
    }),
  );
});

test('refuses a number that is larger than any double, wherever it stands', () => {
  const problem = 'it has a number that is larger than any double';
  for (const infinite of ['1e999', '-1E+400', '[1e309]', '{"a":{"b":[0,-2e308]}}', `{"a":${'9'.repeat(400)}}`]) {
    assert.deepEqual(parse(infinite), { ok: false, problem }, infinite.slice(0, 20));
  }
  for (const finite of ['1e308', '1e-999', '-0', '"1e999"', '{"1e999":1}', '9007199254740993']) {
    assert.equal(parse(finite).ok, true, finite);
  }
});

test('takes the same name in two objects and the same string as a value', () => {
  for (const once of [
    '{"a":{"a":1},"b":{"a":1}}',
    '{"a":"a","b":["a","a","b"]}',
    '[{"a":1},{"a":1}]',
    '{"a":"\\"a\\":"}',
  ]) {
    assert.equal(parse(once).ok, true, once);
  }
});

test('bounds the depth, for lists and objects alike', () => {
  assert.equal(parse('['.repeat(64) + ']'.repeat(64)).ok, true);
  for (const deep of [
    '['.repeat(65) + ']'.repeat(65),
    `${'{"a":'.repeat(65)}1${'}'.repeat(65)}`,
    '['.repeat(5_000_000),
  ]) {
    assert.deepEqual(parse(deep), { ok: false, problem: 'it nests deeper than 64 levels' });
  }
});

test('never throws, and never reads what JSON.parse refuses', () => {
  const bytes = fc.oneof(
    fc.uint8Array(),
    fc.string({ unit: fc.constantFrom(...'{}[]",:\\a1 ') }).map((text) => new TextEncoder().encode(text)),
  );
  fc.assert(
    fc.property(bytes, (some) => {
      const result = parseStrictJson(some);
      if (result.ok) assert.deepEqual(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(some)), result.value);
    }),
    { numRuns: 2_000 },
  );
});

test('a string of backslashes that never ends is refused at once', () => {
  assert.equal(parse(`"${'\\'.repeat(2_000_000)}`).ok, false);
  assert.equal(parse(`["${'\\"'.repeat(1_000_000)}`).ok, false);
});
