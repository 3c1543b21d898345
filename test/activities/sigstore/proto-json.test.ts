import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { MAX_UNKNOWN_FIELDS } from '../../../activities/limits.ts';
import { nearMiss } from '../../../activities/sigstore/near-miss.ts';
import { type ProtoMessage, readProto, type UnknownFields } from '../../../activities/sigstore/proto-json.ts';

const COLOURS = { UNSPECIFIED: 0, RED: 1, 0: 'UNSPECIFIED', 1: 'RED' } as const;

const MESSAGE: ProtoMessage = {
  plainText: { kind: 'string' },
  rawBytes: { kind: 'bytes' },
  logIndex: { kind: 'int64' },
  takenAt: { kind: 'timestamp' },
  colour: { kind: { values: COLOURS } },
  x509Chain: { kind: { message: { rawBytes: { kind: 'bytes' } } }, repeated: true },
  payloadType: { kind: 'string', original: 'payloadType' },
};

const read = (json: unknown, unknownFields: UnknownFields = 'refuse') =>
  readProto(MESSAGE, json, { unknownFields, reserved: ['end'] });

function valueIn(json: unknown): unknown {
  const result = read(json);
  return result.ok ? result.value : result.problem;
}

function problemOf(json: unknown, unknownFields?: UnknownFields): string {
  const result = read(json, unknownFields);
  return result.ok ? 'it was read' : result.problem;
}

describe('proto JSON', () => {
  it('is read by JSON names and by original names', () => {
    assert.deepEqual(valueIn({ plainText: 'a', x509Chain: [{ rawBytes: 'AA==' }], payloadType: 'b' }), {
      plainText: 'a',
      x509Chain: [{ rawBytes: 'AA==' }],
      payloadType: 'b',
    });
    assert.deepEqual(valueIn({ plain_text: 'a', x509_chain: [{ raw_bytes: 'AA==' }], taken_at: null }), {
      plainText: 'a',
      x509Chain: [{ rawBytes: 'AA==' }],
    });
    assert.match(problemOf({ payload_type: 'b' }), /found "payload_type"; write payloadType/);
  });

  it('has each field once, in whichever spelling, null included', () => {
    const twice = /^plainText: expected the field once, found it in both spellings; remove one$/;
    assert.match(problemOf({ plainText: 'a', plain_text: 'a' }), twice);
    assert.match(problemOf({ plain_text: null, plainText: 'a' }), twice);
    assert.match(problemOf({ x509Chain: [{}, { rawBytes: '', raw_bytes: '' }] }), /^x509Chain\[1\]\.rawBytes: /);
  });

  it('takes null for an absent field, and for nothing else', () => {
    assert.deepEqual(
      valueIn({ plainText: null, rawBytes: null, logIndex: null, takenAt: null, colour: null, x509Chain: null }),
      {},
    );
    assert.match(problemOf({ x509Chain: [null] }), /^x509Chain\[0\]: expected an object, found null/);
    assert.match(problemOf(null), /^expected an object, found null/);
  });

  const BYTES: readonly (readonly [string, string | undefined])[] = [
    ['', ''],
    ['+/+/', '+/+/'],
    ['-_-_', '+/+/'],
    ['AA==', 'AA=='],
    ['AA', 'AA=='],
    ['AAA', 'AAA='],
    ['-_8=', '+/8='],
    ['-_8', '+/8='],
    ['-_+/', undefined],
    ['AA=', undefined],
    ['A', undefined],
    ['AAAAA', undefined],
    ['AB==', 'AA=='],
    ['AB', 'AA=='],
    ['AA==AA==', undefined],
    ['AA== ', 'AA=='],
    ['AA==\n', 'AA=='],
    ['AA==junk', undefined],
    ['AAAA====', undefined],
    ['AA\nAA', 'AAAA'],
    ['=', undefined],
    ['====', undefined],
    ['A&A=', undefined],
  ];
  for (const [text, bytes] of BYTES) {
    it(`reads bytes from ${JSON.stringify(text)} as ${JSON.stringify(bytes)}`, () => {
      if (bytes === undefined) assert.match(problemOf({ rawBytes: text }), /^rawBytes: expected base64, found /);
      else assert.deepEqual(valueIn({ rawBytes: text }), { rawBytes: bytes });
    });
  }

  it('reads any bytes in the four spellings that they have', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (array) => {
        const bytes = Buffer.from(array);
        const standard = bytes.toString('base64');
        const urlSafe = standard.replaceAll('+', '-').replaceAll('/', '_');
        for (const text of [standard, urlSafe, standard.replaceAll('=', ''), bytes.toString('base64url')]) {
          assert.deepEqual(valueIn({ rawBytes: text }), { rawBytes: standard });
        }
      }),
    );
  });

  const NUMBERS: readonly (readonly [unknown, string | undefined])[] = [
    ['0', '0'],
    [0, '0'],
    [7, '7'],
    [-1, '-1'],
    ['-1', '-1'],
    ['9223372036854775807', '9223372036854775807'],
    ['-9223372036854775808', '-9223372036854775808'],
    [Number.MAX_SAFE_INTEGER, '9007199254740991'],
    ['9223372036854775808', undefined],
    ['-9223372036854775809', undefined],
    [Number.MAX_SAFE_INTEGER + 1, undefined],
    [1.5, undefined],
    ['01', undefined],
    ['+1', undefined],
    ['-0', undefined],
    ['1.0', undefined],
    ['1e3', undefined],
    ['0x10', undefined],
    [' 1', undefined],
    ['1 ', undefined],
    ['', undefined],
    ['9'.repeat(40), undefined],
    [true, undefined],
    [{}, undefined],
    [[1], undefined],
  ];
  for (const [json, text] of NUMBERS) {
    it(`reads a 64-bit number from ${JSON.stringify(json)} as ${JSON.stringify(text)}`, () => {
      if (text === undefined) assert.match(problemOf({ logIndex: json }), /^logIndex: expected a (?:whole )?number/);
      else assert.deepEqual(valueIn({ logIndex: json }), { logIndex: text });
    });
  }

  it('reads an enum by name and by number', () => {
    assert.deepEqual(valueIn({ colour: 'RED' }), { colour: 1 });
    assert.deepEqual(valueIn({ colour: 1 }), { colour: 1 });
    assert.deepEqual(valueIn({ colour: 0 }), { colour: 0 });
    for (const json of ['1', 'BLUE', 2, -1]) {
      const result = read({ colour: json });
      assert.deepEqual(result.ok && result.unknown, [{ what: 'value', path: 'colour' }], JSON.stringify(json));
    }
    assert.match(problemOf({ colour: 'red' }), /^colour: expected a known value, found "red"; write RED/);
    for (const json of [true, 1.5, [], {}, [1]]) {
      assert.match(problemOf({ colour: json }), /^colour: expected the name or the number of a value/);
    }
    for (const json of ['constructor', '__proto__', 'toString']) {
      const result = read({ colour: json });
      assert.equal(result.ok && result.value['colour'], undefined);
    }
  });

  it('reads a time with a zone, and no other', () => {
    assert.deepEqual(valueIn({ takenAt: '2026-01-31T12:00:00+02:00' }), { takenAt: '2026-01-31T12:00:00+02:00' });
    for (const json of [{}, [], true, 0, '2026-01-31T12:00:00', '2026-06-31T12:00:00Z', '1 Jan 2099', { seconds: 0 }]) {
      assert.match(problemOf({ takenAt: json }), /^takenAt: expected a time like "2026-01-31T12:00:00Z", found /);
    }
  });

  it('has text that is text, and lists that are lists', () => {
    for (const json of [1, true, {}, [], ['a'], '\ud800'])
      assert.match(problemOf({ plainText: json }), /expected a string/);
    for (const json of [{}, 'a', { 0: {} }])
      assert.match(problemOf({ x509Chain: json }), /^x509Chain: expected a list/);
  });

  it('has no unknown field where an operator writes it', () => {
    assert.match(problemOf({ later: 1 }), /^expected plainText, .*, found the unknown field "later"; remove it$/);
    assert.match(
      problemOf({ x509Chain: [{ later: 1 }] }),
      /^x509Chain\[0\]: expected rawBytes, found the unknown field/,
    );
    assert.match(problemOf(JSON.parse('{"__proto__":{"plainText":"a"}}')), /unknown field "__proto__"/);
  });

  it('may have unknown fields where it comes signed, which are told', () => {
    const result = read({ later: 1, plainText: 'a', x509Chain: [{ 'x-note': {} }] }, 'tolerate');
    assert.deepEqual(result, {
      ok: true,
      value: { plainText: 'a', x509Chain: [{}] },
      unknown: [
        { what: 'field', path: '"later"' },
        { what: 'field', path: 'x509Chain[0]."x-note"' },
      ],
    });
  });

  it('is refused for a near miss of a known or reserved field, wherever it comes from', () => {
    for (const name of [
      'PlainText',
      'plaintext',
      'plain-text',
      'PLAIN_TEXT',
      'plainTxt',
      'plainTextt',
      'palinText',
      'END',
      'ends',
      'nd',
    ]) {
      assert.match(problemOf({ [name]: 'a' }, 'tolerate'), /^expected a known field, found /, name);
    }
    for (const name of ['later', 'text', 'note', 'x'.repeat(70)]) {
      assert.equal(problemOf({ [name]: 'a' }, 'tolerate'), 'it was read', name);
    }
  });

  it('is refused for more unknown fields than it could have, at a cost that is bounded', () => {
    const many = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`later${i}later`, 1] as const));
    assert.equal(problemOf(many(MAX_UNKNOWN_FIELDS), 'tolerate'), 'it was read');
    const began = performance.now();
    assert.match(problemOf(many(300_000), 'tolerate'), /^expected at most 512 unknown fields/);
    assert.ok(performance.now() - began < 5_000);
  });

  it('is never read from arbitrary JSON with anything left in it that is not known', () => {
    fc.assert(
      fc.property(fc.object(), (json) => {
        const result = read(json, 'tolerate');
        if (result.ok) assert.ok(Object.keys(result.value).every((name) => Object.hasOwn(MESSAGE, name)));
        else assert.doesNotMatch(result.problem, /[\n\r]/);
      }),
    );
  });
});

describe('a near miss', () => {
  it('is symmetrical in letters left out and added, and knows a swap', () => {
    for (const [name, meant] of [
      ['validfor', 'validFor'],
      ['valid_for', 'validFor'],
      ['validFro', 'validFor'],
      ['vaildFor', 'validFor'],
      ['validForr', 'validFor'],
      ['valdFr', 'validFor'],
      ['End', 'end'],
      ['edn', 'end'],
      ['strat', 'start'],
    ] as const) {
      assert.equal(nearMiss(name, ['start', 'end', 'validFor']), meant, name);
    }
    for (const name of ['state', 'kind', 'id', 'until', 'operator', 'validity', '']) {
      assert.equal(nearMiss(name, ['start', 'end', 'validFor']), undefined, name);
    }
  });
});
