import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ALWAYS, narrower, parseKeyWindow, positionIn } from '../../../shim/verdict-keys/key-window.ts';
import { CLOCK_SKEW_MS } from '../../../workflows/verdict/deadlines.ts';

const FROM = '2030-01-31T12:00:00Z';
const TO = '2031-01-31T12:00:00+02:00';

describe('the window of a verdict key', () => {
  it('is read with both ends, or with one of them', () => {
    const both = { notBefore: Date.parse(FROM), notAfter: Date.parse(TO) };
    assert.deepEqual(parseKeyWindow(JSON.stringify({ notBefore: FROM, notAfter: TO })), { ok: true, window: both });
    assert.deepEqual(parseKeyWindow(JSON.stringify({ notAfter: TO })), {
      ok: true,
      window: { ...ALWAYS, notAfter: both.notAfter },
    });
    assert.deepEqual(parseKeyWindow(JSON.stringify({ notBefore: FROM })), {
      ok: true,
      window: { ...ALWAYS, notBefore: both.notBefore },
    });
  });

  const broken: readonly [string, string, RegExp][] = [
    ['nothing', '', /found no JSON object/],
    ['half of it', '{"notAfter": "2030-01-', /found no JSON object/],
    ['an array', '[]', /found no JSON object/],
    ['null', 'null', /found no JSON object/],
    ['neither end', '{}', /found neither/],
    ['a field more', `{"notAfter": "${TO}", "notafter": "${FROM}"}`, /found "notafter"/],
    ['an inherited name', '{"__proto__": {"notAfter": 1}}', /found "__proto__"/],
    ['a number', '{"notAfter": 1900000000}', /notAfter to be a time like .*found 1900000000/],
    ['a number without end', '{"notAfter": 1e999}', /larger than any double/],
    ['null for an end', '{"notAfter": null}', /notAfter to be a time like .*found null/],
    ['a day without a time', '{"notAfter": "2030-01-31"}', /notAfter to be a time/],
    ['a time without a zone', '{"notBefore": "2030-01-31T12:00:00"}', /notBefore to be a time/],
    ['a day that is none', '{"notAfter": "2030-02-30T12:00:00Z"}', /notAfter to be a time/],
    ['an hour that is none', '{"notAfter": "2030-02-20T24:00:00Z"}', /notAfter to be a time/],
    ['a time with something after it', '{"notAfter": "2030-01-31T12:00:00Z or so"}', /notAfter to be a time/],
    ['one end twice', `{"notAfter": "${FROM}", "notAfter": "${TO}"}`, /names one field twice/],
    ['one end twice, once escaped', `{"notAfter": "${FROM}", "not\\u0041fter": "${TO}"}`, /names one field twice/],
    ['an end before its beginning', `{"notBefore": "${TO}", "notAfter": "${FROM}"}`, /earlier than notAfter/],
    ['no length', `{"notBefore": "${FROM}", "notAfter": "${FROM}"}`, /earlier than notAfter/],
  ];
  for (const [what, text, problem] of broken) {
    it(`is not read from ${what}`, () => {
      const parsed = parseKeyWindow(text);
      assert.match(parsed.ok ? 'read' : parsed.problem, problem);
    });
  }

  it('is never read from arbitrary text or JSON, and never throws', () => {
    fc.assert(fc.property(fc.string(), (text) => assert.equal(parseKeyWindow(text).ok, false)));
    fc.assert(fc.property(fc.json(), (text) => assert.equal(parseKeyWindow(text).ok, false)));
  });

  it('holds its ends, and a clock that is a little wrong, and no time that is none', () => {
    const window = { notBefore: 1_000_000, notAfter: 2_000_000 };
    assert.equal(positionIn(window, 1_000_000 - CLOCK_SKEW_MS), 'inside');
    assert.equal(positionIn(window, 1_000_000 - CLOCK_SKEW_MS - 1), 'before');
    assert.equal(positionIn(window, 2_000_000 + CLOCK_SKEW_MS), 'inside');
    assert.equal(positionIn(window, 2_000_000 + CLOCK_SKEW_MS + 1), 'after');
    assert.notEqual(positionIn(window, Number.NaN), 'inside');
    assert.notEqual(positionIn(ALWAYS, Number.NaN), 'inside');
  });

  it('is what both windows hold where two are set', () => {
    const both = narrower({ notBefore: 1, notAfter: 5 }, { ...ALWAYS, notAfter: 3 });
    assert.deepEqual(both, { notBefore: 1, notAfter: 3 });
  });
});
