const MAX_QUOTED = 120;

/**
 * Foreign text for a sentence: quoted, one line, cut at 120 characters, and everything outside printable ASCII
 * escaped, so that it can neither break the line nor reorder it.
 */
export function quote(text: string): string {
  return `"${inert(text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}...` : text)}"`;
}

/** The same without quotation marks and whole, for text that is bounded already and stands alone. */
export function inert(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]|["\\]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
