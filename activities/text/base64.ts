/** What JSON and Go's decoders count as white space; signers add nothing else. */
const WHITE_SPACE = /[\t\n\r ]+/g;

/** Either alphabet of RFC 4648, and what may be at the end. */
const STANDARD = /^[A-Za-z0-9+/]*={0,2}$/;
const URL_SAFE = /^[A-Za-z0-9_-]*={0,2}$/;

/**
 * Decodes standard base64 in its one canonical spelling (RFC 4648 section 4, strict as section 3.5 allows): padded, no
 * line breaks, no stray bits. `undefined` for anything else. For text that is signed itself, such as a checkpoint.
 */
export function decodeBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

/**
 * Decodes base64 as signers write it, who break it into lines (coreutils, openssl), leave out the padding, or use the
 * other alphabet (proto JSON, DSSE): white space counts nowhere, and neither do the bits behind the last byte, as for
 * Go's decoder. Only the bytes go on, so that two spellings are one signature. `undefined` for another character,
 * both alphabets at once, a part of the padding, and a length that no bytes have.
 */
export function readBase64(text: string): Buffer | undefined {
  const canonical = decodeBase64(text);
  if (canonical !== undefined) return canonical;
  const packed = text.replaceAll(WHITE_SPACE, '');
  if (!STANDARD.test(packed) && !URL_SAFE.test(packed)) return undefined;
  if (packed.length % 4 === 1 || (packed.endsWith('=') && packed.length % 4 !== 0)) return undefined;
  return Buffer.from(packed, 'base64');
}
