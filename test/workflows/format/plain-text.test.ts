import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { plainJson, plainLines, plainText, plainTextWithin } from '../../../workflows/format/plain-text.ts';
import { EVERY_CHARACTER, FLOOD, findUnsafe, ORDINARY } from '../../support/unsafe-text.ts';

describe('text from outside', () => {
  it('shows none of the characters that move, hide or reorder text, of all that there are', () => {
    for (const piece of EVERY_CHARACTER) {
      assert.deepEqual(findUnsafe(plainText(piece)), []);
      assert.deepEqual(findUnsafe(plainLines(piece).replaceAll(/[\n\t]/g, '')), []);
      assert.deepEqual(findUnsafe(plainJson({ [piece]: piece })), []);
      assert.deepEqual(JSON.parse(plainJson({ [piece]: piece })), { [piece]: piece });
    }
  });

  it('shows them by their numbers, and what separates words as one space', () => {
    assert.equal(
      plainText('a\u202eb\u200bc\u{e0041}d\ud800e\ufe0f'),
      'a\\u{202e}b\\u{200b}c\\u{e0041}d\\u{d800}e\\u{fe0f}',
    );
    assert.equal(plainText('a\r\n\tb\u2028c\u0085d'), 'a b c d');
    assert.equal(plainLines('a\r\n\tb\u001b[2J'), 'a\\u{d}\n\tb\\u{1b}[2J');
  });

  it('leaves what people write as it is, in every script', () => {
    for (const text of ORDINARY) {
      assert.equal(plainText(text), text);
      assert.equal(plainJson(text), JSON.stringify(text));
    }
  });

  it('has at most four marks upon each other', () => {
    assert.deepEqual(findUnsafe(plainText(FLOOD)), []);
    assert.match(plainText(FLOOD), /^a\p{M}{4}\\u\{301\}/u);
    assert.deepEqual(JSON.parse(plainJson(FLOOD)), FLOOD);
  });

  it('is plain after one pass, and a second one changes nothing', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.nat(60), (text, most) => {
        assert.equal(plainText(plainText(text)), plainText(text));
        const bounded = plainTextWithin(text, most);
        assert.ok(bounded.length <= most);
        assert.ok(bounded.isWellFormed());
        assert.ok(plainText(text).startsWith(bounded));
        assert.deepEqual(findUnsafe(bounded), []);
      }),
    );
  });

  it('costs no more for a long text than for what is shown of it', () => {
    const started = performance.now();
    assert.equal(plainTextWithin('\u0300'.repeat(20_000_000), 300).length, 300);
    plainText('\u0300'.repeat(100_000));
    assert.ok(performance.now() - started < 2_000);
  });
});
