/**
 * The one guard for text from outside (names, annotations, identities, error messages, files) on its way to a terminal, a log, a pod event or
 * the Temporal UI. It is here because everything that prints may import this room.
 *
 * Characters that are shown by their number: `C` (control, format and direction characters, tags, lone surrogates, private use, and what Unicode
 * has not assigned, which a later version may make a format character), line and paragraph separators, and everything that Unicode says is
 * drawn as nothing (`Default_Ignorable_Code_Point`: fillers, variation selectors, the grapheme joiner), because text can be hidden in it. The
 * same goes for a combining mark that follows four others: no script needs more, and a pile of them covers the lines above. Letters of all
 * scripts, spaces and emoji stay as they are.
 */
const UNSAFE = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]|(?<=\p{M}{4})\p{M}/gu;

/** What separates words or lines. */
const BREAKS = /[\t\n\v\f\r\u0085\u2028\u2029]+/gu;

/** Text from outside as one line that a terminal only shows: breaks become one space, other unsafe characters `\u{202e}`. */
export function plainText(text: string): string {
  return text.replaceAll(BREAKS, ' ').replaceAll(UNSAFE, numbered);
}

/** The same for text of several lines: line feeds and tabs stay. */
export function plainLines(text: string): string {
  return text.replaceAll(UNSAFE, (character) =>
    character === '\n' || character === '\t' ? character : numbered(character),
  );
}

/** {@link plainText} of at most so many UTF-16 units; what is beyond them is cut, and no character is cut in half. */
export function plainTextWithin(text: string, most: number): string {
  // Twice: before, so that a long text costs no more than a short one, and afterwards, because what is unsafe gets longer.
  return text.length <= most ? cut(plainText(text), most) : cut(plainText(cut(text, most)), most);
}

function cut(text: string, most: number): string {
  if (text.length <= most) return text;
  const kept = text.slice(0, most);
  return /[\ud800-\udbff]$/.test(kept) ? kept.slice(0, -1) : kept;
}

/** JSON (RFC 8259) that a terminal only shows: the standard escapes the C0 control characters, this the others too. */
export function plainJson(
  value: unknown,
  indent?: number,
  replacer?: (key: string, value: unknown) => unknown,
): string {
  const json = JSON.stringify(value, replacer, indent) ?? 'null';
  return json.replaceAll(UNSAFE, (character) => (character === '\n' ? character : units(character)));
}

function numbered(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

/** A character as JSON escapes it, surrogates each on its own. */
function units(character: string): string {
  return character
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
}
