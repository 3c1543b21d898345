/**
 * Decodes standard base64 in its one canonical spelling (RFC 4648 section 4, strict as section 3.5 allows): padded, no
 * line breaks, no stray bits. `undefined` for anything else, because two spellings of one signature would be two digests.
 */
export function decodeBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}
