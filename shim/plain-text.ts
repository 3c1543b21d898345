/** Control and format characters and line separators: what moves a cursor, hides text or turns its direction. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Text from outside as one line that a terminal only shows; `?` stands for each character that would do more. */
export function plainText(text: string): string {
  return text.toWellFormed().replaceAll(UNSEEN, '?');
}

/** JSON (RFC 8259) that a terminal only shows: the standard escapes the C0 control characters, this the others too. */
export function plainJson(value: unknown, indent?: number): string {
  const json = JSON.stringify(value, undefined, indent) ?? 'null';
  return json.replaceAll(UNSEEN, (character) => (character === '\n' ? character : escapeUnits(character)));
}

function escapeUnits(character: string): string {
  return character
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
}
