import { type JsonResult, parseStrictJsonText } from '../../workflows/format/strict-json.ts';
import { MAX_EVIDENCE_TOKENS } from '../limits.ts';

export { hasExactly, type JsonResult } from '../../workflows/format/strict-json.ts';

/**
 * Parses bytes as {@link parseStrictJsonText} parses text: they have to be UTF-8 without a byte order mark. What has more
 * than `maxTokens` values and names is not parsed.
 */
export function parseStrictJson(bytes: Uint8Array, maxTokens: number = MAX_EVIDENCE_TOKENS): JsonResult {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return { ok: false, problem: 'it is not UTF-8' };
  }
  return parseStrictJsonText(text, maxTokens);
}
