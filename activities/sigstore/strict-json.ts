import { type JsonResult, parseStrictJsonText } from '../../workflows/strict-json.ts';

export { hasExactly } from '../../workflows/strict-json.ts';

/** Parses bytes as {@link parseStrictJsonText} parses text: they have to be UTF-8 without a byte order mark. */
export function parseStrictJson(bytes: Uint8Array): JsonResult {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return { ok: false, problem: 'it is not UTF-8' };
  }
  return parseStrictJsonText(text);
}
