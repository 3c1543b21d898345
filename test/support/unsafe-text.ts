/** Characters that a terminal, a log and the Temporal UI must not get, by their numbers and not by the guard's own words. */
const UNSAFE: readonly (readonly [first: number, last: number])[] = [
  [0x00, 0x1f],
  [0x7f, 0x9f],
  [0xad, 0xad], // soft hyphen
  [0x34f, 0x34f], // grapheme joiner
  [0x61c, 0x61c], // Arabic letter mark
  [0x115f, 0x1160], // Hangul fillers
  [0x17b4, 0x17b5],
  [0x180b, 0x180f], // Mongolian selectors
  [0x200b, 0x200f], // zero width, direction marks
  [0x2028, 0x202e], // separators, embeddings, overrides
  [0x2060, 0x206f], // word joiner, invisible operators, isolates
  [0x3164, 0x3164],
  [0xd800, 0xdfff], // lone surrogates
  [0xe000, 0xf8ff], // private use
  [0xfe00, 0xfe0f], // variation selectors
  [0xfeff, 0xfeff],
  [0xffa0, 0xffa0],
  [0xfff0, 0xfffb],
  [0xfffe, 0xffff],
  [0x1bca0, 0x1bca3],
  [0x1d173, 0x1d17a],
  [0xe0000, 0xe0fff], // tags, more variation selectors
  [0xf0000, 0x10ffff],
];

/** Planes 4 to 13, in which Unicode has assigned nothing: one block of them stands for all. */
const EMPTY_PLANES = { first: 0x40000, last: 0xdffff };
const BLOCK = 0x400;

/** All code points there are, some hundred in one text, each after a letter. */
export const EVERY_CHARACTER: readonly string[] = Array.from({ length: 0x110000 / BLOCK }, (_, block) => block * BLOCK)
  .filter((start) => start <= EMPTY_PLANES.first || start > EMPTY_PLANES.last)
  .map((start) => Array.from({ length: BLOCK }, (_, at) => `x${String.fromCodePoint(start + at)}`).join(''));

/** A letter under a pile of marks. */
export const FLOOD = `a${'\u0300\u0301\u0489'.repeat(40)}`;

/** One of each kind, for the ways out that are slow: none of them may arrive. */
export const HOSTILE = `a\u001b[2J\u009b31m\u202eb\u2066c\u200bd\ufeffe\u00adf\u061cg\u3164h\ufe0fi\u{e0041}j\ue000k\ud800l\u2028m${FLOOD}n`;

/** What people write: Arabic, Hebrew, Chinese, Japanese, Korean, Hindi, Thai, Vietnamese in single marks, emoji. */
export const ORDINARY: readonly string[] = [
  'naïve 画像 ✓ ❤ 🔒',
  'توقيع الصورة',
  'חתימה שָׁלוֹם',
  '署名イメージ　検証 서명',
  'हस्ताक्षर ลายเซ็นที่นี่',
  'chữ ký tie\u0302\u0301ng',
  'registry.example/a/app:v1@sha256:00 "quoted" \\ back',
];

/** The unsafe characters in a text, by their numbers in hex. */
export function findUnsafe(text: string): readonly string[] {
  const single = Array.from(text, (character) => character.codePointAt(0) ?? 0)
    .filter((point) => UNSAFE.some(([first, last]) => point >= first && point <= last))
    .map((point) => point.toString(16));
  return /\p{M}{5}/u.test(text) ? [...single, 'more than four marks'] : single;
}
